"""The decorators that make fab tasks: their options, their servers, and how they end.

A task ends well, or with one line on stderr that names the next command, and exit code 1.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from fabric import Connection
from invoke.context import Context
from invoke.exceptions import ParseError
from invoke.parser.argument import Argument
from invoke.tasks import Task, task

from controller.deploy.attempt import Interrupted
from controller.deploy.errors import DeployError
from controller.deploy.reach import EACH, Action, Reach, run_on_hosts
from controller.deploy.typed import completed, register, typed

__all__ = ["DRY_RUN", "Action", "Reach", "laptop_task", "server_task"]

DRY_RUN = {"dry_run": "report what would be done, change nothing"}
ALL_OR_NONE = {
    "all_or_none": "of a cluster: if a host fails, return those before it to their previous release"
}
HOSTS = {
    "inventory": "Ansible inventory (default: $ANSIBLE_INVENTORY, else ansible.cfg's)",
    "limit": "only these of its hosts, an Ansible pattern",
}


COMMON = [
    inspect.Parameter(option, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
    for option, default in (("dry_run", False), ("inventory", None), ("limit", None))
]


ROLLING = inspect.Parameter("all_or_none", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=False)
MOST = 1_000_000_000  # of an option that is a number
LONGEST = 1200  # characters of a message
RENTED = ("create-server", "destroy-server")


class Number(Argument):
    """An option that takes a whole number of 1 or more; invoke's own ends with a traceback."""

    def set_value(self, value: Any, cast: bool = True) -> None:
        try:
            good = 0 < int(value) <= MOST
        except (TypeError, ValueError):
            good = False
        if not good:
            option = str(self.name).replace("_", "-")
            raise ParseError(
                f"error: --{option} is {str(value)[:60]!r}, not a whole number of 1 or more"
            )
        super().set_value(value, cast)


class Text(Argument):
    """An option that takes a text, which is not empty.

    An empty one is most often a variable of the shell that is not set; the task would take its
    default then: all hosts, or the checkout's bundle. No option has a meaning for it.
    """

    def set_value(self, value: Any, cast: bool = True) -> None:
        if not str(value).strip():
            option = str(self.name).replace("_", "-")
            raise ParseError(
                f"error: --{option} is empty: give it a value, or leave it out: see "
                "`fab --help TASK`"
            )
        super().set_value(value, cast)


KINDS: dict[type, type[Argument]] = {int: Number, str: Text}


class OptionTask(Task):  # type: ignore[type-arg]  # of any body
    """A task whose numbers and texts are checked when the command line is read."""

    def get_arguments(self, *arguments: Any, **keywords: Any) -> list[Argument]:
        found = super().get_arguments(*arguments, **keywords)
        for argument in found:
            argument.__class__ = KINDS.get(argument.kind, Argument)
        return list(found)


def interrupt(number: int, _frame: FrameType | None) -> None:
    """Make SIGTERM and a terminal that closes end a task as Ctrl-C does."""
    raise KeyboardInterrupt(signal.Signals(number).name)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Treat SIGTERM and SIGHUP as Ctrl-C while a task runs."""
    old = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def shown(message: str) -> str:
    """Return a message as one line: what was typed may contain anything of any length."""
    line = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in message)
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} ... {line[-LONGEST // 2 :]}"


def fail(message: str, details: str = "") -> None:
    """Print the line (and details below it) and end with exit code 1."""
    print(f"error: {shown(completed(message))}", file=sys.stderr)
    if details:
        print(details, file=sys.stderr)
    raise SystemExit(1)


def laptop_task(body: Callable[..., object], name: str | None = None, /, **options: str) -> Any:
    """Return a fab task that calls `body` with its options.

    Args:
        body: its parameters become the task's options, its docstring the help text.
        name: of the task, by default that of the function.
        options: help text per parameter.
    """
    title = name or body.__name__.replace("_", "-")

    @functools.wraps(body)
    def run(context: Context, *arguments: Any, **keywords: Any) -> None:
        if isinstance(context, Connection):
            fail("hosts come from the Ansible inventory: use --inventory or --limit, not -H")
        with typed(title, given(signature, arguments, keywords)):
            end_well(functools.partial(body, *arguments, **keywords), title, signature)

    first = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = inspect.signature(body)
    own = signature.parameters.values()
    register(title, list(signature.parameters))
    run.__signature__ = inspect.Signature([first, *own])  # type: ignore[attr-defined]  # read by invoke
    return task(run, name=title, help=options, auto_shortflags=False, klass=OptionTask)


def given(
    signature: inspect.Signature, arguments: Sequence[Any], keywords: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options whose values are not their defaults."""
    values = signature.bind(*arguments, **keywords).arguments
    return {
        name: value for name, value in values.items() if value != signature.parameters[name].default
    }


def end_well(body: Callable[[], object], title: str, signature: inspect.Signature) -> None:
    """Run a task's body; whatever ends it is one line and exit code 1.

    `signature`: of the task, which tells whether it may have changed a server.
    """
    try:
        with ended_by_signals():
            body()
    except Interrupted as error:
        print(file=sys.stderr)
        fail(str(error))
    except DeployError as error:
        fail(str(error), error.details)
    except BrokenPipeError:  # `fab status | head`: nothing reads the rest
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:  # a full disk, a checkout that cannot be written
        where = f"{error.filename}: " if error.filename else ""
        fail(f"{where}{error.strerror or error}: fix it, then rerun `fab {title}`")
    except KeyboardInterrupt:
        print(file=sys.stderr)
        fail(f"interrupted: {see(title, signature)}rerun `fab {title}`")


def see(title: str, signature: inspect.Signature) -> str:
    """Return where to look after an interruption; "" if the task has changed no server."""
    if title in RENTED:
        return "see `fab servers`, then "
    return "see `fab status`, then " if "limit" in signature.parameters else ""


def server_task(
    name: str | None = None, reach: Reach = EACH, /, **options: str
) -> Callable[[Callable[..., Action]], Any]:
    """Return a decorator that makes a fab task for every server of the inventory.

    The function does what is done once, on the laptop, and returns what is to be done on each
    server. The options --dry-run, --inventory and --limit are added to its own.

    Args:
        name: of the task, by default that of the function.
        reach: which hosts of a cluster it is for.
        options: help text per parameter.
    """

    def decorate(prepare: Callable[..., Action]) -> Any:
        title = name or prepare.__name__.replace("_", "-")

        @functools.wraps(prepare)
        def body(
            dry_run: bool,
            inventory: str | None,
            limit: str | None,
            all_or_none: bool = False,
            **own: Any,
        ) -> None:
            run_on_hosts(prepare(**own), title, reach, inventory, limit, dry_run, all_or_none)

        own = inspect.signature(prepare).parameters.values()
        added = [ROLLING, *COMMON] if reach.undo else COMMON
        body.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]  # read by laptop_task
        words = {**options, **(ALL_OR_NONE if reach.undo else {}), **DRY_RUN, **HOSTS}
        return laptop_task(body, title, **words)

    return decorate
