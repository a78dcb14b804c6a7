"""The state of an interrupted training, and the files of a finished one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_up import write_comments

from controller.model_build.settings import read_settings
from controller.model_build.word_index import read_word_index
from controller.model_train import outputs
from controller.model_train.data import read_comments
from controller.model_train.errors import TrainError
from controller.model_train.recipe import Recipe
from controller.model_train.state import STATE_FILE, Epoch, State, load_state, save_state
from controller.model_train.vocabulary import Vocabulary

EPOCHS = [Epoch(0.5, 0.8, 1.0), Epoch(0.4, 0.9, 1.0), Epoch(0.3, 0.85, 1.0)]


def state() -> State:
    arrays = [np.arange(3.0), np.ones((2, 2), np.float32)]
    return State("abc", EPOCHS[:2], arrays, [np.int64(7) * np.ones(1, np.int64)] * 12, arrays[:1])


def test_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    save_state(tmp_path, state())
    found = load_state(tmp_path, "abc")
    assert found.epochs == EPOCHS[:2]
    for name in ("weights", "optimizers", "best"):
        before, after = getattr(state(), name), getattr(found, name)
        assert [one.tolist() for one in before] == [one.tolist() for one in after]
        assert [one.dtype for one in before] == [one.dtype for one in after]
    assert [one.name for one in tmp_path.iterdir()] == [STATE_FILE]


def test_state_of_another_training_is_refused(tmp_path: Path) -> None:
    save_state(tmp_path, state())
    with pytest.raises(TrainError, match="other comments, vectors, options or versions"):
        load_state(tmp_path, "other")


@pytest.mark.parametrize("damage", ["cut", "text", "empty"])
def test_damaged_state_is_one_line(tmp_path: Path, damage: str) -> None:
    save_state(tmp_path, state())
    path = tmp_path / STATE_FILE
    content = path.read_bytes()
    path.write_bytes({"cut": content[: len(content) // 2], "text": b"no", "empty": b""}[damage])
    with pytest.raises(TrainError, match=r"damaged .* start again without --resume") as caught:
        load_state(tmp_path, "abc")
    assert "\n" not in str(caught.value)


def test_nothing_to_go_on_with_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="no training to go on with: leave out --resume"):
        load_state(tmp_path, "abc")


def test_training_is_finished_after_its_epochs_or_without_progress() -> None:
    assert not State("").finished(3, 1)
    assert State("", EPOCHS[:2]).finished(2, 9)
    assert not State("", EPOCHS[:2]).finished(9, 1)
    assert State("", EPOCHS).finished(9, 1)
    assert not State("", EPOCHS).finished(9, 2)
    assert State("", EPOCHS).best_epoch == 1


@pytest.mark.parametrize(
    ("name", "resume", "words"),
    [
        ("metrics.json", False, "has a finished model: choose another --out"),
        ("metrics.json", True, "has a finished model: choose another --out"),
        (STATE_FILE, False, "has an interrupted training: add --resume"),
        ("thesis.tex", False, "is not empty: choose another --out"),
        ("thesis.tex", True, "is not empty: choose another --out"),
    ],
)
def test_directory_with_something_else_is_refused(
    tmp_path: Path, name: str, resume: bool, words: str
) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(TrainError, match=words):
        outputs.check_directory(tmp_path, resume)
    assert (tmp_path / name).read_text() == "mine"


def test_directory_is_made_or_gone_on_with(tmp_path: Path) -> None:
    outputs.check_directory(tmp_path / "a" / "b", resume=False)
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / STATE_FILE).write_text("")
    outputs.check_directory(tmp_path, resume=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainError, match="choose another --out"):
        outputs.check_directory(tmp_path / "file" / "below", resume=False)


def test_files_are_in_the_forms_that_build_model_reads(tmp_path: Path) -> None:
    vocabulary = Vocabulary(["idiot", 'quoted"'], np.zeros((3, 2), np.float32), 3, 0)
    outputs.write_words(tmp_path, vocabulary)
    index = read_word_index(tmp_path / "word_index.json")
    assert (index.get("idiot"), index.get('quoted"')) == (1, 2)
    outputs.write_settings(tmp_path, "my-model", ["toxic"], ["en"], Recipe(truncating="pre"))
    settings = read_settings(tmp_path / "build_settings.json")
    assert settings["embedding_name"] == "my_model"
    assert settings["truncating"] == "pre"
    assert settings["normalization"] == "unicode"
    assert (settings["windows"], settings["stride"]) == (16, 75)
    outputs.write_settings(tmp_path, "cut", ["toxic"], ["en"], Recipe(windows=1))
    assert "windows" not in read_settings(tmp_path / "build_settings.json")
    outputs.write_reference(tmp_path, "3.1", ["a"], np.float32([[0.5]]))
    found = json.loads((tmp_path / "reference.json").read_text())
    assert found == {"keras": "3.1", "texts": ["a"], "scores": [[0.5]]}
    outputs.write_metrics(tmp_path, {"words": 2})
    with pytest.raises(TrainError, match="finished"):
        outputs.check_directory(tmp_path, resume=False)


def test_written_comments_are_read_again(tmp_path: Path) -> None:
    before, labels = read_comments(write_comments(tmp_path / "made.csv"))
    before.targets[3, 1] = np.nan
    before.targets[4, 0] = 0.25
    outputs.write_comments(tmp_path / "again.csv", before, labels)
    after, names = read_comments(tmp_path / "again.csv")
    assert (after.texts, names) == (before.texts, labels)
    assert np.array_equal(after.targets, before.targets, equal_nan=True)
