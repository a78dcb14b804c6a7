"""The command line of a training, and `fab train` with a stand-in for the environment."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from made_up import write_comments, write_vectors

from controller.deploy.errors import DeployError
from controller.deploy.tasks import train as task
from controller.model_build.build import build
from controller.model_build.consistency import windows_of
from controller.model_build.labels import label_problem
from controller.model_build.settings import Settings
from controller.model_train.__main__ import main
from controller.model_train.errors import TrainError
from controller.model_train.recipe import Recipe
from controller.model_train.state import STATE_FILE

PROJECT = Path(__file__).parents[4]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    return {
        "data": str(write_comments(tmp_path / "made.csv")),
        "vectors": str(write_vectors(tmp_path / "glove.txt")),
        "out": str(tmp_path / "out"),
    }


def words(files: dict[str, str]) -> list[str]:
    return [word for name, value in files.items() for word in (f"--{name}", value)]


def test_wrong_comments_are_one_line_before_keras_is_imported(files, tmp_path, capsys) -> None:
    (tmp_path / "made.csv").write_text("comment_text,toxic\nx,1\n")
    assert main(words(files)) == 1
    assert capsys.readouterr().err == (
        f"error: {tmp_path / 'made.csv'}: 1 comments are too few, at least 100 are needed (some "
        "thousands for a model of use): label more\n"
    )
    assert "keras" not in sys.modules


def test_label_that_the_builder_refuses_is_refused_before(files, tmp_path, capsys) -> None:
    made = tmp_path / "made.csv"
    made.write_text(made.read_text().replace("threat", "threat\u200b", 1))
    assert main(words(files)) == 1
    assert "the label 'threat\\u200b' has a character that is not printable" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    "label", ["\u0646\u0627\u200c\u0633\u0632\u0627", "\u0915\u094d\u200d\u0937"]
)
def test_a_label_of_a_language_that_is_written_with_joiners_is_taken(label: str) -> None:
    assert label_problem(label) == ""


@pytest.mark.parametrize("label", ["\u200c", "toxic\u200d"])
def test_a_joiner_that_makes_no_difference_is_refused(label: str) -> None:
    assert "not printable" in label_problem(label)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--name", "My Model"), ("--epochs", "0"), ("--vocabulary", "many")),
        *(("--language", "English"), ("--language", ",")),
    ],
)
def test_wrong_options_are_refused(files, option: str, value: str, capsys) -> None:
    with pytest.raises(SystemExit):
        main([*words(files), option, value])
    assert f"argument {option}: {value!r} is not " in capsys.readouterr().err


class StandIn:
    """A checkout whose .venv-training has a program that records how it is called."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        (root / "scripts").mkdir()
        self.script("scripts/venv-training", "exit 0")
        self.python = root / "venv" / "bin" / "python"
        self.python.parent.mkdir(parents=True)
        monkeypatch.setattr(task, "ROOT", root)
        monkeypatch.setattr(task, "ENVIRONMENT", root / "venv")
        monkeypatch.setattr(task, "write_results", lambda directory: None)

    def script(self, name: str, text: str) -> None:
        path = self.root / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def training(self, text: str) -> None:
        self.script("venv/bin/python", f'printf "%s\\n" "$@" >{self.root}/words\n{text}')

    @property
    def called_with(self) -> list[str]:
        return (self.root / "words").read_text().splitlines()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch) -> StandIn:
    (tmp_path / "checkout").mkdir()
    return StandIn(tmp_path / "checkout", monkeypatch)


def test_options_reach_the_training(checkout: StandIn, files) -> None:
    checkout.training("exit 0")
    task.train(**files, labels="toxic", seed=7, resume=True)
    assert checkout.called_with == [
        *("-m", "controller.model_train"),
        *words(files),
        *("--labels", "toxic", "--seed", "7", "--resume"),
    ]


