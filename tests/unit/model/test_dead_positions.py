"""Positions of the sequence that no score depends on are found and named."""

from __future__ import annotations

import pytest

from model_build.dead_positions import find_dead_positions, warning
from model_build.embedding import split_model
from model_build.head import build_head
from model_build.keras_h5 import open_model
from model_build.scoring import open_session


def dead(path, spread=1.0):
    with open_model(path) as model:
        split = split_model(model)
        head, _ = build_head(model, split.rest, split.length, split.dimension, logits=True)
    session = open_session(head.SerializeToString())
    return find_dead_positions(session, split.length, split.dimension, spread)


@pytest.mark.parametrize("spread", [0.0, 0.4, 20.0])
def test_last_word_of_the_authors_valid_network_is_never_seen(author_valid, spread):
    """100 -> 96 -> a pool of 5 drops column 95, the only one that sees token 99."""
    assert dead(author_valid.path, spread) == [99]


def test_same_padding_loses_no_position(author_same):
    assert dead(author_same.path) == []


def test_warning_says_what_it_means_for_a_comment():
    line = warning([99], 100, "pre")
    assert "position 99 of 0-99" in line
    assert "last word of every comment is ignored" in line
    assert "one-word comment scores like an empty one" in line


def test_warning_follows_the_side_of_the_padding():
    assert "first word" in warning([0], 100, "post")
    assert "last word" not in warning([99], 100, "post")
    assert warning([], 100, "pre") is None
    assert "positions 0, 1, 2" in warning([0, 1, 2], 100, "pre")
