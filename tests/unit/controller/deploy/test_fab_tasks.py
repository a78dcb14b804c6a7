"""`fab` as people type it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from fake_server import ROOT
from invoke import Collection, Context

from controller.deploy.attempt import Interrupted
from controller.deploy.cli import product_task
from controller.deploy.errors import DeployError

TASKS = [
    "build-model",
    "deploy-app",
    "deploy-model",
    "dump-embeddings",
    "logs",
    "prune",
    "releases",
    "restore-embeddings",
    "rollback",
    "status",
    "test-model",
    "unlock",
]


@pytest.fixture(scope="module")
def collection() -> Collection:
    spec = spec_from_file_location("fabfile", ROOT / "fabfile.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return Collection.from_module(module)


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


def test_every_task_that_meets_a_server_takes_the_inventory(collection: Collection) -> None:
    for name in set(TASKS) - {"build-model", "dump-embeddings"}:
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
    assert done.stderr == f"error: there is no bundle in {tmp_path}: fab build-model\n"


@pytest.mark.parametrize("task", TASKS)
def test_unknown_option_is_an_error(task: str) -> None:
    done = fab(task, "--bogus")
    assert done.returncode != 0
    assert "No idea what '--bogus' is" in done.stdout + done.stderr


def test_fabs_own_host_option_is_refused() -> None:
    done = fab("-H", "example.org", "status")
    assert done.returncode == 1
    assert done.stderr == (
        "error: hosts come from the Ansible inventory: use --inventory or --limit, not -H\n"
    )


def test_half_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_bytes(b"")
    done = fab("build-model", "--h5", str(tmp_path / "model.h5"))
    assert done.returncode == 1
    assert "word_index.json is not there: name it with --word-index" in done.stderr
    assert done.stderr.count("\n") == 1


def test_builders_refusal_is_one_line(tmp_path: Path) -> None:
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
    assert done.stderr.startswith("error: name the vectors: fab dump-embeddings --source ")


def test_options_of_build_model_reach_the_builder(tmp_path: Path) -> None:
    sample = ROOT / "sample_model"
    given = ["--h5", str(next(sample.glob("*.h5"))), "--out", str(tmp_path / "out")]
    for option, value in (("--mode", "half"), ("--dtype", "int8"), ("--padding", "both")):
        done = fab("build-model", *given, option, value)
        assert done.returncode == 1
        assert f"is {value!r}, wanted" in done.stderr
    done = fab("build-model", *given, "--num-words", "7")
    assert done.returncode == 1 or "num_words=7" in done.stdout


def test_bundle_option_counts_from_where_the_user_is(built_bundle: Path) -> None:
    environment = {"ANSIBLE_INVENTORY": "/dev/null"}
    done = fab("-r", str(ROOT), "deploy-model", "--bundle", ".", cwd=built_bundle, **environment)
    assert done.returncode == 1
    assert "no host in group tox_com_det" in done.stderr


def test_interrupt_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    @product_task()
    def slow_task(context: object) -> None:
        """Take long."""
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as caught:
        slow_task(Context())
    assert caught.value.code == 1
    assert "interrupted: look at `fab status`, then type `fab slow-task` again" in (
        capsys.readouterr().err
    )


def test_sigterm_ends_a_task_as_an_interrupt_does(capsys: pytest.CaptureFixture[str]) -> None:
    @product_task()
    def slow_task(context: object) -> None:
        """Take long."""
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit):
        slow_task(Context())
    assert "interrupted: look at `fab status`" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


def test_interrupted_attempt_is_its_own_line(capsys: pytest.CaptureFixture[str]) -> None:
    @product_task()
    def slow_task(context: object) -> None:
        """Take long."""
        raise Interrupted("interrupted in phase upload")

    with pytest.raises(SystemExit):
        slow_task(Context())
    assert capsys.readouterr().err == "\nerror: interrupted in phase upload\n"


def test_dry_runs_of_the_builders_write_nothing(tmp_path: Path) -> None:
    done = fab("build-model", "--dry-run", "--out", str(tmp_path / "out"), "--dtype", "float16")
    assert (done.returncode, done.stderr) == (0, "")
    assert "(--dtype float16)" in done.stdout
    assert f"into {tmp_path}/out, which is not there yet" in done.stdout
    (tmp_path / "glove.txt").write_text("you 0.5 -1\n")
    options = ["--source", str(tmp_path / "glove.txt"), "--out", str(tmp_path / "dump")]
    done = fab("dump-embeddings", "--dry-run", *options)
    assert "would write the vectors of" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["glove.txt"]
    done = fab("dump-embeddings", "--dry-run", "--source", str(tmp_path / "none"))
    assert done.stderr == f"error: {tmp_path}/none is not there: name it with --source\n"


def test_details_follow_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    @product_task("odd")
    def named(context: object) -> None:
        """Fail."""
        raise DeployError("first\nline", "the rest")

    with pytest.raises(SystemExit):
        named(Context())
    assert capsys.readouterr().err == "error: first line\nthe rest\n"
