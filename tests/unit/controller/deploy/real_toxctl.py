"""A remote whose toxctl, session, slots and lock are real, on the fake server of toxctl's tests."""

from __future__ import annotations

import getpass
import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fake_server import FakeServer, Model

from controller.deploy.commands import TOXCTL
from controller.deploy.inventory import Host
from controller.deploy.remote import ConnectionLost, Done

VERIFIED = {"golden_outputs": 14, "worst": 0.0, "collection": "w.c", "count": 7, "peak_bytes": 9}


class ServingBundles(FakeServer):
    """A fake server whose app answers for deployed bundles with their golden outputs."""

    def answer(self, path: str, body: dict[str, Any] | None) -> tuple[int, Any]:
        for directory in (self.root / "models").iterdir():
            if directory.name not in self.models and (directory / ".complete").exists():
                self.models[directory.name] = Model(directory, directory.name.split("-")[0], [])
        status, value = super().answer(path, None if body is None else {})
        if not path.endswith("/predict") or body is None or status == 502:
            return status, value
        slot = self.live() if path.startswith("/live/") else path.split("/")[1]
        pinned = json.loads(self.unit(str(slot), "pinned"))
        manifest = json.loads((Path(pinned["model"]) / "manifest.json").read_text())
        scores = {case["text"]: case["scores"] for case in manifest["golden_outputs"]["cases"]}
        answer = dict(zip(manifest["labels"], scores[body["text"]], strict=True))
        return 200, {"model": manifest["model_version"], "scores": answer}


class RealProcess:
    """A process of this machine, as a command on a server."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def send(self, line: str) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except (BrokenPipeError, ValueError):  # ValueError: closed meanwhile
            raise ConnectionLost("the connection to nanode was lost") from None

    def close_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def __iter__(self) -> Iterator[str]:
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            yield line.rstrip("\n")

    def ended(self) -> bool:
        return self.process.poll() is not None

    def wait(self) -> Done:
        assert self.process.stderr is not None
        out = "".join(f"{line}\n" for line in self)
        return Done(out, self.process.stderr.read(), self.process.wait(300))

    def close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        self.process.wait(300)

    def __enter__(self) -> RealProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RealRemote:
    """Runs toxctl on a fake server; uploads are written to its directories."""

    def __init__(self, fake: FakeServer) -> None:
        self.fake = fake
        self.host = Host("nanode", "127.0.0.1", 22, getpass.getuser())

    def start(self, arguments: Sequence[str]) -> RealProcess:
        assert arguments[0] == TOXCTL
        return RealProcess(self.fake.start(*arguments[1:], talks=True))

    def show(self, arguments: Sequence[str]) -> Done:
        raise AssertionError(arguments)

    def ping(self) -> None:
        pass

    def files(self) -> RealRemote:
        return self

    def open(self, filename: str, mode: str) -> Any:
        return open(filename, mode)
