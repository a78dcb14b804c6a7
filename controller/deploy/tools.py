"""Calls of the server's own tools, slotctl and releasectl, which answer in lines of JSON.

`{"say": text}` is shown as it comes, `{"phase": name}` goes to whoever asked for it, the last line
is `{"result": ...}` or `{"error": one line, "kind": word, "details": ...}`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from controller.deploy import commands
from controller.deploy.connection import Process
from controller.deploy.errors import DeployError
from controller.deploy.server import AGAIN
from controller.deploy.servers import Server

__all__ = ["Call", "ToolError", "parse_line", "releasectl", "slotctl"]

OnPhase = Callable[[str], None]


class ToolError(DeployError):
    """A tool's own refusal: its `kind` of failure, and its whole `answer`."""

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(str(answer["error"]), details_text(answer.get("details")))
        self.kind = str(answer.get("kind") or "other")
        self.answer = answer


def details_text(details: Any) -> str:
    """Return a tool's details as they are shown below the line."""
    if not details:
        return ""
    return details if isinstance(details, str) else json.dumps(details, indent=1, sort_keys=True)


def parse_line(line: str) -> dict[str, Any]:
    """Return a line's object, {} for what is no line of a tool."""
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


class Call:
    """A tool at work. Several can be under way at once; each is asked for its result in turn."""

    def __init__(self, server: Server, words: Sequence[str]) -> None:
        self.server = server
        self.words = words
        self.process: Process = server.remote.start(words)

    def answer(self, on_phase: OnPhase | None = None) -> dict[str, Any]:
        """Follow it to its end and return its result; ToolError with its own refusal."""
        said: list[str] = []
        last: dict[str, Any] = {}
        with self.process:
            for line in self.process:
                value = parse_line(line)
                if "say" in value:
                    self.server.say(str(value["say"]))
                elif "phase" in value:
                    if on_phase:
                        on_phase(str(value["phase"]))
                elif "result" in value or "error" in value:
                    last = value
                else:
                    said.append(line)
            done = self.process.wait()
        if "error" in last:
            raise ToolError(last)
        if "result" in last and done.code == 0:
            return dict(last["result"])
        raise self.nonsense(done.code, "\n".join([*said, done.stderr.strip()]).strip())

    def nonsense(self, code: int, said: str) -> DeployError:
        """Return the line for a tool that ended without an answer: another version, or killed."""
        name = next(
            (word.rsplit("/", 1)[-1] for word in self.words if word.endswith("ctl")), "a tool"
        )
        words = (said.splitlines() or ["it said nothing"])[-1]
        return DeployError(
            f"{name} on {self.server.name} ended with code {code} and no answer ({words}): "
            f"bring the server up to date with `{AGAIN}`, then type the same again",
            said,
        )


def releasectl(server: Server, *arguments: str) -> Call:
    """Start releasectl on the server."""
    return Call(server, commands.releasectl(server.config, *arguments))


def slotctl(server: Server, *arguments: str) -> Call:
    """Start slotctl on the server; of its commands only activate answers in lines of JSON."""
    return Call(server, commands.slotctl(server.config, *arguments))
