"""A server that is a directory of this machine, for the tasks' steps and the upload."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from deploy.connection import Done
from deploy.inventory import Host
from deploy.server import ServerConfig


class CutFile:
    """A file on the server whose connection goes away after some bytes."""

    def __init__(self, file: Any, remote: LocalRemote) -> None:
        self.file, self.remote = file, remote

    def __enter__(self) -> CutFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, data: bytes) -> None:
        if self.remote.cut_after is not None and len(data) > self.remote.cut_after:
            self.file.write(data[: self.remote.cut_after])
            raise EOFError
        self.remote.sent += len(data)
        self.file.write(self.remote.damage(data))


class LocalRemote:
    """Runs commands below a root directory; `root` commands without sudo, so no chown.

    `calls` has every command; `answers` maps a word in a command to what it prints and returns.
    """

    def __init__(self, root: Path) -> None:
        self.host = Host("nanode", "127.0.0.1", 22, "deploy")
        self.root = root
        self.calls: list[list[str]] = []
        self.answers: dict[str, Done | Callable[[], Done]] = {}
        self.sent = 0
        self.cut_after: int | None = None
        self.damage: Callable[[bytes], bytes] = lambda data: data
        self.free_kib = 10_000_000
        for name in ("models", "dumps", "incoming"):
            (root / name).mkdir(parents=True)
        self.server_json = {
            "format": 1,
            "user": "tox_com_det",
            "models_dir": str(root / "models"),
            "dumps_dir": str(root / "dumps"),
            "incoming_dir": str(root / "incoming"),
            "releases_dir": str(root / "releases"),
            "app_link": "/opt/tox_com_det/current-app",
            "wheel_target": "debian12",
            "slotctl": "/usr/bin/python3.11 /opt/tox_com_det/bin/slotctl",
            "releasectl": "/usr/bin/python3.11 /opt/tox_com_det/bin/releasectl",
            "unit": "tox_com_det@{slot}.service",
            "env_file": "/etc/tox_com_det/app.env",
            "http_port": 80,
            "public_url": None,
            "keep_releases": 5,
            "keep_free_mb": 2048,
        }

    @property
    def config(self) -> ServerConfig:
        return ServerConfig.parse(json.dumps(self.server_json), "nanode")

    def run(self, command: str) -> Done:
        if command.startswith("df "):
            return Done(f"Filesystem\n/dev/sda 1 1 {self.free_kib} 1% /\n", "", 0)
        if command.endswith("server.json"):
            return Done(json.dumps(self.server_json), "", 0)
        return self.execute(["sh", "-c", command])

    def run_as(self, arguments: Sequence[str], user: str = "root", stream: bool = False) -> Done:
        self.calls.append([user, *arguments])
        for word, answer in self.answers.items():
            if any(word in argument for argument in arguments):
                return answer() if callable(answer) else answer
        words = list(arguments)
        if words[:2] == ["install", "-d"]:
            words = ["mkdir", "-p", words[-1]]
        # Only root may give files away.
        words = [word.replace('chown root:root -- "$1"; ', "") for word in words]
        return self.execute(words)

    def execute(self, words: list[str]) -> Done:
        done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603
        return Done(done.stdout, done.stderr, done.returncode)

    def files(self) -> LocalRemote:
        return self

    def open(self, filename: str, mode: str) -> CutFile:
        return CutFile(open(filename, mode), self)

    def called(self, word: str) -> list[list[str]]:
        return [call for call in self.calls if any(word in argument for argument in call)]
