"""A server that is a directory of this machine, with the toxctl of this checkout.

What a test does not answer itself is answered by the real toxctl: it places and discards real
files below the directory.
"""

from __future__ import annotations

import getpass
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import toxctl_answers as good

from controller.deploy.commands import TOXCTL
from controller.deploy.inventory import Host
from controller.deploy.remote import ConnectionLost, Done

LOST = "the connection to nanode was lost"
GONE = Done("", "", -1)  # the connection is lost during the command
Answer = Done | Callable[[], Done]


def lines(*values: object, code: int = 0, stderr: str = "") -> Done:
    """What toxctl prints: each value as a line of JSON."""
    return Done("".join(f"{json.dumps(value)}\n" for value in values), stderr, code)


def result(value: object) -> Done:
    """What toxctl prints when a verb succeeds."""
    return lines({"result": value})


def went_well(remote: LocalRemote, model: str, app: str = good.APP) -> None:
    """Let every verb that is not about files answer as in a deploy that goes well."""
    remote.answers |= {
        "verify": result(good.VERIFIED),
        "activate": lines(*good.activated(model, app)),
        "prune": result(good.NOTHING_PRUNED),
    }


def error(message: str, kind: str = "other", **more: Any) -> Done:
    """What toxctl prints when a verb fails."""
    return lines({"error": message, "kind": kind, "details": "", **more}, code=1)


class CutFile:
    """A file on the server whose connection is lost after some bytes."""

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


class LocalProcess:
    """A running command: its answer comes line by line once it is read."""

    def __init__(self, answer: Callable[[str], Done]) -> None:
        self.answer = answer
        self.stdin = ""
        self.done: Done | None = None
        self.left: list[str] = []
        self.closed = False

    def result(self) -> Done:
        if self.done is None:
            self.done = self.answer(self.stdin)
            self.left = self.done.stdout.splitlines()
        return self.done

    def send(self, line: str) -> None:
        self.stdin += f"{line}\n"

    def close_input(self) -> None:
        pass

    def __iter__(self) -> Iterator[str]:
        code = self.result().code
        while self.left:
            yield self.left.pop(0)
        if code < 0:
            raise ConnectionLost(LOST)

    def ended(self) -> bool:
        return self.done is not None

    def wait(self) -> Done:
        rest = "".join(f"{line}\n" for line in self)
        return Done(rest, self.result().stderr, self.result().code)

    def close(self) -> None:
        self.closed = True

    def __enter__(self) -> LocalProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LocalSession(LocalProcess):
    """`toxctl session`: `heard` has every line it was sent; `holder` is who else has the lock.

    `taken`: somebody ran `fab unlock`.
    """

    def __init__(self, holder: dict[str, Any] | None = None) -> None:
        super().__init__(lambda _: Done("", "", 0))
        self.holder = holder
        self.heard: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.over = self.taken = False

    def send(self, line: str) -> None:
        value = json.loads(line)
        if not self.heard and self.holder:
            self.answers.append({"error": "locked", "kind": "locked", "holder": self.holder})
            self.over = True
        elif not self.heard:
            self.answers.append({"result": {"id": value["id"]}})
        elif "end" in value:
            self.answers.append({"result": {}})
            self.over = True
        self.heard.append(value)

    def __iter__(self) -> Iterator[str]:
        while self.answers:
            yield json.dumps(self.answers.pop(0))

    def ended(self) -> bool:
        return self.over or self.taken

    @property
    def phases(self) -> list[str]:
        return [line["phase"] for line in self.heard if "phase" in line]

    @property
    def id_(self) -> str:
        return str(self.heard[0]["id"])

    @property
    def end(self) -> dict[str, Any] | None:
        return next((line["end"] for line in self.heard if "end" in line), None)

    @property
    def notes(self) -> dict[str, Any]:
        return {key: value for line in self.heard for key, value in line.get("note", {}).items()}


