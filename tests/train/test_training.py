"""Real trainings in `.venv-training`: `make test-train`, a few minutes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
from made_up import write_comments, write_vectors

from controller.deploy.tasks import train as task
from controller.model_build.build import build
from controller.model_build.golden_texts import DEFAULT_TEXTS
from controller.model_train.data import read_comments
from controller.model_train.metrics import roc_auc
from controller.model_train.state import STATE_FILE

PROJECT = Path(__file__).parents[2]
PYTHON = PROJECT / ".venv-training" / "bin" / "python"
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'app'}:{PROJECT / 'server'}"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> list[str]:
    """Options of a training of 30 epochs."""
    directory = tmp_path_factory.mktemp("inputs")
    comments = write_comments(directory / "made.csv", rows=600)
    vectors = write_vectors(directory / "glove.txt")
    return ["--data", str(comments), "--vectors", str(vectors), "--epochs", "30"]


def command(inputs: list[str], out: Path, *more: str) -> list[str]:
    return [str(PYTHON), "-m", "controller.model_train", *inputs, "--out", str(out), *more]


def run(inputs: list[str], out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (own program)
        command(inputs, out, *more),
        env=ENVIRONMENT,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def trained(inputs: list[str], tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "model"
    done = run(inputs, out)
    assert done.returncode == 0, done.stderr
    return out


def weights(out: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    with h5py.File(out / "model.h5") as file:
        file["model_weights"].visititems(
            lambda name, one: found.update({name: one[()]} if isinstance(one, h5py.Dataset) else {})
        )
    return found


def killed(inputs: list[str], out: Path, number: int, wait_for: str) -> None:
    """Start a training and send it a signal when it has printed a line with `wait_for`."""
    running = subprocess.Popen(  # noqa: S603 (own program)
        command(inputs, out), env=ENVIRONMENT, cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    for line in running.stdout:
        if wait_for in line:
            running.send_signal(number)
            break
    running.communicate()
    assert running.returncode == (-9 if number == signal.SIGKILL else 130)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_training_that_was_killed_goes_on_to_the_same_weights(
    inputs: list[str], trained: Path, tmp_path: Path, number: int
) -> None:
    out = tmp_path / "model"
    killed(inputs, out, number, "epoch 2 of 30: loss")
    assert "add --resume to go on" in run(inputs, out).stderr
    other = run([*inputs, "--seed", "9"], out, "--resume")
    assert "other comments, vectors, options or versions" in other.stderr
    again = run(inputs, out, "--resume")
    assert again.returncode == 0, again.stderr
    assert "going on after epoch 2" in again.stdout
    one, other_weights = weights(trained), weights(out)
    assert one.keys() == other_weights.keys()
    for name, value in one.items():
        assert np.array_equal(value, other_weights[name]), name
    assert not (out / STATE_FILE).exists()


def test_model_is_built_and_scores_as_keras_does(trained: Path, tmp_path: Path) -> None:
    manifest = build(
        trained / "model.h5", trained / "word_index.json", tmp_path / "bundle", say=lambda _: None
    ).manifest
    assert manifest.labels == ("toxic", "threat")
    assert manifest.tokenizer.normalization == "unicode"
    assert manifest.dead_positions == ()
    compared = [case.text for case in manifest.golden_outputs.cases if case.reference is not None]
    # The further ones are read in windows, which Keras does not have.
    assert compared == list(DEFAULT_TEXTS)
    assert manifest.golden_outputs.reference_max_difference <= 1e-5


def test_model_learned_what_the_comments_say(trained: Path) -> None:
    figures = json.loads((trained / "metrics.json").read_text())
    assert figures["epochs"][figures["best_epoch"] - 1]["auc"] > 0.95
    parts = figures["comments"]
    assert parts["training"] + parts["validation"] + parts["held_out"] == 600


def test_fab_train_writes_the_model_and_its_card(
    inputs: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "my model"
    task.train(data=inputs[1], vectors=inputs[3], out=str(out), epochs=9, labels="toxic")
    lines = capfd.readouterr().out.splitlines()
    assert (
        lines[-1] == f"next: fab build-model --h5 '{out}/model.h5' restore-embeddings deploy-model"
    )
    card = (out / "CARD.md").read_text()
    assert "| toxic | 60 |" in card
    comments, labels = read_comments(out / "held_out.csv")
    assert labels == ("toxic",)
    assert roc_auc(comments.targets[:, 0] > 0.5, comments.targets[:, 0]) == 1
