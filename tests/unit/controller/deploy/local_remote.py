"""A server that is a directory of this machine, for the tasks' steps and the upload."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from controller.deploy.connection import ConnectionLost, Done
from controller.deploy.inventory import Host
from controller.deploy.server import ServerConfig


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


def lines(*values: object, code: int = 0, stderr: str = "") -> Done:
    """What a tool prints: each value as a line of JSON."""
    return Done("".join(f"{json.dumps(value)}\n" for value in values), stderr, code)


GONE = Done("", "", -1)  # the connection goes away under the command


class LocalProcess:
    """A command that is under way: its answer comes line by line once somebody asks for it."""

    def __init__(self, answer: Callable[[], Done]) -> None:
        self.answer = answer
        self.done: Done | None = None
        self.left: list[str] = []
        self.closed = False

    def result(self) -> Done:
        if self.done is None:
            self.done = self.answer()
            self.left = self.done.stdout.splitlines()
        return self.done

    def send(self, line: str) -> None:
        pass

    def close_input(self) -> None:
        pass

    def __iter__(self) -> Iterator[str]:
        code = self.result().code
        while self.left:
            yield self.left.pop(0)
        if code < 0:
            raise ConnectionLost("the connection to nanode broke off")

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
    """`releasectl session`: `heard` has every line it was sent; `holder` is who else has the lock.

    `taken` is somebody's `fab unlock`.
    """

    def __init__(self, holder: dict | None = None) -> None:
        super().__init__(lambda: Done("", "", 0))
        self.holder = holder
        self.heard: list[dict] = []
        self.answers: list[dict] = []
        self.over = self.taken = False

    def send(self, line: str) -> None:
        value = json.loads(line)
        if not self.heard and self.holder:
            error = {"error": "locked", "kind": "locked", "holder": self.holder}
            self.answers.append(error)
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
        return self.heard[0]["id"]

    @property
    def end(self) -> dict | None:
        return next((line["end"] for line in self.heard if "end" in line), None)

    @property
    def notes(self) -> dict:
        return {key: value for line in self.heard for key, value in line.get("note", {}).items()}


class LocalRemote:
    """Runs commands below a root directory; `root` commands without sudo, so no chown.

    `calls` has every command; `answers` maps a word of a command to what it prints and returns.
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
        self.sessions: list[LocalSession] = []
        self.holder: dict | None = None
        self.lost = False
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
        answer = self.prepared(arguments)
        if answer is not None:
            return answer()
        words = list(arguments)
        if words[:2] == ["install", "-d"]:
            words = ["mkdir", "-p", words[-1]]
        # Only root may give files away.
        words = [word.replace('chown root:root -- "$new"; ', "") for word in words]
        return self.execute(words)

    def prepared(self, arguments: Sequence[str]) -> Callable[[], Done] | None:
        """Return what gives the test's answer to these words; what was set last counts."""
        for word, answer in reversed(self.answers.items()):
            if word in arguments:
                return answer if callable(answer) else lambda done=answer: done
        return None

    def start(self, arguments: Sequence[str], user: str = "root") -> LocalProcess:
        self.calls.append([user, *arguments])
        if list(arguments)[-1] == "session":
            self.sessions.append(LocalSession(self.holder))
            return self.sessions[-1]
        answer = self.prepared(arguments)
        return LocalProcess(answer or (lambda: self.execute(list(arguments))))

    def ping(self) -> None:
        if self.lost:
            raise ConnectionLost("the connection to nanode broke off")

    @property
    def session(self) -> LocalSession:
        return self.sessions[-1]

    def execute(self, words: list[str]) -> Done:
        done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 (words of the tests, no shell)
        return Done(done.stdout, done.stderr, done.returncode)

    def files(self) -> LocalRemote:
        return self

    def open(self, filename: str, mode: str) -> CutFile:
        return CutFile(open(filename, mode), self)

    def called(self, word: str) -> list[list[str]]:
        return [call for call in self.calls if any(word in argument for argument in call)]