class LocalRemote:
    """Runs toxctl below a root directory.

    Attributes:
        calls: every call of toxctl, its verb first.
        answers: a word of a call -> what it prints and returns; what was set last counts.
        sent: bytes that were uploaded.
        cut_after: the connection is lost after so many bytes of a write.
        damage: what becomes of the data on its way.
        free_bytes: what the server reports as free; None for the real number.
        holder: who else holds the deploy lock.
        lost: the server does not answer any more.
    """

    def __init__(self, root: Path) -> None:
        self.host = Host("nanode", "127.0.0.1", 22, getpass.getuser())
        self.root = root
        self.calls: list[list[str]] = []
        self.answers: dict[str, Answer] = {}
        self.sent = 0
        self.cut_after: int | None = None
        self.damage: Callable[[bytes], bytes] = lambda data: data
        self.free_bytes: int | None = 10**10
        self.sessions: list[LocalSession] = []
        self.shown: list[list[str]] = []
        self.holder: dict[str, Any] | None = None
        self.lost = False
        for name in ("bin", "models", "dumps", "incoming", "releases", "state", "slots"):
            (root / name).mkdir(parents=True)
        systemctl = root / "bin" / "systemctl"
        systemctl.write_text("#!/bin/sh\n")
        systemctl.chmod(0o755)
        self.server_json = {
            "format": 1,
            "user": "tox_com_det",
            "python": sys.executable,
            "unit": "tox_com_det@{slot}.service",
            "slots": ["blue", "green"],
            "socket": str(root / "{slot}.sock"),
            "probe_url": "http://127.0.0.1:9",
            "http_port": 80,
            "https_port": None,
            "public_url": None,
            "wheel_target": "debian12",
            "memory_max": "300M",
            "keep_releases": 5,
            "keep_free_mb": 2048,
            "drain_seconds": 0,
            "watch_seconds": 0,
            "app_link": str(root / "current-app"),
            "live_link": str(root / "live.sock"),
            "env_file": str(root / "app.env"),
            "lock_file": str(root / "lock"),
            "deploy_lock_file": str(root / "deploy-lock"),
            **{
                f"{name}_dir": str(root / name)
                for name in ("models", "dumps", "incoming", "releases", "state", "slots")
            },
        }
        self.answers["status"] = lambda: result(self.status())

    def status(self, **changes: Any) -> dict[str, Any]:
        """What `toxctl status` reports."""
        return good.status(config=self.server_json, **changes)

    def confirm(self, confirmed: dict[str, Any] | None) -> None:
        """Let the server have this release live and confirmed."""
        path = self.root / "state" / "confirmed.json"
        if confirmed is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(json.dumps(confirmed))
        self.answers["status"] = lambda: result(self.status(confirmed=confirmed))

    def start(self, arguments: Sequence[str]) -> LocalProcess:
        assert list(arguments[:2]) == [TOXCTL, "--json"], arguments
        words = list(arguments[2:])
        self.calls.append(words)
        if words == ["session"]:
            self.sessions.append(LocalSession(self.holder))
            return self.sessions[-1]
        prepared = self.prepared(words)
        if prepared is not None:
            return LocalProcess(lambda _: prepared() if callable(prepared) else prepared)
        return LocalProcess(lambda stdin: self.toxctl(words, stdin))

    def prepared(self, words: Sequence[str]) -> Answer | None:
        """Return the test's answer to these words."""
        return next(
            (answer for word, answer in reversed(self.answers.items()) if word in words), None
        )

    def toxctl(self, words: Sequence[str], stdin: str) -> Done:
        """Run the real toxctl, on a server where no slot runs."""
        config = self.root / "server.json"
        config.write_text(json.dumps(self.server_json))
        done = subprocess.run(  # noqa: S603 (words of the tests, no shell)
            [sys.executable, "-m", "toxctl", "--config", str(config), "--json", *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}"},
        )
        last = json.loads(done.stdout.splitlines()[-1])
        if self.free_bytes is not None and "free_bytes" in last.get("result", {}):
            last["result"]["free_bytes"] = self.free_bytes
        return lines(last, code=done.returncode, stderr=done.stderr)

    def show(self, arguments: Sequence[str]) -> Done:
        self.shown.append(list(arguments))
        answer = self.prepared(arguments)
        assert answer is not None, arguments
        return answer() if callable(answer) else answer

    def ping(self) -> None:
        if self.lost:
            raise ConnectionLost(LOST)

    @property
    def session(self) -> LocalSession:
        return self.sessions[-1]

    @property
    def parts(self) -> Path:
        """The directory that uploads go to."""
        return self.root / "incoming" / self.host.user

    def files(self) -> LocalRemote:
        return self

    def open(self, filename: str, mode: str) -> CutFile:
        return CutFile(open(filename, mode), self)

    def called(self, verb: str) -> list[list[str]]:
        """The calls of a verb."""
        return [call for call in self.calls if call[0] == verb]
