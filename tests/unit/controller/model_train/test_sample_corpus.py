"""The data of the sample model: what is natural, what is kept apart, how texts are changed."""

from __future__ import annotations

import gzip
import importlib
from pathlib import Path

import numpy as np
import pytest

from controller.model_train.errors import TrainError

PROJECT = Path(__file__).parents[4]


@pytest.fixture
def corpus(monkeypatch):
    """The module, which is imported from the checkout: it is not part of an installation."""
    monkeypatch.syspath_prepend(PROJECT)
    return importlib.import_module("sample_model.corpus")


@pytest.fixture
def changes(monkeypatch):
    monkeypatch.syspath_prepend(PROJECT)
    return importlib.import_module("sample_model.changes")


def write(directory: Path, natural: int = 200) -> Path:
    labels = "toxic,severe_toxic,obscene,threat,insult,identity_hate"
    rows = [f"{one},comment {one},{int(one % 5 == 0)},0,0,0,0,0" for one in range(natural)]
    (directory / "jigsaw_train.csv").write_text("\n".join([f"id,comment_text,{labels}", *rows]))
    extra = [f"text,source,{labels},form", '"comment 1",other,1,1,1,1,1,1,raw']
    extra += [f"more {one},jigsaw_train/khanhhk,0,0,0,0,0,,raw" for one in range(100)]
    extra += [f"test {one},other,1,0,0,0,0,0,raw" for one in range(30)]
    (directory / "jigsaw_extra.csv.gz").write_bytes(gzip.compress("\n".join(extra).encode()))
    return directory


def test_text_belongs_to_its_first_source(corpus, tmp_path: Path) -> None:
    sources = corpus.read_sources(write(tmp_path))
    assert [(one.name, len(one.comments), one.natural) for one in sources] == [
        ("jigsaw_train.csv", 200, True),
        ("jigsaw_train/khanhhk", 100, True),
        ("other", 30, False),
    ]
    assert sources[0].comments.targets[1].tolist() == [0] * 6
    assert np.isnan(sources[1].comments.targets[:, 5]).all()


def test_only_natural_comments_are_kept_apart(corpus, tmp_path: Path) -> None:
    parts = corpus.part_sources(corpus.read_sources(write(tmp_path)), 1)
    for kept in (parts.validation, parts.held_out):
        assert len(kept) == 30
        assert not any(text.startswith("test") for text in kept.texts)
    assert parts.training.texts.count("") == corpus.EMPTY_TEXTS
    assert len(parts.training) == 240 + 30 + corpus.EMPTY_TEXTS
    assert not {*parts.training.texts} & {*parts.validation.texts, *parts.held_out.texts}


def test_other_data_is_one_line(corpus, tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=r"jigsaw_train\.csv: No such file or directory: give"):
        corpus.read_sources(tmp_path)
    write(tmp_path)
    (tmp_path / "jigsaw_train.csv").write_text("comment_text,toxic\nx,1\n")
    with pytest.raises(TrainError, match="not the comments of the sample model"):
        corpus.read_sources(tmp_path)
    with pytest.raises(TrainError, match="no comments of jigsaw_train"):
        corpus.part_sources([], 1)


def test_names_of_groups_are_swapped_in_half_of_the_texts(changes) -> None:
    random = np.random.default_rng(1)
    texts = [changes.swap_terms(random, "I am Gay, not megay") for _ in range(400)]
    swapped = {text for text in texts if text != "I am Gay, not megay"}
    assert 150 < sum(text in swapped for text in texts) < 250
    assert all(text.startswith("I am ") and text.endswith(", not megay") for text in swapped)
    assert len(swapped) > 20
    assert changes.swap_terms(random, "I am a teacher") == "I am a teacher"


def test_punctuation_is_left_out_of_some_texts(changes) -> None:
    random = np.random.default_rng(1)
    texts = [changes.loosen(random, "you, idiot!").split() for _ in range(400)]
    assert 40 < texts.count(["you", "idiot"]) < 120
    assert texts.count(["you,", "idiot!"]) + texts.count(["you", "idiot"]) == 400
