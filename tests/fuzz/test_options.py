"""Any value of any option of fab ends with one line, or succeeds; nothing is changed.

Tasks and options are those of fabfile.py and of Fabric itself. The server's port is closed, and
what would be built goes into a directory of the test.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fabric import Config, Executor
from fuzzing import TEXT, fuzz, is_one_line
from hypothesis import given
from hypothesis import strategies as st

from controller.deploy import reach
from controller.deploy.inventory import Host
from controller.deploy.paths import ROOT
from controller.deploy.program import Program

# Hosts of an inventory are asked of Ansible, in a process of its own: 0.6 s each time.
SLOW = {"inventory", "limit"}
PATHS = {"out"}


def program() -> Program:
    return Program(
        name="Fabric", version="0", executor_class=Executor, config_class=Config, binary="fab"
    )


def loaded() -> Program:
    found = program()
    found.create_config()
    found.parse_core(["fab", "--search-root", str(ROOT)])
    found.parse_collection()
    return found


COLLECTION = loaded().collection
CORE = [argument for argument in program().core_args() if argument.takes_value]
OPTIONS = [
    (name, argument)
    for name in sorted(COLLECTION.task_names)
    for argument in COLLECTION[name].get_arguments()
]
VALUED = [(name, one.name) for name, one in OPTIONS if one.takes_value]


@pytest.fixture(scope="module", autouse=True)
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory for what is built, and an inventory of one server that cannot be reached."""
    directory = tmp_path_factory.mktemp("fab")
    patch = pytest.MonkeyPatch()
    host = Host("x", "127.0.0.1", 1, "deploy", known_hosts=(Path(os.devnull),))
    patch.setattr(reach, "read_hosts", lambda *_: [host])
    patch.chdir(directory)
    yield directory
    patch.undo()


def fab(*words: str) -> tuple[int, str]:
    """Run fab in this process; return its exit code and what it says on stderr."""
    said = io.StringIO()
    code: Any = 0
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            program().run(["fab", "--search-root", str(ROOT), *words])
        except SystemExit as end:
            code = end.code
    return code or 0, said.getvalue()


def check(words: Sequence[str]) -> None:
    before = sorted(Path.cwd().rglob("*"))
    code, said = fab(*words)
    assert isinstance(code, int)
    if code:
        assert is_one_line(said), said
        assert said.startswith("error: "), said
    else:
        assert said == ""
    assert sorted(Path.cwd().rglob("*")) == before


def argument(option: str, value: str) -> list[str]:
    return [f"--{option.replace('_', '-')}={value}"]


@pytest.mark.parametrize(("task", "option"), VALUED)
def test_any_value_of_an_option_of_a_task_ends_with_one_line(task: str, option: str) -> None:
    extra = ["--dry-run"] if task in ("build-model", "dump-embeddings") else []

    def run(value: str) -> None:
        check([task, *argument(option, value), *extra])

    fuzz(4 if option in SLOW else 8)(given(TEXT)(run))()


@pytest.mark.parametrize("core", CORE, ids=lambda one: max(one.names, key=len))
def test_any_value_of_an_option_of_fabric_ends_with_one_line(core: Any) -> None:
    option = max(core.names, key=len)

    def run(value: str) -> None:
        code, said = fab("status", *argument(option, value))
        assert code == 0 or is_one_line(said), said
        assert code == 0 or said.startswith("error: "), said

    fuzz(15)(given(TEXT)(run))()


WORDS = st.sampled_from(
    [
        *COLLECTION.task_names,
        *(f"--{one.name.replace('_', '-')}" for _, one in OPTIONS),
        *(f"-{name}" for one in program().core_args() for name in one.names if len(name) == 1),
        "--",
        "=",
        "--=",
    ]
)
# These read keys, ask for passwords, wait for input or list what there is.
LEFT_OUT = {"--list-agent-keys", "-p", "-d", "--follow", "--yes", "--article"}


@fuzz(150)
@given(st.lists(WORDS | TEXT, max_size=4))
def test_any_words_end_with_one_line(words: list[str]) -> None:
    if LEFT_OUT & set(words) or any(word in words for word in ("build-model", "dump-embeddings")):
        return
    code, said = fab(*words)
    if code:
        assert is_one_line(said), said
        assert said.startswith("error: "), said