def test_dry_run_reads_the_comments_and_starts_nothing(checkout: StandIn, files, capsys) -> None:
    task.train(**files, dry_run=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{files['data']}: 400 comments, labels toxic, threat"
    assert lines[1].startswith(f"would train with --data {files['data']} --vectors")
    assert not (checkout.root / "words").exists()


@pytest.mark.parametrize("option", ["data", "vectors"])
def test_missing_file_is_named_with_its_option(checkout: StandIn, files, option: str) -> None:
    Path(files[option]).unlink()
    with pytest.raises(DeployError, match=f"does not exist: set it with --{option}$"):
        task.train(**files)


@pytest.mark.parametrize("option", ["data", "vectors"])
def test_option_that_is_missing_is_named(checkout: StandIn, files, option: str) -> None:
    del files[option]
    with pytest.raises(DeployError, match=f"^--{option} is missing: see `fab --help train`$"):
        task.train(**files)


def test_wrong_comments_are_refused_before_the_environment_is_made(checkout, files) -> None:
    checkout.script("scripts/venv-training", f"touch {checkout.root}/made")
    with pytest.raises(DeployError, match=r"no column c for --labels: it has toxic, threat"):
        task.train(**files, labels="c")
    assert not (checkout.root / "made").exists()


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("name", "Mine", r"^--name: 'Mine' is not of the form "),
        ("language", "English", r"^--language: 'English' is not a code such as en or hi-Latn$"),
        ("length", -5, r"^--length: '-5' is not a whole number of 1 or more$"),
        ("out", "used", r"/used: is not empty: choose another --out$"),
        ("out", "used/mine/below", r"/used/mine is not a directory: choose another --out$"),
    ],
)
def test_wrong_options_are_one_line_before_the_environment_is_made(
    checkout, files, tmp_path, monkeypatch, dry_run, option, value, words
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("used").mkdir()
    Path("used/mine").write_text("mine")
    checkout.script("scripts/venv-training", f"touch {checkout.root}/made")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DeployError, match=words) as caught:
        task.train(**{**files, option: value}, dry_run=dry_run)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_help_tells_the_defaults_of_the_recipe() -> None:
    numbers = {
        option: re.findall(r"\(default: ([\d,]+)\)$", task.HELP[option]) for option in task.HELP
    }
    usual = Recipe()
    assert {option: found for option, found in numbers.items() if found} == {
        "vocabulary": [f"{usual.words:,}"],
        "length": [f"{usual.length:,}"],
        "seed": [f"{usual.seed:,}"],
    }
    guide = (PROJECT / "docs/training.md").read_text()
    assert f"`--vocabulary` ({usual.words:,})" in guide
    assert f"`--length` ({usual.length:,})" in guide


def test_environment_that_cannot_be_made_ends_the_task(checkout: StandIn, files) -> None:
    checkout.script("scripts/venv-training", "exit 1")
    with pytest.raises(DeployError, match="the environment with Keras cannot be made"):
        task.train(**files)


def test_error_of_the_training_is_the_one_of_the_task(checkout: StandIn, files) -> None:
    checkout.training("echo noise >&2; echo 'error: glove.txt: no words' >&2; exit 1")
    with pytest.raises(DeployError, match=r"^glove\.txt: no words$"):
        task.train(**files)


def test_crash_of_the_training_shows_its_output(checkout: StandIn, files) -> None:
    checkout.training("echo Traceback >&2; exit 3")
    with pytest.raises(DeployError, match="ended with code 3 before the first epoch") as caught:
        task.train(**files)
    assert caught.value.details == "Traceback\n"


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt; a shell that starts tests in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("done", [False, True])
def test_interrupted_training_is_ended_and_can_go_on(checkout: StandIn, files, done: bool) -> None:
    """Ctrl-C ends the training as well, and the message has the command that goes on."""
    state = Path(files["out"]) / STATE_FILE
    began = checkout.root / "began"
    save = f"mkdir -p {state.parent}; touch {state};" if done else ""
    checkout.training(
        f"trap 'touch {checkout.root}/ended; exit 130' TERM\n{save} touch {began}\n"
        "while :; do sleep 0.05; done"
    )

    def interrupt() -> None:
        while not began.exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(DeployError) as caught:
        task.train(**files)
    assert (checkout.root / "ended").exists()
    assert str(caught.value) == (
        "interrupted: the epochs that are done are kept: rerun `fab train --resume`"
        if done
        else "interrupted before the first epoch was done: rerun `fab train`"
    )


@pytest.mark.usefixtures("interruptible")
def test_training_that_is_interrupted_while_it_starts_is_ended(
    checkout: StandIn, files, monkeypatch
) -> None:
    """Also where the training works before the call that starts it has returned."""
    began = checkout.root / "began"
    checkout.training(
        f"trap 'touch {checkout.root}/ended; exit 130' TERM\ntouch {began}\n"
        "while :; do sleep 0.05; done"
    )

    class Slow(subprocess.Popen):
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            if "process_group" in named:
                while not began.exists():
                    time.sleep(0.02)
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(subprocess, "Popen", Slow)
    with pytest.raises(DeployError, match=r"^interrupted before the first epoch was done"):
        task.train(**files)
    assert (checkout.root / "ended").exists()


