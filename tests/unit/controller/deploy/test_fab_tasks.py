"""`fab` on the command line: its tasks, their options, and how each of them ends."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from from_file import from_file
from invoke import Collection, Context

from controller.deploy import predict, reach, tasks
from controller.deploy.attempt import Interrupted
from controller.deploy.cli import Action, laptop_task, server_task
from controller.deploy.errors import DeferredError, DeployError
from controller.deploy.inventory import Host
from controller.deploy.paths import ROOT
from controller.deploy.tasks.scored import open_service

TASKS = [
    "add-key",
    "backup",
    "backups",
    "build-model",
    "clear-suggestions",
    "collect-scores",
    "copy-keys",
    "create-server",
    "deploy-app",
    "deploy-model",
    "destroy-server",
    "doctor",
    "dump-embeddings",
    "export-suggestions",
    "fit-scores",
    "inspect-model",
    "list-keys",
    "logs",
    "prune",
    "releases",
    "remove-score-maps",
    "renew-certificate",
    "restore",
    "restore-drill",
    "restore-embeddings",
    "revoke-key",
    "rollback",
    "servers",
    "status",
    "test-model",
    "train",
    "tune-thresholds",
    "unlock",
]
LAPTOP_TASKS = {
    *("build-model", "collect-scores", "dump-embeddings", "inspect-model", "remove-score-maps"),
    *("create-server", "destroy-server", "servers", "train"),
}


# For each test: invoke hands out the help of an option only once.
@pytest.fixture
def collection() -> Collection:
    return Collection.from_module(from_file("fabfile.py"))


def fab(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(  # noqa: S603 (words of the tests, no shell)
        [sys.executable, "-m", "fabric", *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_task_and_every_option_has_its_help(collection: Collection) -> None:
    assert set(TASKS) == set(collection.task_names)
    for name in collection.task_names:
        task = collection[name]
        assert task.__doc__.strip().endswith("."), name
        for argument in task.get_arguments():
            assert argument.help, f"{name} --{argument.name}"
            assert len(argument.names) <= 2, f"{name} {argument.names}: fab's own -i is an identity"


def test_every_task_has_a_dry_run(collection: Collection) -> None:
    for name in collection.task_names:
        assert "dry_run" in {argument.name for argument in collection[name].get_arguments()}, name


def test_every_task_for_servers_takes_the_inventory(collection: Collection) -> None:
    for name in set(TASKS) - LAPTOP_TASKS:
        names = {argument.name for argument in collection[name].get_arguments()}
        assert {"inventory", "limit"} <= names, name


def test_list_names_the_tasks_from_any_directory_below() -> None:
    done = fab("--list", cwd=ROOT / "tests" / "unit")
    assert done.returncode == 0
    for name in TASKS:
        assert f"  {name} " in done.stdout


def test_failure_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    done = fab("deploy-model", "--bundle", str(tmp_path))
    assert done.returncode == 1
    command = f"`fab build-model --out {tmp_path}`, with --h5 for a model of your own"
    assert done.stderr == f"error: there is no bundle in {tmp_path}: run {command}\n"


@pytest.mark.parametrize("task", TASKS)
def test_unknown_option_is_an_error(task: str) -> None:
    done = fab(task, "--bogus")
    assert done.returncode != 0
    # Where a task needs a file, invoke takes the word for its name.
    words = ("No idea what '--bogus' is", "there is no option --bogus: see `fab --help")
    assert any(one in done.stdout + done.stderr for one in words)


def test_fabs_own_host_option_is_refused() -> None:
    done = fab("-H", "example.org", "status")
    assert done.returncode == 1
    assert done.stderr == (
        "error: hosts come from the Ansible inventory: use --inventory or --limit, not -H\n"
    )


def test_model_without_its_word_index_is_refused(tmp_path: Path) -> None:
    recorded = Path(__file__).parents[3] / "fixtures" / "keras" / "author_valid_keras3.h5"
    shutil.copy(recorded, tmp_path / "model.h5")
    done = fab("build-model", "--h5", str(tmp_path / "model.h5"))
    assert done.returncode == 1
    assert "name the tokenizer's word index with --word-index" in done.stderr
    assert done.stderr.count("\n") == 1


def test_refusal_of_the_builder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_bytes(b"no HDF5")
    (tmp_path / "word_index.json").write_text('{"you": 1}')
    done = fab("build-model", "--h5", str(tmp_path / "model.h5"), "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_dump_of_glove_text_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "glove.txt").write_text("you 0.5 -1\nidiot 2 3e-1\n")
    options = ["--source", str(tmp_path / "glove.txt"), "--out", str(tmp_path / "dump")]
    done = fab("dump-embeddings", *options, "--name", "tiny")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list((tmp_path / "dump" / "word_embeddings").glob("tiny_*.bson"))) == 1
    done = fab("dump-embeddings")
    assert done.returncode == 1
    assert done.stderr.startswith("error: --source is missing: run `fab dump-embeddings --source ")


def test_options_of_build_model_reach_the_builder(tmp_path: Path) -> None:
    sample = ROOT / "sample_model"
    given = ["--h5", str(next(sample.glob("*.h5"))), "--out", str(tmp_path / "out")]
    for option, value in (("--mode", "half"), ("--dtype", "int8"), ("--padding", "both")):
        done = fab("build-model", *given, option, value)
        assert done.returncode == 1
        assert f"is {value!r}" in done.stderr
    done = fab("build-model", *given, "--num-words", "7")
    assert "num_words=7" in done.stdout
    # The sample model's reference scores need its whole word index.
    assert done.returncode == 1
    assert "num_words" in done.stderr


def test_option_of_the_builders_that_is_wrong_is_one_line(tmp_path: Path) -> None:
    """Each kind of it is in test_model_builder.py."""
    for task, option, value, words in (
        ("build-model", "--h5", str(tmp_path), f"{tmp_path} is a directory, not a file: set it w"),
        ("build-model", "--h5", "~no_such_user/x", "there is no user 'no_such_user': write the"),
        ("deploy-model", "--bundle", "~no_such_user/x", "there is no user 'no_such_user'"),
        ("deploy-model", "--bundle", "x" * 300, "there is no bundle in"),
        ("test-model", "--key-file", "~no_such_user/x", "there is no user 'no_such_user'"),
        ("status", "--inventory", "~no_such_user/x", "there is no user 'no_such_user'"),
        ("status", "--inventory", "", "--inventory is empty: give it a value, or leave it out"),
    ):
        done = fab("-r", str(ROOT), task, option, value, cwd=tmp_path)
        assert done.returncode == 1
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_home_of_nobody_is_refused_by_the_tasks_about_scores(tmp_path: Path) -> None:
    words = "there is no user 'no_such_user': write the whole path$"
    (tmp_path / "texts").write_text("a comment\n")
    files = {"texts": str(tmp_path / "texts"), "google_key_file": str(tmp_path / "texts")}
    for option in files:
        with pytest.raises(DeployError, match=words):
            tasks.collect_scores.collect_scores(**{**files, option: "~no_such_user/x"})
    with pytest.raises(DeployError, match=words):
        open_service("http://127.0.0.1:9", None, None, key_file="~no_such_user/x")


@pytest.mark.parametrize("option", [[], ["--dry-run"]])
def test_bundle_that_scores_every_text_alike_is_refused_before_any_server_is_asked(
    built_bundle: Path, tmp_path: Path, option: list[str]
) -> None:
    bundle = shutil.copytree(built_bundle, tmp_path / "bundle")
    manifest = json.loads((bundle / "manifest.json").read_text())
    for case in manifest["golden_outputs"]["cases"]:
        case["scores"] = manifest["golden_outputs"]["cases"][0]["scores"]
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    inventory = ["--inventory", "/dev/null"]
    done = fab("deploy-model", "--bundle", str(bundle), *inventory, *option)
    assert done.returncode == 1
    assert "gives all 28 golden texts the same scores" in done.stderr
    assert f"run `fab build-model --out {bundle}` with the model's --h5" in done.stderr
    assert done.stderr.count("\n") == 1


def test_bundle_option_is_relative_to_the_current_directory(built_bundle: Path) -> None:
    environment = {"ANSIBLE_INVENTORY": "/dev/null"}
    done = fab("-r", str(ROOT), "deploy-model", "--bundle", ".", cwd=built_bundle, **environment)
    assert done.returncode == 1
    assert "no host in group tox_com_det" in done.stderr


def test_interrupt_is_one_line_that_says_where_to_look(capsys: pytest.CaptureFixture[str]) -> None:
    def here() -> None:
        """Take long, on this computer."""
        raise KeyboardInterrupt

    def there(limit: str = "") -> None:
        """Take long, on a server."""
        raise KeyboardInterrupt

    for task, words in (
        (laptop_task(here), "rerun `fab here`"),
        (laptop_task(there), "see `fab status`, then rerun `fab there`"),
        (laptop_task(here, "create-server"), "see `fab servers`, then rerun `fab create-server`"),
    ):
        with pytest.raises(SystemExit) as caught:
            task(Context())
        assert caught.value.code == 1
        assert capsys.readouterr().err == f"\nerror: interrupted: {words}\n"


def test_sigterm_ends_a_task_as_an_interrupt_does(capsys: pytest.CaptureFixture[str]) -> None:
    def slow_task() -> None:
        """Take long."""
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(300)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit):
        laptop_task(slow_task)(Context())
    assert "interrupted: rerun `fab slow-task`" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


def test_interrupted_attempt_is_its_own_line(capsys: pytest.CaptureFixture[str]) -> None:
    def slow_task() -> None:
        """Take long."""
        raise Interrupted("interrupted in phase upload")

    with pytest.raises(SystemExit):
        laptop_task(slow_task)(Context())
    assert capsys.readouterr().err == "\nerror: interrupted in phase upload\n"


def test_reader_that_goes_away_ends_a_task_without_a_traceback() -> None:
    command = [sys.executable, "-m", "fabric", "build-model", "--dry-run"]
    reader, writer = os.pipe()
    os.close(reader)  # before the task begins: it may be quicker than this test
    try:
        done = subprocess.run(  # noqa: S603 (words of the tests, no shell)
            command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writer)
    assert (done.stderr, done.returncode) == ("", 1)


def test_dry_runs_of_the_builders_write_nothing(tmp_path: Path) -> None:
    done = fab("build-model", "--dry-run", "--out", str(tmp_path / "out"), "--dtype", "float16")
    assert (done.returncode, done.stderr) == (0, "")
    assert "(--dtype float16)" in done.stdout
    assert f"into {tmp_path}/out, which does not exist yet" in done.stdout
    (tmp_path / "glove.txt").write_text("you 0.5 -1\n")
    options = ["--source", str(tmp_path / "glove.txt"), "--out", str(tmp_path / "dump")]
    done = fab("dump-embeddings", "--dry-run", *options)
    assert "would write the vectors of" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["glove.txt"]
    done = fab("dump-embeddings", "--dry-run", "--source", str(tmp_path / "none"))
    assert done.stderr == f"error: {tmp_path}/none does not exist: set it with --source\n"


def test_details_follow_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    def failing() -> None:
        """Fail."""
        raise DeployError("first\nline", "the rest")

    with pytest.raises(SystemExit):
        laptop_task(failing, "odd")(Context())
    assert capsys.readouterr().err == "error: first line\nthe rest\n"


class OpenServer:
    """A server of the inventory, as far as the decorator uses it."""

    parts, in_cluster = Host.parts, False

    def __init__(self, name: str) -> None:
        self.name = name


@pytest.fixture
def inventory(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | None, str | None]]:
    """Two servers, and what the inventory was asked for."""
    asked: list[tuple[str | None, str | None]] = []

    def read_hosts(inventory: str | None, limit: str | None) -> list[OpenServer]:
        asked.append((inventory, limit))
        return [OpenServer("a"), OpenServer("b")]

    monkeypatch.setattr(reach, "read_hosts", read_hosts)
    monkeypatch.setattr(reach, "opened", nullcontext)
    return asked


def test_server_task_prepares_once_and_acts_on_each_server(
    inventory: list[tuple[str | None, str | None]],
) -> None:
    seen: list[tuple[str, str, bool]] = []

    @server_task(word="a word")
    def greet(word: str = "hello") -> Action:
        """Greet."""
        seen.append(("prepare", word, False))
        return lambda server, *, dry_run: seen.append((server.name, word, dry_run))

    options = {"word": "bye", "dry_run": True, "inventory": "hosts", "limit": None}
    greet(Context(), **options)
    assert seen == [("prepare", "bye", False), ("a", "bye", True), ("b", "bye", True)]
    assert inventory == [("hosts", None)]


@pytest.mark.usefixtures("inventory")
@pytest.mark.parametrize(
    ("options", "texts"),
    [
        ({}, predict.EXAMPLES),
        ({"text": "a comment"}, ("a comment",)),
        ({"article": True}, (predict.ARTICLE_EXAMPLE,)),
    ],
)
def test_articles_comment_is_scored_only_on_request(
    collection: Collection,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    texts: tuple[str, ...],
) -> None:
    seen: list[tuple[str, ...]] = []

    def check_model(
        server: OpenServer, texts: Sequence[str], key: str | None, *, dry_run: bool
    ) -> None:
        seen.append(tuple(texts))

    monkeypatch.setattr(tasks.check_model, "check_model", check_model)
    collection["test-model"](Context(), dry_run=False, inventory=None, limit=None, **options)
    assert seen == [texts, texts]
    assert predict.ARTICLE_EXAMPLE not in predict.EXAMPLES


@pytest.mark.usefixtures("inventory")
def test_deferred_failure_lets_the_other_servers_have_their_turn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen: list[str] = []

    def act(server: Any, *, dry_run: bool) -> None:
        seen.append(server.name)
        raise DeferredError(f"{server.name} does not serve")

    @server_task()
    def look() -> Action:
        """Look."""
        return act

    with pytest.raises(SystemExit):
        look(Context(), dry_run=False, inventory=None, limit=None)
    assert seen == ["a", "b"]
    assert capsys.readouterr().err == "error: a does not serve; b does not serve\n"


@pytest.mark.usefixtures("inventory")
def test_failure_on_a_server_stops_before_the_next_one() -> None:
    seen: list[str] = []

    def act(server: Any, *, dry_run: bool) -> None:
        seen.append(server.name)
        raise DeployError("no")

    @server_task()
    def change() -> Action:
        """Change."""
        return act

    with pytest.raises(SystemExit):
        change(Context(), dry_run=False, inventory=None, limit=None)
    assert seen == ["a"]


# The collection, because the fabfile registers the options of `fab status`.
@pytest.mark.usefixtures("inventory", "collection")
def test_failure_names_the_servers_that_are_done_failed_and_not_begun(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reach, "read_hosts", lambda *_: [OpenServer(name) for name in "abcd"])

    def act(server: Any, *, dry_run: bool) -> None:
        if server.name == "b":
            raise DeferredError("b does not serve")
        if server.name == "c":
            raise failure

    @server_task()
    def change() -> Action:
        """Change."""
        return act

    options = {"dry_run": False, "inventory": "my hosts", "limit": None}
    failure: BaseException = DeployError("c is full: rerun `fab change`", "the rest")
    with pytest.raises(SystemExit):
        change(Context(), **options)
    assert capsys.readouterr().err == (
        "error: b does not serve; c is full: rerun `fab change --inventory 'my hosts'` "
        "(done: a, failed: b c, not begun: d)\nthe rest\n"
    )
    failure = KeyboardInterrupt()
    with pytest.raises(SystemExit):
        change(Context(), **options)
    assert capsys.readouterr().err == (
        "\nerror: b does not serve; interrupted: see `fab status --inventory 'my hosts'`, then "
        "rerun `fab change --inventory 'my hosts'` (done: a, failed: b c, not begun: d)\n"
    )


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["logs", "--lines", "abc"], "lines is 'abc'"),
        (["logs", "--lines", "-5"], "lines is '-5'"),
        (["logs", "--lines=0"], "lines is '0'"),
        (["logs", "--lines", "1.5"], "lines is '1.5'"),
        (["logs", "--lines", ""], "lines is ''"),
        (["prune", "--keep", "x"], "keep is 'x'"),
        (["prune", "--keep", "0"], "keep is '0'"),
        (["build-model", "--num-words", "abc"], "num-words is 'abc'"),
        (["build-model", "--length", "0"], "length is '0'"),
        (["dump-embeddings", "--num-words", "-1"], "num-words is '-1'"),
    ],
)
def test_option_that_is_not_a_whole_number_is_one_line(words: list[str], option: str) -> None:
    done = fab(*words, ANSIBLE_INVENTORY="/dev/null")
    assert done.returncode == 1
    assert done.stderr == f"error: --{option}, not a whole number of 1 or more\n"
    assert done.stdout == ""


def test_file_that_cannot_be_written_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def write_something(out: str = "") -> None:
        """Write."""
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "build/bundle")

    with pytest.raises(SystemExit) as caught:
        laptop_task(write_something)(Context(), out="a b")
    assert caught.value.code == 1
    assert capsys.readouterr().err == (
        "error: build/bundle: No space left on device: fix it, then rerun "
        "`fab write-something --out 'a b'`\n"
    )
