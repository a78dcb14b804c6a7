"""A server's slots without a server: systemctl, journalctl and nginx as slotctl sees them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[4]
SLOTCTL = ROOT / "roles" / "flask_app" / "files" / "slotctl"
RELEASECTL = SLOTCTL.with_name("releasectl")
LABELS = ["toxic", "obscene"]

SYSTEMCTL = """#!/bin/sh
# State of a unit: one file per property. `$FAKE/die` holds words at which the caller is killed.
echo "$*" >> "$FAKE/log"
for last; do :; done
case "$1" in show) last=$2 ;; esac
unit=$FAKE/units/$last
mkdir -p "$unit"
put() { echo "$2" > "$unit/$1.new" && mv "$unit/$1.new" "$unit/$1"; }
get() { cat "$unit/$1" 2>/dev/null || echo "$2"; }
slot=${last#*@}; slot=${slot%.service}
case "$1" in
  --version) echo "systemd $(cat "$FAKE/version" 2>/dev/null || echo 252) (252.1)" ;;
  show)
    echo "ActiveState=$(get active inactive)"; echo "SubState=$(get sub dead)"
    echo "MainPID=$(get pid 0)"; echo "MemoryCurrent=18446744073709551615" ;;
  is-enabled) get enabled disabled ;;
  enable) put enabled enabled ;;
  disable) put enabled disabled ;;
  stop) put active inactive; put sub dead; put pid 0 ;;
  start)
    if [ -e "$FAKE/start-fails" ]; then put active activating; put sub auto-restart; exit 0; fi
    cp "$SLOTS/$slot.json" "$unit/pinned"
    put pid $(( $(get pid 0) + 100 )); put sub running; put active active ;;
esac
if [ -e "$FAKE/fail" ]; then
  case "$*" in $(cat "$FAKE/fail")*) echo "no luck" >&2; exit 1 ;; esac
fi
if [ -e "$FAKE/die" ]; then
  case "$*" in $(cat "$FAKE/die")*) rm "$FAKE/die"; kill -KILL $PPID ;; esac
