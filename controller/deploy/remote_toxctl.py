"""The client of `toxctl` on a server: sends a verb, reads JSON lines.

`{"say": text}` and `{"progress": ...}` are shown as they come, `{"phase": name}` and
`{"row": [cells]}` go to the caller, the last line is `{"result": ...}` or `{"error": one line,
"kind": word, "details": ...}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from controller.deploy import commands
from controller.deploy.errors import DeployError
from controller.deploy.remote import Done, Process, Remote
from controller.deploy.server_settings import PLAYBOOK

__all__ = ["ToxctlCall", "ToxctlError", "no_answer", "parse_line"]

Say = Callable[[str], None]
OnPhase = Callable[[str], None]
OnRow = Callable[[list[str]], None]
USAGE = 2  # exit code for a verb or an option that this version does not have
NOT_FOUND = 127  # a shell's exit code for a program that does not exist


class ToxctlError(DeployError):
    """A refusal of toxctl: its `kind`, and its whole `answer`."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        super().__init__(str(answer["error"]), details_text(answer.get("details")))
        self.kind = str(answer.get("kind") or "other")
        self.answer = answer


def details_text(details: Any) -> str:
    """Return the details of an answer as text to print below the line."""
    if not details:
        return ""
    return details if isinstance(details, str) else json.dumps(details, indent=1, sort_keys=True)


def parse_line(line: str) -> dict[str, Any]:
    """Return a line's JSON object, {} if it has none.

    The login shell may print text of its own before it, without an end of the line (`~/.bashrc`).
    """
    start = line.find("{")
    try:
        value = json.loads(line[start:]) if start >= 0 else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


class ToxctlCall:
    """A running toxctl. Several can run at once; each is asked for its result in turn."""

    def __init__(self, remote: Remote, say: Say, *arguments: str, stdin: Any = None) -> None:
        """Start the verb; `stdin` is sent to it as one JSON value."""
        self.server = remote.host.name
        self.say = say
        self.process: Process = remote.start(commands.toxctl(*arguments))
        if stdin is not None:
            self.process.send(json.dumps(stdin))
            self.process.close_input()

    def result(
        self, on_phase: OnPhase | None = None, on_row: OnRow | None = None
    ) -> dict[str, Any]:
        """Follow it to its end and return its result.

        Args:
            on_phase: gets the name of each phase of an activation.
            on_row: gets the cells of each row of a table.

        Raises:
            ToxctlError: toxctl refused.
            DeployError: toxctl is missing, too old, or was killed.
            ConnectionLost: the connection was lost.
        """
        other: list[str] = []
        last: dict[str, Any] = {}
        with self.process:
            for line in self.process:
                value = parse_line(line)
                if "say" in value:
                    self.say(str(value["say"]))
                elif "progress" in value:
                    self.say(progress_text(value["progress"]))
                elif "row" in value:
                    if on_row:
                        on_row([str(cell) for cell in value["row"]])
                elif "phase" in value:
                    if on_phase:
                        on_phase(str(value["phase"]))
                elif "result" in value or "error" in value:
                    last = value
                else:
                    other.append(line)
            done = self.process.wait()
        if "error" in last:
            raise ToxctlError(last)
        if isinstance(last.get("result"), dict) and done.code == 0:
            return dict(last["result"])
        output = "\n".join([*other, done.stderr.strip()]).strip()
        raise no_answer(self.server, Done(output, done.stderr, done.code))


def progress_text(progress: Mapping[str, Any]) -> str:
    """Return a progress report as text."""
    done, total = int(progress["done"]), int(progress["total"])
    return f"{progress['what']:<10} {100 * done // max(total, 1):>3} %  {done} of {total}"


def no_answer(server: str, done: Done) -> DeployError:
    """Return the line for a toxctl that ended without an answer: missing, too old, or killed."""
    last = (done.stdout.splitlines() or ["no output"])[-1]
    # In the language of the server, which sudo speaks.
    no_program = re.search(rf"^sudo: .*{re.escape(commands.TOXCTL)}", done.stderr, re.MULTILINE)
    if done.code == NOT_FOUND or no_program:
        return DeployError(
            f"{server} has no working {commands.TOXCTL} ({last}): {PLAYBOOK} to set the server up",
            done.stdout,
        )
    if done.code == USAGE:
        return DeployError(
            f"toxctl on {server} is too old for this checkout ({last}): {PLAYBOOK} to upgrade it",
            done.stdout,
        )
    return DeployError(
        f"toxctl on {server} ended with exit code {done.code} and without an answer ({last}): "
        f"rerun the command; if it fails again, {PLAYBOOK}",
        done.stdout,
    )
