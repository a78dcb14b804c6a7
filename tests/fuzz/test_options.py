"""Any value of any option of fab ends with one line, or succeeds; nothing is changed.

Tasks and options are those of fabfile.py and of Fabric itself. What they reach is in fab_world.py.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from fab_world import World, paths_below, world_in
from fabric import Config, Executor
from fuzzing import TEXT, fuzz, is_one_line, one_of_each_kind, tried
from hypothesis import given
from hypothesis import strategies as st

from controller.deploy.paths import BUILD, ROOT
from controller.deploy.program import Program

# A command line of each task that is read to its end, so that the value of any other option is.
BASES = {
    "add-key": ["--name=shop"],
    "build-model": ["--dry-run"],
    "collect-scores": ["--texts=comments.csv", "--google-key-file=key", "--dry-run"],
    "create-server": [
        *("--label=web-1", "--region=de-fra-2", "--key=id.pub", "--inventory=mine", "--dry-run"),
    ],
    "deploy-model": ["--bundle=bundle"],
    "destroy-server": ["--label=web-1", "--inventory=mine", "--dry-run"],
    "dump-embeddings": ["--source=vectors.txt", "--dry-run"],
    "export-suggestions": ["--out=suggestions.csv"],
    "fit-scores": ["--pairs=pairs.csv", "--bundle=bundle", "--url=URL", "--dry-run"],
    "inspect-model": ["--file=model.h5", "--word-index=words.json"],
    "remove-score-maps": ["--bundle=bundle"],
    "restore-embeddings": ["--bundle=bundle"],
    "revoke-key": ["--key=shop"],
    "train": ["--data=comments.csv", "--vectors=vectors.txt", "--dry-run"],
    "tune-thresholds": ["--labelled=comments.csv", "--url=URL"],
}
# Read after the point where a dry run ends; what is built is not of the checkout.
REALLY = {
    *(("fit-scores", name) for name in ("key-file", "score-column")),
    *(("dump-embeddings", name) for name in ("architecture", "member", "word-index")),
}
# The options with which another is read, or without which.
WITH = {
    ("build-model", "pooling"): "--windows=4",
    ("build-model", "stride"): "--windows=4",
    ("create-server", "name"): "--domain=example.org",
    ("dump-embeddings", "num-words"): "--word-index=words.json",
}
WITHOUT = {
    (task, option): "url"
    for task in ("fit-scores", "tune-thresholds")
    for option in ("inventory", "limit")
}


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
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world_in(tmp_path_factory.mktemp("fab")) as made:
        yield made


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


def check(world: World, words: Sequence[str]) -> tuple[int, str]:
    before = world.content()
    code, said = fab(*words)
    assert isinstance(code, int)
    if code:
        assert is_one_line(said), said
        assert said.startswith("error: "), said
    else:
        assert said == ""
    assert world.content() == before
    world.clear()
    return code, said


def base_of(world: World, task: str, option: str = "") -> list[str]:
    """The words of a task without an option, and without what would keep it from being read."""
    left = {option, WITHOUT.get((task, option), ""), "dry-run" if (task, option) in REALLY else ""}
    words = [one.replace("URL", world.url) for one in BASES.get(task, [])]
    words += [WITH[task, option]] if (task, option) in WITH else []
    return [one for one in words if one.removeprefix("--").partition("=")[0] not in left]


def test_no_default_is_a_path_of_the_checkouts_build() -> None:
    fab("remove-score-maps", "--dry-run")  # loads the fabfile
    assert list(paths_below(BUILD)) == []


@pytest.mark.parametrize("task", sorted(COLLECTION.task_names))
def test_a_base_is_read_to_its_end(world: World, task: str) -> None:
    """To the server, which cannot be reached, or to the report of a dry run."""
    code, said = check(world, [task, *base_of(world, task)])
    reached = ("x (deploy@127.0.0.1:1) cannot be reached", "there is no server web-1: see")
    assert code == 0 or any(words in said for words in reached), said


@pytest.mark.parametrize(("task", "option"), VALUED)
def test_any_value_of_an_option_of_a_task_ends_with_one_line(
    world: World, task: str, option: str
) -> None:
    typed = option.replace("_", "-")

    def run(value: str) -> None:
        check(world, [task, *base_of(world, task, typed), f"--{typed}={value}"])

    name = f"{task} {option}"
    tried(name, 1, run, TEXT, also=tuple(one_of_each_kind(name)))


@pytest.mark.parametrize("core", CORE, ids=lambda one: max(one.names, key=len))
def test_any_value_of_an_option_of_fabric_ends_with_one_line(world: World, core: Any) -> None:
    option = max(core.names, key=len)

    def run(value: str) -> None:
        before = world.content()
        code, said = fab("status", f"--{option}={value}")
        assert code == 0 or is_one_line(said), said
        assert code == 0 or said.startswith("error: "), said
        assert world.content() == before

    tried(option, 7, run, TEXT, also=tuple(one_of_each_kind(option)))


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
def test_any_words_end_with_one_line(world: World, words: list[str]) -> None:
    if LEFT_OUT & set(words) or any(word in words for word in ("build-model", "dump-embeddings")):
        return
    check(world, words)
