"""The program `fab`: Fabric's own, whose errors are one line that names the next command."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fabric import Config, Executor
from fabric import __version__ as version
from fabric.main import Fab
from invoke.exceptions import Exit, ParseError
from invoke.parser.argument import Argument

__all__ = ["Program", "main"]

PLACE = Path("controller/deploy/program.py")
ELSEWHERE = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from controller.deploy.program import main; main()"
)
FORMATS = ("flat", "nested", "json")
MOST = 86_400  # of seconds, and of levels of a list
SHOWN = 60
LONGEST = 300


class Whole(Argument):
    """A core option that takes a whole number; invoke's own ends with a traceback."""

    def set_value(self, value: Any, cast: bool = True) -> None:
        if not re.fullmatch("[0-9]{1,5}", str(value)) or int(value) > MOST:
            option = max(self.names, key=len)
            raise ParseError(f"--{option} is {shown(value)}, not a whole number up to {MOST}")
        super().set_value(value, cast)


class Program(Fab):  # type: ignore[misc]  # Fabric has no type information
    """Fabric's command line without its tracebacks."""

    def core_args(self) -> list[Argument]:
        """Return Fabric's own options."""
        found = super().core_args()
        for argument in found:
            if argument.kind is int:
                argument.__class__ = Whole
        return list(found)

    def create_config(self) -> None:
        """Read Fabric's configuration files."""
        with explained():
            super().create_config()

    def parse_core(self, argv: Sequence[str] | None) -> None:
        """Parse Fabric's own options."""
        with explained():
            super().parse_core(argv)
            self.refuse_what_tasks_ignore()

    def refuse_what_tasks_ignore(self) -> None:
        """Raise ParseError for core options that would not do what they say."""
        if self.args.dry.value:
            raise ParseError("--dry would not keep a task from changes: give it --dry-run")
        if self.args.hosts.value is not None:  # also an empty one, which is no host
            raise ParseError(
                "hosts come from the Ansible inventory: use --inventory or --limit, not -H"
            )

    def load_collection(self) -> None:
        """Load fabfile.py; its own errors end with their traceback."""
        try:
            super().load_collection()
        except Exit as error:
            raise Exit(
                "error: there is no such fabfile here: run fab in the checkout, whose fabfile.py "
                "has the tasks",
                error.code or 1,
            ) from None

    def parse_tasks(self) -> None:
        """Parse the tasks with their options."""
        with explained(list(self.collection.task_names)):
            super().parse_tasks()
            self.refuse_what_tasks_ignore()

    def parse_cleanup(self) -> None:
        """Print help or the list of tasks."""
        with explained(list(self.collection.task_names)):
            chosen = self.args["list-format"].value
            if chosen not in FORMATS:
                raise ParseError(f"--list-format is {shown(chosen)}, not {' or '.join(FORMATS)}")
            super().parse_cleanup()

    def execute(self) -> None:
        """Run the tasks; words after -- are commands for the hosts of -H, which none takes."""
        if self.core.remainder:
            raise ParseError("error: there is nothing to do with words after --: see `fab --list`")
        super().execute()

    def update_config(self) -> None:
        """Read the files that Fabric's own options name."""
        with explained():
            super().update_config()


@contextmanager
def explained(tasks: Sequence[str] = ()) -> Iterator[None]:
    """Make what is wrong with a command line, or with a file that it names, one line."""
    try:
        yield
    except ParseError as error:
        raise ParseError(f"error: {words(str(error), tasks)}", error.context) from None
    except Exit as error:
        if error.message and not error.message.startswith("error: "):
            raise Exit(f"error: {line_of(error.message)}: see `fab --help`", 1) from None
        raise
    except OSError as error:
        where = f"{shown(error.filename)}: " if error.filename else ""
        raise Exit(f"error: {where}{error.strerror or error}: see `fab --help`", 1) from None
    except Exception as error:  # of the parsers of ssh's and Fabric's configuration files
        line = shown(" ".join(str(error).split()))
        raise Exit(
            f"error: a configuration file of Fabric or ssh cannot be read ({type(error).__name__}: "
            f"{line}): correct it",
            1,
        ) from None


def words(message: str, tasks: Sequence[str]) -> str:
    """Return invoke's message in words that name the next command."""
    message = message.removeprefix("error: ")
    if found := re.fullmatch(r"No idea what (.*) is!", message, re.DOTALL):
        token = found[1][1:-1]
        if token.startswith("-"):
            return f"there is no option {shown(token)}: see `fab --help` and `fab --help TASK`"
        near = difflib.get_close_matches(token, tasks, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        return f"there is no task {shown(token)}{hint}: see `fab --list`"
    if found := re.match(r"Flag <\w+: ([\w-]+)(?: \(([\w-]+)\))?.*> (needed|doesn't)", message):
        option = (found[2] or found[1]).replace("_", "-")
        has = "has no value" if found[3] == "needed" else "takes no value"
        return f"--{option} {has}: see `fab --help TASK`"
    if found := re.match(
        r"'([\w-]+)' did not receive required positional arguments: (.*)", message
    ):
        return f"{found[1]} needs {line_of(found[2])}: see `fab --help {found[1]}`"
    return line_of(message)


def line_of(message: str) -> str:
    """Return a message in one line that is not too long."""
    line = "".join(one if one.isprintable() else " " for one in message).rstrip("!. ")
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def shown(value: object) -> str:
    """Return a value in quotes, in one line that is not too long."""
    text = ascii(value) if not str(value).isprintable() else repr(str(value))
    return text if len(text) <= SHOWN else text[: SHOWN - 4] + "...'"


def checkout_of(directory: Path) -> Path | None:
    """Return the checkout that a directory is in, as Fabric finds its fabfile."""
    for one in (directory, *directory.parents):
        if (one / "fabfile.py").is_file():
            return one if (one / PLACE).is_file() else None
    return None


def main() -> None:
    """Run `fab` with the code of the checkout that it is called in.

    An environment has the code of the checkout that it was made in.
    """
    here = checkout_of(Path.cwd())
    if here is not None and not (here / PLACE).samefile(__file__):
        command = [sys.executable, "-c", ELSEWHERE, str(here), *sys.argv[1:]]
        os.execv(sys.executable, command)  # noqa: S606 (no shell)
    Program(
        name="Fabric", version=version, executor_class=Executor, config_class=Config, binary="fab"
    ).run()


if __name__ == "__main__":
    sys.exit(main())  # type: ignore[func-returns-value] # as console scripts do
