"""A server without a server: the files, systemctl and nginx that toxctl works on."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest import mock

import fake_programs
from free_ports import kept_port

import toxctl.cli

__all__ = ["GOLDEN", "LABELS", "PACKAGE_DIR", "FakeServer", "Model", "Run"]

PACKAGE_DIR = Path(__file__).resolve().parents[3] / "server"
LABELS = ["toxic", "obscene"]
GOLDEN = {"idiot": [0.9, 0.25], "thanks": [0.1, 0.05]}
DIRECTORIES = (
    "slots", "models", "apps", "fake/units", "bin", "run", "state", "dumps", "incoming", "answers",
)  # fmt: skip
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


@dataclass
class Model:
    """A model release on the fake server and how the app behaves with it."""

    path: Path
    version: str
    scores: dict[str, list[float]]
    answer: dict[str, float] | None = None  # when other than the golden outputs
    ready: tuple[int, Any] | None = None  # when other than ready
    dies_when_live: bool = False
    kills_caller_when_live: bool = False


@dataclass
class Run:
    """How toxctl ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The JSON lines."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def last(self) -> dict[str, Any]:
        """The last JSON line."""
        return self.events[-1]

    @property
    def result(self) -> Any:
        """The result of a run that succeeded."""
        assert self.returncode == 0, self.stdout + self.stderr
        return self.last["result"]

    @property
    def error(self) -> Any:
        """The last line of a run that failed."""
        assert self.returncode == 1, self.stdout + self.stderr
        return self.last


