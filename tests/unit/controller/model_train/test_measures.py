"""Areas, intervals, calibration: against values that were worked out in another way."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from controller.model_train.calibration import fit, fold
from controller.model_train.metrics import (
    average_precision,
    bins,
    bootstrap,
    calibration_error,
    mean_auc,
    roc_auc,
)

TARGET = np.array([1, 0, 1, 1, 0, 0, 1, 0], bool)
SCORE = np.array([0.9, 0.8, 0.8, 0.6, 0.6, 0.3, 0.3, 0.1])


def pairs(target: np.ndarray, score: np.ndarray) -> float:
    """The share of pairs in which the positive one has the higher score; ties count half."""
    wins = [
        1.0 if one > other else 0.5 if one == other else 0.0
        for one, other in itertools.product(score[target], score[~target])
    ]
    return sum(wins) / len(wins)


def test_roc_auc_is_the_share_of_ordered_pairs() -> None:
    assert roc_auc(TARGET, SCORE) == pytest.approx(pairs(TARGET, SCORE))
    random = np.random.default_rng(1)
    target, score = random.random(200) < 0.3, np.round(random.random(200), 2)
    assert roc_auc(target, score) == pytest.approx(pairs(target, score))


def test_counts_are_repeated_texts() -> None:
    counts = np.array([2, 0, 1, 3, 1, 1, 0, 2])
    again = np.repeat(np.arange(8), counts)
    for measure in (roc_auc, average_precision):
        expected = measure(TARGET[again], SCORE[again])
        assert measure(TARGET, SCORE, counts.astype(float)) == pytest.approx(expected)


def test_average_precision_of_a_known_ranking() -> None:
    # Positives at ranks 1 and 3 of 4: (1/1 + 2/3) / 2.
    target = np.array([1, 0, 1, 0], bool)
    found = average_precision(target, np.array([0.9, 0.8, 0.7, 0.1]))
    assert found == pytest.approx((1 + 2 / 3) / 2)


def test_measures_without_both_classes_are_not_numbers() -> None:
    none = np.zeros(3, bool)
    assert math.isnan(roc_auc(none, SCORE[:3]))
    assert math.isnan(average_precision(none, SCORE[:3]))
    assert math.isnan(roc_auc(np.zeros(0, bool), np.zeros(0)))
    assert all(map(math.isnan, bootstrap(roc_auc, none, SCORE[:3], 1, 5)[:1]))


def test_mean_auc_leaves_out_what_is_not_labelled() -> None:
    targets = np.array([[1, np.nan], [0, 1], [np.nan, 0]])
    scores = np.array([[0.9, 0.5], [0.1, 0.2], [0.99, 0.4]])
    assert mean_auc(targets, scores) == pytest.approx((1.0 + 0.0) / 2)
    assert math.isnan(mean_auc(np.full((2, 1), np.nan), np.zeros((2, 1))))


def test_interval_contains_the_value_and_shrinks_with_more_texts() -> None:
    random = np.random.default_rng(2)

    def interval(size: int):
        target = random.random(size) < 0.3
        score = random.normal(size=size) + target
        return bootstrap(roc_auc, target, score, seed=1, rounds=200)

    small, large = interval(200), interval(5000)
    assert small.low < small.value < small.high
    assert large.high - large.low < (small.high - small.low) / 2


def test_interval_repeats_with_its_seed() -> None:
    first, again = (bootstrap(roc_auc, TARGET, SCORE, seed=3, rounds=20) for _ in range(2))
    assert first == again


def test_calibration_error_of_known_bins() -> None:
    score = np.array([0.15, 0.15, 0.95, 1.0])
    target = np.array([0, 1, 1, 1], bool)
    low, high = bins(target, score, 10)
    assert low == (pytest.approx(0.15), 0.5, 2)
    assert high == (pytest.approx(0.975), 1.0, 2)
    assert calibration_error(target, score, 10) == pytest.approx(0.5 * 0.35 + 0.5 * 0.025)


def scored(slope: float, offset: float, size: int = 20_000):
    """Logits whose true probability is sigmoid(slope * logit + offset)."""
    random = np.random.default_rng(7)
    logit = random.normal(0, 2, size).astype(np.float32)
    chance = 1 / (1 + np.exp(-(slope * logit + offset)))
    return logit, (random.random(size) < chance).astype(np.float32)


def test_scaling_finds_the_slope_and_offset_of_each_label() -> None:
    first, second = scored(0.5, -1.0), scored(2.0, 0.5)
    logits, targets = (np.stack(pair, axis=1) for pair in zip(first, second, strict=True))
    targets[::3, 0] = np.nan
    scaling = fit(logits, targets)
    assert scaling.slopes == pytest.approx([0.5, 2.0], abs=0.1)
    assert scaling.offsets == pytest.approx([-1.0, 0.5], abs=0.1)
    after = 1 / (1 + np.exp(-(logits[:, 1] * scaling.slopes[1] + scaling.offsets[1])))
    assert calibration_error(targets[:, 1] > 0.5, after) < 0.015


@pytest.mark.parametrize("case", ["few", "opposite"])
def test_label_that_cannot_be_scaled_keeps_its_logits(case: str) -> None:
    logit, target = scored(1.0, 0.0, 500)
    target = np.where(np.arange(500) < 9, 1.0, 0.0) if case == "few" else 1 - target
    scaling = fit(logit[:, None], target[:, None].astype(np.float32))
    assert (scaling.slopes.tolist(), scaling.offsets.tolist()) == ([1.0], [0.0])


def test_separated_classes_give_finite_numbers() -> None:
    logit = np.linspace(-30, 30, 200, dtype=np.float32)
    scaling = fit(logit[:, None], (logit > 0).astype(np.float32)[:, None])
    assert np.isfinite(scaling.slopes).all()
    assert np.isfinite(scaling.offsets).all()
    assert scaling.slopes[0] > 0


def test_folded_layer_gives_the_scaled_logits() -> None:
    random = np.random.default_rng(3)
    values = random.normal(size=(50, 4)).astype(np.float32)
    kernel, bias = random.normal(size=(4, 2)).astype(np.float32), np.float32([0.3, -0.2])
    scaling = fit(
        values @ kernel + bias, (random.random((50, 2)) < 0.5).astype(np.float32)
    )._replace(slopes=np.array([2.0, 0.5]), offsets=np.array([1.0, -1.0]))
    after, offset = fold(kernel, bias, scaling)
    expected = (values @ kernel + bias) * [2.0, 0.5] + [1.0, -1.0]
    assert values @ after + offset == pytest.approx(expected, abs=1e-5)