fi
exit 0
"""
# The scope's command without the scope: its options are in the log.
SYSTEMD_RUN = """#!/bin/sh
echo "systemd-run $*" >> "$FAKE_LOG"
while :; do case "$1" in -p) shift 2 ;; -*) shift ;; *) break ;; esac; done
exec "$@"
"""
RUNUSER = """#!/bin/sh
shift 3
exec "$@"
"""
# An app's interpreter: what a module prints and returns is in a file of its name.
PYTHON = """#!/bin/sh
here=${0%/*}; answers=$here/../../../../answers
[ "$1" = -c ] && exec sh "$answers/import" "$PYTHONPATH"
[ "$2" = compileall ] && exit 0
[ "$2" = pip ] && exec sh "$answers/pip" "$@"
exec sh "$answers/${2##*.}" "$@"
"""
# The server's Python: makes an environment that has the interpreter above.
MAKER = """#!/bin/sh
mkdir -p "$4/bin"
cp "${0%/*}/app-python" "$4/bin/python"
"""
JOURNALCTL = """#!/bin/sh
echo "journal of $2: the last words"
"""


@dataclass
class Model:
    """A model release on the fake server and how the app behaves with it."""

    path: Path
    version: str
    scores: list[float]
    answer: dict[str, float] | None = None  # when other than the known ones
    ready: tuple[int, Any] | None = None  # when other than ready
    dies_when_live: bool = False
    kills_caller_when_live: bool = False


@dataclass
class FakeServer:
    """Files below `root`, the two programs on PATH, and the loopback server of nginx."""

    root: Path
    models: dict[str, Model] = field(default_factory=dict)
    port: int = 0
    caller: subprocess.Popen | None = None

    def __post_init__(self) -> None:
        for name in (
            "slots",
            "models",
            "apps",
            "fake/units",
            "bin",
            "run",
            "state",
            "dumps",
            "incoming",
            "answers",
        ):
            (self.root / name).mkdir(parents=True)
        log = str(self.root / "fake" / "log")
        for name, text in (
            ("systemctl", SYSTEMCTL),
            ("journalctl", JOURNALCTL),
            ("systemd-run", SYSTEMD_RUN.replace("$FAKE_LOG", log)),
            ("runuser", RUNUSER),
            ("app-python", PYTHON),
            ("python", MAKER),
        ):
            (self.root / "bin" / name).write_text(text)
            (self.root / "bin" / name).chmod(0o755)
        for name in ("import", "pip"):
            (self.root / "answers" / name).touch()
        (self.root / "app.env").write_text("# one\nTOX_COM_DET_MONGODB_URI=mongodb://a/?b=1&c=2\n")
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        self.config = {
            "format": 1,
            "slots": ["blue", "green"],
            "user": "tox_com_det",
            "live_link": str(self.root / "live.sock"),
            "slots_dir": str(self.root / "slots"),
            "models_dir": str(self.root / "models"),
            "app_link": str(self.root / "current-app"),
            "probe_url": f"http://127.0.0.1:{self.port}",
            "unit": "tox_com_det@{slot}.service",
            "socket": str(self.root / "run" / "{slot}.sock"),
            "drain_seconds": 0,
            "watch_seconds": 0.1,
            "state_dir": str(self.root / "state"),
            "lock_file": str(self.root / "lock"),
            "deploy_lock_file": str(self.root / "deploy-lock"),
            "python": str(self.root / "bin" / "python"),
            "wheel_target": "debian12",
            "dumps_dir": str(self.root / "dumps"),
            "incoming_dir": str(self.root / "incoming"),
            "releases_dir": str(self.root / "apps"),
            "env_file": str(self.root / "app.env"),
            "slotctl": f"{sys.executable} {SLOTCTL} --config {self.root / 'server.json'}",
            "memory_max": "300M",
            "keep_releases": 5,
            "keep_free_mb": 0,
        }
        self.write_config()
        self.app("1.0")

    def write_config(self) -> None:
        (self.root / "server.json").write_text(json.dumps(self.config))

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    # ---- what is on the disk

    def app(self, version: str) -> Path:
        """Add an app release and make it the current one."""
        path = self.root / "apps" / version
        (path / "venv" / "bin").mkdir(parents=True)
        (path / "venv" / "bin" / "python").write_text(PYTHON)
        (path / "tox_com_det" / "store").mkdir(parents=True)
        for name in ("collections", "restore", "verify"):
            (path / "tox_com_det" / "store" / f"{name}.py").touch()
        (path / "venv" / "bin" / "python").chmod(0o755)
        (path / ".complete").touch()
        link = self.root / "current-app"
        link.unlink(missing_ok=True)
        link.symlink_to(path)
        return path

    def model(self, version: str, complete: bool = True, **behaviour: Any) -> Model:
        """Add a model release."""
        path = self.root / "models" / version
        path.mkdir()
        scores = [0.9, 0.25]
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
            "known_answers": {
                "tolerance": 1e-4,
                "cases": [{"text": text, "scores": scores} for text in ("idiot", "thanks")],
            },
        }
        (path / "manifest.json").write_text(json.dumps(manifest))
        if complete:
            (path / ".complete").touch()
        self.models[version] = Model(path, version, scores, **behaviour)
        return self.models[version]

    def confirmed(self) -> dict | None:
        """What slotctl wrote down as proven."""
        path = self.root / "state" / "confirmed.json"
        return json.loads(path.read_text()) if path.exists() else None

    # ---- systemd's view

    def unit(self, slot: str, name: str) -> str:
        path = self.root / "fake" / "units" / f"tox_com_det@{slot}.service" / name
        return path.read_text().strip() if path.exists() else ""

    def set_unit(self, slot: str, name: str, value: str) -> None:
        path = self.root / "fake" / "units" / f"tox_com_det@{slot}.service"
        path.mkdir(exist_ok=True)
        (path / name).write_text(value + "\n")

    def switch(self, name: str, content: str = "") -> None:
        (self.root / "fake" / name).write_text(content)

    def unswitch(self, name: str) -> None:
        (self.root / "fake" / name).unlink(missing_ok=True)

    def log(self) -> list[str]:
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

    def answer(self, path: str, body: dict | None) -> tuple[int, Any]:
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
            scores = model.answer or dict(zip(LABELS, model.scores, strict=True))
            return 200, {"model": model.version, "scores": scores, "words": {}}
        return 404, {"error": {}}

    def handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def reply(self, body: dict | None) -> None:
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

    def start(self, *arguments: str, program: Path = SLOTCTL) -> subprocess.Popen:
        environment = {
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            "FAKE": str(self.root / "fake"),
            "SLOTS": str(self.root / "slots"),
            "SUDO_USER": "anna",
            # A proxy must be of no interest: these are probes of the machine itself.
            "http_proxy": "http://127.0.0.1:9",
        }
        command = [sys.executable, str(program), "--config", str(self.root / "server.json")]
        self.caller = subprocess.Popen(  # noqa: S603 (words of the tests, no shell)
            [*command, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL if program == SLOTCTL else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self.caller

    def slotctl(self, *arguments: str) -> subprocess.CompletedProcess:
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=30)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def activate(self, *arguments: str, watch: str = "0.1", deadline: str = "2"):
        pace = ("--watch", watch, "--deadline", deadline, "--poll", "0.05")
        return self.slotctl("activate", *pace, *arguments)

    def releasectl(self, *arguments: str) -> tuple[int, dict]:
        """Run releasectl; its exit code and the last object it printed."""
        with self.start(*arguments, program=RELEASECTL) as process:
            out, err = process.communicate(timeout=60)
        assert not err, err
        return process.returncode, json.loads(out.splitlines()[-1])

    def answers(self, module: str, script: str) -> None:
        """Let a module of the app be this shell script."""
        (self.root / "answers" / module).write_text(script)
