"""Batches: every text once, similar lengths together, enough padding for the widest kernel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from controller.model_train.batches import batches, count, drop_words, scoring_batches
from controller.model_train.recipe import Recipe

RECIPE = Recipe(batch=8, length=20, train_length=40, widths=(1, 5))


def texts(number: int, longest: int = 60) -> list[np.ndarray]:
    random = np.random.default_rng(5)
    return [
        np.arange(1, int(random.integers(0, longest)) + 1, dtype=np.int32) for _ in range(number)
    ]


def test_each_text_is_in_one_batch() -> None:
    made = list(batches(texts(75), RECIPE, np.random.default_rng(1)))
    assert len(made) == count(75, RECIPE) == 10
    assert sorted(np.concatenate([one.rows for one in made]).tolist()) == list(range(75))


def test_texts_stand_behind_the_padding_and_long_ones_are_cut_anywhere() -> None:
    given = texts(75)
    for batch in batches(given, RECIPE, np.random.default_rng(1)):
        for row, number in zip(batch.indices, batch.rows, strict=True):
            words = row[row > 0]
            assert (row[len(row) - len(words) :] == words).all()
            assert len(words) == min(len(given[number]), 40)
            assert (np.diff(words) == 1).all()


def test_padding_is_wider_than_the_widest_kernel_unless_the_text_fills_the_sequence() -> None:
    for batch in batches(texts(75), RECIPE, np.random.default_rng(1)):
        used = (batch.indices > 0).sum(axis=1).max()
        assert batch.indices.shape[1] >= min(used + 5, 40)


def test_epochs_differ_and_repeat_with_their_seed() -> None:
    def orders(seed: int) -> list[list[int]]:
        made = batches(texts(75), RECIPE, np.random.default_rng(seed))
        return [one.rows.tolist() for one in made]

    assert orders(1) == orders(1) != orders(2)


@pytest.mark.parametrize(("side", "first"), [("pre", 41), ("post", 1)])
@pytest.mark.parametrize("padding", ["pre", "post"])
def test_scored_texts_are_cut_as_the_service_cuts_them(side, first, padding) -> None:
    recipe = replace(RECIPE, truncating=side, padding=padding, windows=1)
    (batch,) = scoring_batches([np.arange(1, 61, dtype=np.int32), np.full(1, 7, np.int32)], recipe)
    assert batch.rows.tolist() == [1, 0]
    assert batch.indices[1].tolist() == list(range(first, first + 20))
    assert batch.indices[0, -1 if padding == "pre" else 0] == 7
    assert batch.indices[0].sum() == 7


def test_each_window_of_a_text_is_scored() -> None:
    recipe = replace(RECIPE, windows=3, stride=15)
    (batch,) = scoring_batches([np.arange(1, 61, dtype=np.int32), np.full(1, 7, np.int32)], recipe)
    assert sorted(batch.rows.tolist()) == [0, 0, 0, 1]
    assert sorted(batch.indices[batch.rows == 0, 0].tolist()) == [11, 26, 41]


def test_words_are_dropped_by_the_share_but_never_all() -> None:
    random = np.random.default_rng(1)
    long = np.arange(1, 1001, dtype=np.int32)
    left = [len(drop_words(random, long, 0.1)) for _ in range(300)]
    assert 0.88 < np.mean(left) / 1000 < 0.92
    assert len(set(left)) > 50
    short = np.int32([1, 2, 3])
    assert drop_words(random, short, 0.5) is short
    assert all(len(drop_words(random, np.int32([1, 2, 3, 4]), 0.5)) for _ in range(300))


def test_a_network_without_kernels_has_batches_too() -> None:
    recipe = replace(RECIPE, widths=(), gru=4)
    made = list(batches(texts(75), recipe, np.random.default_rng(1)))
    assert sorted(np.concatenate([one.rows for one in made]).tolist()) == list(range(75))
