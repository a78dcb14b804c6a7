"""Positions of the sequence that no score depends on are found and reported."""

from __future__ import annotations

import json
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import FIXTURES, ROWS, Weights, head_of, layer, write_h5

from controller.model_build.dead_positions import (
    Found,
    describe_sample,
    find_dead_positions,
    sample,
    warning,
)
from controller.model_build.random_texts import IndexTexts, VectorTexts
from controller.model_build.reach import remembering, work

POSITIONS = sorted(FIXTURES.glob("positions_keras*.zip"))
CONVOLUTIONS = ["Embedding", "Conv1D", "MaxPooling1D", "Dense"]


def search(path: Path, rows: np.ndarray | None = None, **options: int) -> Found:
    head, matrix = head_of(path)
    texts = VectorTexts(head.length, matrix if rows is None else rows, head.masked)
    return find_dead_positions(head.probe, texts, head.length, **options)


@pytest.mark.parametrize("spread", [0.0, 0.4, 20.0])
def test_last_position_of_the_authors_network_is_dead(author_valid, spread):
    """100 -> 96 -> a pool of 5 drops column 95, the only one that sees token 99."""
    rows = np.random.default_rng(0).normal(0.0, spread, (20, 6)).astype(np.float32)
    assert search(author_valid.path, rows) == Found([99], 100)


def test_same_padding_has_no_dead_position(author_same):
    assert search(author_same.path).dead == []


def test_head_of_mode_whole_is_probed_with_words(author_valid):
    head, _ = head_of(author_valid.path, mode="whole")
    texts = IndexTexts(head.length, np.arange(1, ROWS))
    assert find_dead_positions(head.probe, texts, head.length) == Found([99], 100)


# --- recurrent layers and gates -------------------------------------------------------------------


@cache
def recorded(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("scores.json"))


CASES = [
    pytest.param(path, name, id=f"{path.stem.removeprefix('positions_')}-{name}")
    for path in POSITIONS
    for name in recorded(path)
    if name != "keras"
]


@pytest.mark.parametrize("mode", ["split", "whole"])
@pytest.mark.parametrize(("path", "name"), CASES)
def test_no_position_that_moves_a_score_of_keras_is_dead(tmp_path, path, name, mode):
    """Gates that are closed for rows around 0 and open for the model's own."""
    with zipfile.ZipFile(path) as archive:
        file = Path(archive.extract(f"{name}.h5", tmp_path))
    moved = recorded(path)[name]["moved"]
    head, matrix = head_of(file, mode=mode)
    texts = (
        VectorTexts(head.length, matrix)
        if mode == "split"
        else IndexTexts(head.length, np.arange(1, len(matrix)))
    )
    found = find_dead_positions(head.probe, texts, head.length)
    assert found == Found([number for number, one in enumerate(moved) if one == 0.0], len(moved))


def test_both_lines_of_keras_are_recorded_with_and_without_dead_positions():
    assert [recorded(path)["keras"].split(".")[0] for path in POSITIONS] == ["2", "3"]
    for path in POSITIONS:
        unmoved = {n: one["moved"].count(0.0) for n, one in recorded(path).items() if n != "keras"}
        assert unmoved == {
            **dict.fromkeys(unmoved, 0),
            "convolution_before_lstm": 3,
            "pool_after_lstm": 2,
        }


# --- the bound of the search ----------------------------------------------------------------------


def lstm(path: Path, length: int, units: int = 4) -> Path:
    random = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return random.normal(0.0, 0.5, shape).astype(np.float32)

    layers = [
        layer("InputLayer", batch_input_shape=[None, length], name="input"),
        layer("Embedding", input_dim=ROWS, output_dim=3, mask_zero=False, name="words"),
        layer("LSTM", units=units, name="lstm"),
        layer("Dense", units=1, activation="sigmoid", name="scores"),
    ]
    weights: Weights = {
        "words": {"embeddings": normal(ROWS, 3)},
        "lstm": {
            "kernel": normal(3, 4 * units),
            "recurrent_kernel": normal(units, 4 * units),
            "bias": normal(4 * units),
        },
        "scores": {"kernel": normal(units, 1), "bias": normal(1)},
    }
    return write_h5(path, layers, weights)


def test_search_tries_as_many_positions_as_the_bound_allows(tmp_path):
    path = lstm(tmp_path / "long.h5", 4447)
    seen: list[int] = []
    head, matrix = head_of(path)
    texts = VectorTexts(head.length, matrix)
    found = find_dead_positions(
        head.probe, texts, head.length, seen.append, most_work=300 * _cost(path)
    )
    assert found == Found([], 100)
    assert seen == sorted(seen)
    assert seen[-1] == 100


def test_bound_of_large_models_is_a_number_of_positions(tmp_path):
    """The issue's LSTM(128) of length 4,447, for which there once was no end."""
    head, _ = head_of(lstm(tmp_path / "large.h5", 4447, units=128))
    assert 50 < 40_000_000_000 // work(head.probe) // 3 < 4447


def test_dead_positions_among_more_than_can_be_tried_are_a_sample_too(author_valid):
    """Every position is dead where the embedding does not reach the scores."""
    cost = _cost(author_valid.path)
    rows = np.zeros((2, 6), np.float32)
    found = search(author_valid.path, rows, most_work=3 * 80 * cost)
    assert found.tried <= 80
    assert found.dead in ([], [99])


def _cost(path: Path) -> int:
    head, _ = head_of(path)
    return work(remembering(head.probe))


def test_sample_has_both_ends_and_positions_between():
    assert sample(10, 10).tolist() == list(range(10))
    chosen = sample(1000, 100)
    assert len(set(chosen.tolist())) == 100
    assert chosen.tolist() == sorted(chosen.tolist())
    assert chosen[:25].tolist() == list(range(25))
    assert chosen[-25:].tolist() == list(range(975, 1000))
    assert np.diff(chosen[25:75]).max() == 19


def test_sample_is_described_and_a_whole_search_is_not():
    assert describe_sample(Found([99], 100), 100) is None
    line = describe_sample(Found([], 64), 4447)
    assert line.startswith("64 of 4447 positions were tried")
    assert line.endswith("each of them has an effect on a score")
    assert "2 of them have no effect" in describe_sample(Found([1, 2], 64), 4447)


# --- words ----------------------------------------------------------------------------------------


def test_warning_explains_the_effect_on_a_comment():
    line = warning([99], 100, "pre", CONVOLUTIONS)
    assert "position 99 of 0-99" in line
    assert "last word of every comment is ignored" in line
    assert "one-word comment scores like an empty one" in line
    assert line.endswith(
        "train with padding='same' in convolution and pooling layers to use every word"
    )


def test_warning_depends_on_the_side_of_the_padding():
    assert "first word" in warning([0], 100, "post", CONVOLUTIONS)
    assert "last word" not in warning([99], 100, "post", CONVOLUTIONS)
    assert warning([], 100, "pre", CONVOLUTIONS) is None
    assert "positions 0, 1, 2" in warning([0, 1, 2], 100, "pre", CONVOLUTIONS)


@pytest.mark.parametrize("layers", [["LSTM", "Dense"], ["GlobalMaxPooling1D", "Dense"], []])
def test_nets_without_convolutions_get_no_advice_about_them(layers):
    line = warning([3], 100, "pre", layers)
    assert line.endswith("words at these positions are ignored")