@pytest.mark.parametrize("module", ["data", "batches", "metrics", "calibration", "state"])
def test_modules_without_keras_need_no_package_of_the_controller(module: str) -> None:
    """The environment with Keras has NumPy and rich, nothing else of the controller's."""
    code = f"import sys, controller.model_train.{module}; print(*sys.modules)"
    done = subprocess.run(  # noqa: S603 (own code)
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    assert {"bson", "onnx", "onnxruntime", "fabric", "matplotlib"} & set(
        done.stdout.split()
    ) == set()


def test_trained_model_is_built_and_has_a_card(tmp_path: Path, capsys) -> None:
    sample, out = PROJECT / "sample_model", tmp_path / "my model"
    out.mkdir()
    shutil.copyfile(sample / "toxic_comment_detector.h5", out / "model.h5")
    for name in ("word_index.json", "build_settings.json", "reference.json"):
        shutil.copyfile(sample / name, out / name)
    labels = json.loads((sample / "build_settings.json").read_text())["labels"]
    rows = [f"{text},{','.join([value] * 6)}" for text, value in
            (("you idiot", "1"), ("thanks", "0")) * 2]  # fmt: skip
    rows = [f"{number} {row}" for number, row in enumerate(rows)]
    (out / "held_out.csv").write_text("\n".join([f"comment_text,{','.join(labels)}", *rows]))
    task.write_results(out)
    assert "| toxic | 4 | 2 | 1.000" in (out / "CARD.md").read_text()
    last = capsys.readouterr().out.splitlines()[-1]
    built = build(out / "model.h5", out / "word_index.json", tmp_path / "bundle", say=str)
    assert built.manifest.built_with["figures"].startswith("Held out: toxic 1.000, ")
    assert last == f"next: fab build-model --h5 '{out}/model.h5' restore-embeddings deploy-model"
    (out / "held_out.csv").unlink()
    with pytest.raises(DeployError, match=r"held_out\.csv: No such file"):
        task.write_results(out)
    (out / "model.h5").write_bytes(b"no model")
    with pytest.raises(DeployError, match=r"model\.h5"):
        task.write_results(out)


class FakeRun(ModuleType):
    """In place of the module that imports Keras: what it is asked to train, or what it raises."""

    def __init__(self, problem: BaseException | None = None) -> None:
        super().__init__("controller.model_train.run")
        self.problem, self.job, self.recipe = problem, {}, Recipe()

    def Job(self, **given: object) -> dict:
        return given

    def train(self, job: dict, recipe: Recipe, say: object) -> None:
        self.job, self.recipe = job, recipe
        if self.problem is not None:
            raise self.problem


def trained_with(files, monkeypatch, *more: str, problem: BaseException | None = None):
    run = FakeRun(problem)
    monkeypatch.setitem(sys.modules, run.__name__, run)
    return main([*words(files), *more]), run


def test_command_line_becomes_a_job(files, monkeypatch) -> None:
    code, run = trained_with(
        files, monkeypatch, "--labels", "threat,toxic", "--language", "en,de", "--seed", "3",
        "--length", "300", "--vocabulary", "999", "--resume",
    )  # fmt: skip
    assert code == 0
    assert (run.job["labels"], run.job["languages"]) == (("threat", "toxic"), ("en", "de"))
    assert run.job["resume"]
    assert len(run.job["parts"].training) == 318
    recipe = run.recipe
    assert (recipe.seed, recipe.length, recipe.train_length, recipe.words) == (3, 300, 300, 999)
    assert recipe.epochs == 40


@pytest.mark.parametrize(("length", "stride"), [("50", 37), ("1", 1), ("100", 75), ("300", 75)])
def test_stride_fits_into_the_length(files, monkeypatch, length: str, stride: int) -> None:
    _, run = trained_with(files, monkeypatch, "--length", length)
    assert run.recipe.stride == stride
    windows = windows_of(Settings(windows=run.recipe.windows, stride=stride), int(length))
    assert windows is not None


@pytest.mark.parametrize(
    ("problem", "code", "error"),
    [
        (TrainError("no words"), 1, "error: no words\n"),
        (OSError(28, "No space left on device", "x"), 1, "error: x: No space left on device: "),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_end_of_a_training_is_one_line(files, monkeypatch, capsys, problem, code, error) -> None:
    assert trained_with(files, monkeypatch, problem=problem)[0] == code
    found = capsys.readouterr().err
    assert found.startswith(error)
    assert found.count("\n") == (1 if error else 0)
