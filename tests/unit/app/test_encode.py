"""Text to tensor, the same on the server and on the laptop."""

import struct
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from tox_com_det.model.encode import TextEncoder, WordCounts
from tox_com_det.model.tokenizer import TokenizerRules

ROWS = {"you": [1.0, 1.5], "are": [2.0, 2.5], "great": [3.0, 3.5], "work": [4.0, 4.5]}


def stored(values, dtype="<f4"):
    return np.array(values, dtype).tobytes()


def encoder(**changes):
    plain = TextEncoder(
        rules=TokenizerRules(),
        length=3,
        padding="pre",
        truncating="pre",
        padding_row=stored([0.25, 0.5]),
        unknown_row=None,
    )
    return replace(plain, **changes)


class Encoded(NamedTuple):
    inputs: dict
    counts: list


def encode(one, *texts, dtype="<f4") -> Encoded:
    rows = {word: stored(values, dtype) for word, values in ROWS.items()}
    chosen = [one.choose(tokens, rows) for tokens in one.tokens(texts)]
    inputs = one.tensors([window for found in chosen for window in found.windows])
    return Encoded(inputs, [found.counts for found in chosen])


PAD = [0.25, 0.5]
OOV = "<oov>"


@pytest.mark.parametrize(
    ("padding", "truncating", "short", "long"),
    [
        ("pre", "pre", [PAD, PAD, ROWS["you"]], [ROWS["are"], ROWS["great"], ROWS["work"]]),
        ("post", "pre", [ROWS["you"], PAD, PAD], [ROWS["are"], ROWS["great"], ROWS["work"]]),
        ("pre", "post", [PAD, PAD, ROWS["you"]], [ROWS["you"], ROWS["are"], ROWS["great"]]),
        ("post", "post", [ROWS["you"], PAD, PAD], [ROWS["you"], ROWS["are"], ROWS["great"]]),
    ],
)
def test_texts_are_filled_and_cut_on_their_side(padding, truncating, short, long):
    one = encoder(padding=padding, truncating=truncating)
    encoded = encode(one, "you", "you are great work")
    assert encoded.inputs.keys() == {"vectors"}
    assert encoded.inputs["vectors"].tolist() == [short, long]
    assert encoded.counts == [WordCounts(1, 0, 1), WordCounts(4, 0, 3)]


@pytest.mark.parametrize(
    ("padding", "mask"),
    [("pre", [[0, 1, 1], [0, 0, 0], [1, 1, 1]]), ("post", [[1, 1, 0], [0, 0, 0], [1, 1, 1]])],
)
def test_mask_marks_the_positions_of_words(padding, mask):
    encoded = encode(
        encoder(padding=padding, masked=True), "you zork are", "zork", "you are great work"
    )
    assert encoded.inputs["mask"].tolist() == mask
    assert encoded.inputs["mask"].dtype == np.float32


def test_float16_rows_become_float32():
    one = encoder(dtype="float16", padding_row=stored([0.25, 0.5], "<f2"))
    vectors = encode(one, "great you", dtype="<f2").inputs["vectors"]
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[PAD, ROWS["great"], ROWS["you"]]]


def test_indices_have_no_dimension():
    one = encoder(dtype="index", padding_row=struct.pack("<i", 0))
    rows = {"you": struct.pack("<i", 7), "are": struct.pack("<i", 9)}
    inputs = one.tensors([[rows["you"], rows["are"]], []])
    assert inputs.keys() == {"indices"}
    assert inputs["indices"].dtype == np.int32
    assert inputs["indices"].tolist() == [[0, 7, 9], [0, 0, 0]]


def test_unknown_words_take_the_unknown_row_only_with_an_oov_token():
    unknown = stored([9.0, 9.5])
    dropped = encode(encoder(unknown_row=unknown), "you zork")
    assert dropped.inputs["vectors"].tolist() == [[PAD, PAD, ROWS["you"]]]
    assert dropped.counts == [WordCounts(1, 1, 1)]
    kept = encode(encoder(unknown_row=unknown, rules=TokenizerRules(oov_token=OOV)), "you zork")
    assert kept.inputs["vectors"].tolist() == [[PAD, ROWS["you"], [9.0, 9.5]]]
    assert kept.counts == [WordCounts(1, 1, 2)]


def test_rows_are_copied_once_where_they_are_stored_as_the_head_takes_them():
    vectors = encode(encoder(), "you").inputs["vectors"]
    assert not vectors.flags.writeable  # a view of the joined bytes


def test_encoder_of_a_manifest_takes_its_rules(bundle):
    bundle.masked = True
    one = TextEncoder.from_manifest(bundle.load(), masked=True)
    rows = {word: row for word, _, row in bundle.rows()}
    tokens = one.tokens(["You are GREAT!", ""])
    inputs = one.tensors([one.choose(found, rows).windows[0] for found in tokens])
    assert inputs["vectors"].shape == (2, bundle.length, bundle.dimension)
    assert inputs["vectors"][0, -1].tolist() == bundle.vectors["great"].tolist()
    assert inputs["vectors"][1].tolist() == [bundle.padding.tolist()] * bundle.length
    assert inputs["mask"].tolist() == [[0, 0, 0, 1, 1, 1], [0] * 6]


def test_padding_that_the_head_does_not_notice_is_left_out():
    one = encoder(length=9, least_padding=2)
    encoded = encode(one, "you", "you are great")
    assert encoded.inputs["vectors"].tolist() == [
        [PAD, PAD, PAD, PAD, ROWS["you"]],
        [PAD, PAD, ROWS["you"], ROWS["are"], ROWS["great"]],
    ]
    assert encode(one, "").inputs["vectors"].tolist() == [[PAD, PAD]]
    full = "you are great work " * 2
    assert encode(one, full).inputs["vectors"].shape == (1, 9, 2)
    assert encode(one, full * 2).inputs["vectors"].shape == (1, 9, 2)
