"""A real database process for tests: SecantusDB, which speaks MongoDB's protocol."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from free_ports import free_port
from pymongo import MongoClient
from pymongo.errors import ConnectionFailure

PROGRAM = "secantusd-rs"


class DatabaseServer:
    """One server process with its own storage; can be stopped and started again."""

    def __init__(self, directory: Path, *, standalone: bool = True) -> None:
        beside_python = Path(sys.prefix, "bin", PROGRAM)
        # Started by this interpreter: the path in a script's first line must not contain a blank.
        found = [sys.executable, str(beside_python)] if beside_python.exists() else []
        if not found and (path := shutil.which(PROGRAM)):
            found = [path]
        if not found:
            raise FileNotFoundError(
                f"{PROGRAM} is not installed: "
                "pip install --no-deps --require-hashes -r requirements/secantusdb.txt"
            )
        self._program = found
        self._directory = directory
        self._topology = ["--standalone"] if standalone else []
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.uri = f"mongodb://127.0.0.1:{self.port}"

    def start(self, *options: str) -> None:
        """Start, with more options of the program, and wait until it replies."""
        self._process = subprocess.Popen(  # noqa: S603 - a program of the test's own
            [
                *self._program,
                "--host=127.0.0.1",
                f"--port={self.port}",
                f"--storage-path={self._directory}",
                *self._topology,
                "--cache-size=64M",
                "--log-file-max=8MB",
                "--oplog-max-entries=1000",
                *options,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 300
        with MongoClient(self.uri, serverSelectionTimeoutMS=100) as client:
            while True:
                try:
                    client.admin.command("ping")
                    return
                except ConnectionFailure:
                    if self._process.poll() is not None or time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)

    def kill(self) -> None:
        """End the process with SIGKILL, as the out-of-memory killer would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End the process and wait for it."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(300)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
