"""Positions of the sequence that no score depends on are found and reported."""

from __future__ import annotations

import numpy as np
import pytest
from keras_files import ROWS, head_of

from controller.model_build.dead_positions import (
    IndexTexts,
    VectorTexts,
    find_dead_positions,
    warning,
)
from controller.model_build.scoring import open_session


def dead(path, spread=1.0):
    head, _ = head_of(path)
    session = open_session(head.probe.SerializeToString())
    texts = VectorTexts(head.length, head.dimension, spread)
    return find_dead_positions(session, texts, head.length)


@pytest.mark.parametrize("spread", [0.0, 0.4, 20.0])
def test_last_position_of_the_authors_network_is_dead(author_valid, spread):
    """100 -> 96 -> a pool of 5 drops column 95, the only one that sees token 99."""
    assert dead(author_valid.path, spread) == [99]


def test_same_padding_has_no_dead_position(author_same):
    assert dead(author_same.path) == []


def test_warning_explains_the_effect_on_a_comment():
    line = warning([99], 100, "pre")
    assert "position 99 of 0-99" in line
    assert "last word of every comment is ignored" in line
    assert "one-word comment scores like an empty one" in line


def test_warning_depends_on_the_side_of_the_padding():
    assert "first word" in warning([0], 100, "post")
    assert "last word" not in warning([99], 100, "post")
    assert warning([], 100, "pre") is None
    assert "positions 0, 1, 2" in warning([0, 1, 2], 100, "pre")


def test_head_of_mode_whole_is_probed_with_words(author_valid):
    head, _ = head_of(author_valid.path, mode="whole")
    session = open_session(head.probe.SerializeToString())
    texts = IndexTexts(head.length, np.arange(1, ROWS))
    assert find_dead_positions(session, texts, head.length) == [99]
