"""The one comparison with golden outputs, which the app and the laptop use too."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from fake_server import LABELS, PACKAGE_DIR

from tox_com_det.model import golden as golden_of_app
from toxctl import golden

GOLDEN = [0.9, 0.25]


@pytest.mark.parametrize(
    ("scores", "difference", "words"),
    [
        ({"toxic": 0.9, "obscene": 0.25}, 0.0, ""),
        ({"toxic": 0.9, "obscene": 0.24995}, 5e-5, ""),
        ({"toxic": 0.9, "obscene": 0}, 0.25, "obscene of 'a' is 0.000000, expected 0.250000"),
        ({"toxic": 0.9}, math.inf, "the labels of 'a' are ['toxic']"),
        ({"toxic": 0.9, "threat": 0.25}, math.inf, "the labels of 'a' are"),
        ({"toxic": math.nan, "obscene": 0.25}, math.inf, "toxic of 'a' is nan, not a finite"),
        ({"toxic": -math.inf, "obscene": 0.25}, math.inf, "toxic of 'a' is -inf, not a finite"),
        ({"toxic": True, "obscene": 0.25}, math.inf, "toxic of 'a' is True, not a finite"),
        ({"toxic": "0.9", "obscene": 0.25}, math.inf, "toxic of 'a' is '0.9', not a finite"),
        ({"toxic": None, "obscene": 0.25}, math.inf, "toxic of 'a' is None, not a finite"),
    ],
)
def test_difference_and_words_for_it(scores: dict[str, Any], difference: float, words: str) -> None:
    assert golden.largest_difference(GOLDEN, LABELS, scores) == pytest.approx(difference)
    found = golden.mismatch("a", GOLDEN, LABELS, scores, tolerance=1e-4)
    assert found.startswith(words)
    assert bool(found) is bool(words)


def test_app_ships_the_same_comparison() -> None:
    """A link of the checkout, which both releases hold as a file."""
    assert golden_of_app.__file__ is not None
    path = Path(golden_of_app.__file__).resolve()
    assert path == PACKAGE_DIR / "toxctl" / "golden.py"


@pytest.mark.parametrize(
    ("scores", "spread", "alike"),
    [
        ([[0.138, 0.01]] * 14, 0.0, True),
        ([[0.138, 0.01], [0.1382, 0.01]], 2e-4, True),
        ([[0.138, 0.01], [0.1384, 0.01]], 4e-4, False),
        ([[0.138, 0.01], [0.138, 0.9]], 0.89, False),
        ([[0.9, 0.1]], 0.0, True),
        ([], 0.0, True),
    ],
)
def test_golden_outputs_that_one_answer_would_match_are_alike(
    scores: list[list[float]], spread: float, alike: bool
) -> None:
    assert golden.spread(scores) == pytest.approx(spread)
    assert golden.alike(scores, tolerance=1.001e-4) is alike
