"""The load as a process beside a test, and what its clients saw."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from load import SLOW_SECONDS

PROGRAM = Path(__file__).with_name("load.py")
LAST_ANSWER_SECONDS = 300.0


@dataclass(frozen=True)
class Seen:
    """The requests of one load, in the order they were sent."""

    requests: list[dict[str, Any]]

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Those without an answer of status 200."""
        return [one for one in self.requests if one["status"] != 200]

    @property
    def wrong(self) -> list[dict[str, Any]]:
        """Those whose scores are not the model's golden outputs."""
        return [one for one in self.requests if one.get("wrong")]

    @property
    def again(self) -> list[dict[str, Any]]:
        """Those whose kept connection the server closed while they were on their way."""
        return [one for one in self.requests if one.get("again")]

    @property
    def longest(self) -> float:
        """The longest wait for an answer, in seconds."""
        return max((one["seconds"] for one in self.requests), default=0.0)

    @property
    def downtime(self) -> float:
        """Seconds from the first failure to the first good answer requested after the last one.

        A request that the network dropped ends at its own timeout, long after others are answered.
        """
        if not self.failed:
            return 0.0
        last = max(one["begin"] for one in self.failed)
        good = [one for one in self.requests if one["status"] == 200 and one["begin"] > last]
        back = min((end_of(one) for one in good), default=float("inf"))
        return back - min(one["begin"] for one in self.failed)

    def answered_by(self, model: str) -> list[dict[str, Any]]:
        """Those that this model answered."""
        return [one for one in self.requests if one["model"] == model]

    def summary(self) -> str:
        """One line for the table."""
        return (
            f"{len(self.requests)} requests, {len(self.failed)} failed, {len(self.wrong)} wrong, "
            f"{len(self.again)} sent again, longest {self.longest:.2f} s"
        )


def end_of(request: dict[str, Any]) -> float:
    """When its answer arrived, seconds since the epoch."""
    # `seconds` is without the time that a slow client took itself.
    slow = SLOW_SECONDS if request["kind"] == "slow" else 0.0
    return request["begin"] + request["seconds"] + slow


class UnderLoad:
    """A load that runs from `start` to `stop`."""

    def __init__(self, url: str, known: Path, out: Path, rate: float) -> None:
        self.out = out
        self.command = [sys.executable, str(PROGRAM), "--url", url, "--known", str(known)]
        self.command += ["--out", str(out), "--rate", str(rate)]
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.out.unlink(missing_ok=True)
        with self.out.with_suffix(".log").open("w") as log:
            self.process = subprocess.Popen(  # noqa: S603 (the program beside this file)
                self.command, stdout=log, stderr=subprocess.STDOUT, text=True
            )

    def so_far(self) -> Seen:
        """The requests that have ended so far."""
        if not self.out.exists():
            return Seen([])
        lines = self.out.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = [json.loads(line) for line in lines if line.endswith("\n")]
        return Seen(sorted(whole, key=lambda one: one["begin"]))

    def stop(self) -> Seen:
        """End it and return all that its clients saw."""
        assert self.process is not None
        assert self.process.poll() is None, self.out.with_suffix(".log").read_text()
        self.process.terminate()
        assert self.process.wait(LAST_ANSWER_SECONDS) == 0, self.out.with_suffix(".log").read_text()
        return self.so_far()

    def kill(self) -> None:
        """End it in any state."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