@dataclass
class FakeServer:
    """Files below `root`, the programs on PATH, and the loopback server of nginx."""

    root: Path
    models: dict[str, Model] = field(default_factory=dict)
    port: int = 0
    caller: subprocess.Popen[str] | None = None

    def __post_init__(self) -> None:
        for name in DIRECTORIES:
            (self.root / name).mkdir(parents=True)
        fake_programs.write(self.root / "bin", self.root / "fake")
        for name in ("import", "pip"):
            (self.root / "answers" / name).touch()
        (self.root / "app.env").write_text("# one\nTOX_COM_DET_MONGODB_URI=mongodb://a/?b=1&c=2\n")
        self.kept = kept_port()  # while nginx is stopped
        self.http = ThreadingHTTPServer(self.kept.getsockname(), self.handler())
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        self.config: dict[str, Any] = {
            "managed_by": "Ansible managed",
            "format": 1,
            "slots": ["blue", "green"],
            "user": "tox_com_det",
            "live_link": str(self.root / "live.sock"),
            "slots_dir": str(self.root / "slots"),
            "models_dir": str(self.root / "models"),
            "dumps_dir": str(self.root / "dumps"),
            "incoming_dir": str(self.root / "incoming"),
            "releases_dir": str(self.root / "apps"),
            "state_dir": str(self.root / "state"),
            "app_link": str(self.root / "current-app"),
            "python": str(self.root / "bin" / "python"),
            "wheel_target": "debian12",
            "slotctl": "/usr/bin/python3.11 /opt/tox_com_det/bin/slotctl",  # of version 0.1
            "probe_url": f"http://127.0.0.1:{self.port}",
            "unit": "tox_com_det@{slot}.service",
            "socket": str(self.root / "run" / "{slot}.sock"),
            "env_file": str(self.root / "app.env"),
            "http_port": 80,
            "https_port": None,
            "public_url": None,
            "memory_max": "300M",
            "drain_seconds": 0,
            "watch_seconds": 0.1,
            "keep_releases": 5,
            "keep_free_mb": 0,
            "lock_file": str(self.root / "lock"),
            "deploy_lock_file": str(self.root / "deploy-lock"),
        }
        self.write_config()
        self.app("1.0")

    @property
    def config_path(self) -> Path:
        return self.root / "server.json"

    def write_config(self) -> None:
        self.config_path.write_text(json.dumps(self.config))

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()
        self.kept.close()

    # ---- what is on the disk

    def app(self, version: str, store: bool = True) -> Path:
        """Add an app release and make it the current one; `store` as of version 0.2."""
        path = self.root / "apps" / version
        python = path / "venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(fake_programs.APP_PYTHON)
        python.chmod(0o755)
        package = path / "tox_com_det" / "store" if store else path / "tox_com_det"
        package.mkdir(parents=True)
        for name in ("collections", "restore", "verify"):
            (package / f"{name}.py").touch()
        if store:
            (path / "tox_com_det" / "suggestions").mkdir()
        (path / ".complete").touch()
        self.point_app_link(version)
        return path

    def point_app_link(self, version: str) -> None:
        """Let an app release be the current one."""
        link = self.root / "current-app"
        link.unlink(missing_ok=True)
        link.symlink_to(self.root / "apps" / version)

    def model(
        self,
        version: str,
        complete: bool = True,
        key: str = "golden_outputs",
        golden: dict[str, list[float]] = GOLDEN,
        **behaviour: Any,
    ) -> Model:
        """Add a model release; `key`: what its manifest calls the golden outputs."""
        path = self.root / "models" / version
        path.mkdir()
        head = f"head of {version}".encode()
        (path / "head.onnx").write_bytes(head)
        manifest = {
            "model_version": version,
            "name": "sample",
            "files": {
                "head.onnx": {"sha256": hashlib.sha256(head).hexdigest(), "bytes": len(head)}
            },
            "embedding": {"database": "word_embeddings", "collection": f"words_of_{version}"},
            "labels": LABELS,
            key: {
                "tolerance": 1e-4,
                "cases": [{"text": text, "scores": scores} for text, scores in golden.items()],
            },
        }
        (path / "manifest.json").write_text(json.dumps(manifest))
        if complete:
            (path / ".complete").touch()
        self.models[version] = Model(path, version, golden, **behaviour)
        return self.models[version]

    def make_live(self, version: str) -> None:
        """Let a model be live in slot blue, as a first activation leaves it."""
        model = self.model(version)
        release = {"app": str(self.root / "apps/1.0"), "model": str(model.path)}
        pinned = json.dumps(release, indent=2, sort_keys=True) + "\n"
        (self.root / "slots/blue.json").write_text(pinned)
        unit = {"active": "active", "sub": "running", "pid": "100", "enabled": "enabled"}
        for name, value in {**unit, "pinned": pinned.rstrip()}.items():
            self.set_unit("blue", name, value)
        os.symlink(self.config["socket"].format(slot="blue"), self.config["live_link"])
        confirmed = {"slot": "blue", **release, "at": "2026-01-02T03:04:05Z", "previous": None}
        (self.root / "state/confirmed.json").write_text(json.dumps(confirmed))

    def confirmed(self) -> dict[str, Any] | None:
        """What was recorded as proven."""
        path = self.root / "state" / "confirmed.json"
        return json.loads(path.read_text()) if path.exists() else None

    def answers(self, module: str, script: str) -> None:
        """Let a module of the app be this shell script."""
        (self.root / "answers" / module).write_text(script)

    # ---- systemd's view

    def unit(self, slot: str, name: str) -> str:
        path = self.root / "fake" / "units" / f"tox_com_det@{slot}.service" / name
        return path.read_text().strip() if path.exists() else ""

    def set_unit(self, slot: str, name: str, value: str) -> None:
        path = self.root / "fake" / "units" / f"tox_com_det@{slot}.service"
        path.mkdir(exist_ok=True)
        (path / name).write_text(value + "\n")

    def switch(self, name: str, content: str = "") -> None:
        """Turn a fault of the fake systemctl on: `start-fails`, `fail`, `die`."""
        (self.root / "fake" / name).write_text(content)

    def unswitch(self, name: str) -> None:
        (self.root / "fake" / name).unlink(missing_ok=True)

    def log(self) -> list[str]:
        """The calls of systemctl and systemd-run."""
        path = self.root / "fake" / "log"
        return path.read_text().splitlines() if path.exists() else []

    def running(self) -> list[str]:
        return [slot for slot in self.config["slots"] if self.unit(slot, "active") == "active"]

    def enabled(self) -> list[str]:
        return [slot for slot in self.config["slots"] if self.unit(slot, "enabled") == "enabled"]

    def live(self) -> str | None:
        try:
            return Path(os.readlink(self.config["live_link"])).stem
        except FileNotFoundError:
            return None

    def live_model(self) -> str | None:
        """The model that answers requests through the live link; None when nobody answers."""
        slot = self.live()
        if slot is None or self.unit(slot, "active") != "active":
            return None
        return Path(json.loads(self.unit(slot, "pinned"))["model"]).name

    # ---- nginx and the app

    def answer(self, path: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        """Return status and body of a request to the loopback server."""
        where, _, rest = path.lstrip("/").partition("/")
        slot = self.live() if where == "live" else where
        if slot is None or self.unit(slot, "active") != "active":
            return 502, "<html>Bad Gateway</html>"
        model = self.models[Path(json.loads(self.unit(slot, "pinned"))["model"]).name]
        if where == "live" and model.kills_caller_when_live and self.caller:
            self.caller.kill()
            return 502, ""
        if where == "live" and model.dies_when_live:
            return 502, "<html>Bad Gateway</html>"
        if rest == "readyz":
            return model.ready or (200, {"status": "ready", "model": model.version, "checks": {}})
        if rest == "livez":
            return 200, {"status": "live", "slot": slot}
        if rest == "predict" and body and "text" in body:
            scores = model.answer or dict(
                zip(LABELS, model.scores.get(body["text"], [0.5, 0.5]), strict=True)
            )
            return 200, {"model": model.version, "scores": scores, "words": {}}
        return 404, {"error": {}}

    def handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def reply(self, body: dict[str, Any] | None) -> None:
                status, value = server.answer(self.path, body)
                data = value.encode() if isinstance(value, str) else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self) -> None:
                self.reply(None)

            def do_POST(self) -> None:
                self.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    # ---- the program under test

    @property
    def environment(self) -> dict[str, str]:
        """What toxctl finds in its environment."""
        return {
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            "FAKE": str(self.root / "fake"),
            "SLOTS": str(self.root / "slots"),
            "SUDO_USER": "anna",
            # A proxy must not matter: these are probes of the machine itself.
            "http_proxy": "http://127.0.0.1:9",
        }

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Be on the server: its programs on PATH. The test's signals come back afterwards."""
        handlers = {number: signal.getsignal(number) for number in SIGNALS}
        try:
            with mock.patch.dict(os.environ, self.environment):
                yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def run(self, *arguments: str, stdin: str = "") -> Run:
        """Run toxctl in this process and keep what it prints as text."""
        out, err = io.StringIO(), io.StringIO()
        with (
            self.inside(),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            mock.patch("sys.stdin", io.StringIO(stdin)),
        ):
            try:
                code = toxctl.cli.main(["--config", str(self.config_path), *arguments])
            except SystemExit as error:
                code = int(error.code or 0)
        return Run(code, out.getvalue(), err.getvalue())

    def json(self, *arguments: str, stdin: Any = None) -> Run:
        """Run toxctl in this process and keep its JSON lines."""
        return self.run("--json", *arguments, stdin="" if stdin is None else json.dumps(stdin))

    def activate(
        self, *arguments: str, watch: str = "0.1", deadline: str = "300", json: bool = False
    ) -> Run:
        """Run `toxctl activate` with a short watch."""
        pace = ("--watch", watch, "--deadline", deadline, "--poll", "0.02")
        return self.run(*["--json"] * json, "activate", *pace, *arguments)

    def start(self, *arguments: str, talks: bool = False) -> subprocess.Popen[str]:
        """Start toxctl as a process of its own: to kill it, or to have two at once.

        `talks`: its standard input is a pipe.
        """
        self.caller = subprocess.Popen(  # noqa: S603 (words of the tests, no shell)
            [sys.executable, "-m", "toxctl", "--config", str(self.config_path), *arguments],
            env={**self.environment, "PYTHONPATH": str(PACKAGE_DIR)},
            stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self.caller

    def activate_apart(self, *arguments: str) -> Run:
        """Run `toxctl activate` as a process of its own, which something may kill."""
        pace = ("--watch", "0.1", "--deadline", "300", "--poll", "0.02")
        with self.start("activate", *pace, *arguments) as process:
            out, err = process.communicate(timeout=300)
        return Run(process.returncode, out, err)
