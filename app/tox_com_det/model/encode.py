"""From a text to the tensors that the head takes, for the server and for `build-model` alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tox_com_det.model.manifest import Manifest
from tox_com_det.model.tokenizer import Side, TokenizerRules, pad_sequence

# Names of the head's inputs.
VECTORS = "vectors"
INDICES = "indices"
MASK = "mask"

# Types of a stored row's numbers, and of those that the head takes.
_STORED = {"float32": "<f4", "float16": "<f2", "index": "<i4"}
_TAKEN = {"float32": "<f4", "float16": "<f4", "index": "<i4"}

Inputs = Mapping[str, NDArray[Any]]


class WordCounts(NamedTuple):
    """Tokens of a text with and without a row, and the positions of the sequence in use.

    Words that were cut off are in `known`, but not in `used`.
    """

    known: int
    unknown: int
    used: int


class Encoded(NamedTuple):
    """The head's inputs by name for a batch of texts, and the counts of each text.

    Inputs are `vectors` (float32, batch x length x dimension) or `indices` (int32,
    batch x length), and `mask` (float32, batch x length, 1 for a word and 0 for padding) where
    the head takes one. They may be read-only.
    """

    inputs: Inputs
    counts: list[WordCounts]


@dataclass(frozen=True)
class TextEncoder:
    """Turns texts into the head's inputs.

    Attributes:
        rules: how a text becomes tokens.
        length: positions of the sequence.
        padding: the side that is filled.
        truncating: the side that is cut.
        padding_row: row of a position without a word, as stored.
        unknown_row: row of a word without a row of its own; None drops such words.
        dtype: `float32` or `float16` where rows are vectors, `index` where a row is the word's
            index as int32. Rows are little-endian bytes.
        masked: whether the head takes `mask`.
    """

    rules: TokenizerRules
    length: int
    padding: Side
    truncating: Side
    padding_row: bytes
    unknown_row: bytes | None
    dtype: str = "float32"
    masked: bool = False

    @classmethod
    def from_manifest(cls, manifest: Manifest, masked: bool) -> TextEncoder:
        """The encoder of a model; `masked` is the head's."""
        sequence, embedding = manifest.sequence, manifest.embedding
        special = embedding.special_rows
        return cls(
            rules=manifest.tokenizer,
            length=sequence.length,
            padding=sequence.padding,
            truncating=sequence.truncating,
            padding_row=special[0],
            # The manifest holds a second row exactly where there is an oov_token.
            unknown_row=next((row for index, row in special.items() if index != 0), None),
            dtype=embedding.dtype,
            masked=masked,
        )

    def tokens(self, texts: Iterable[str]) -> list[list[str]]:
        """Tokens of each text in order: the words whose rows `encode` needs, known or not."""
        return [self.rules.tokens(text) for text in texts]

    def encode(self, tokens: Sequence[Sequence[str]], rows: Mapping[str, bytes]) -> Encoded:
        """The head's inputs for a batch of texts.

        Args:
            tokens: from `tokens`.
            rows: stored row of each known word.
        """
        positions: list[bytes] = []
        counts: list[WordCounts] = []
        mask = np.zeros((len(tokens), self.length), "<f4") if self.masked else None
        for number, one in enumerate(tokens):
            selected = self.rules.select(one, rows, self.unknown_row)
            positions += pad_sequence(
                selected, self.length, self.padding_row, self.padding, self.truncating
            )
            used = min(len(selected), self.length)
            known = sum(map(rows.__contains__, one))
            counts.append(WordCounts(known, len(one) - known, used))
            if mask is not None:
                first = self.length - used if self.padding == "pre" else 0
                mask[number, first : first + used] = 1.0
        numbers = np.frombuffer(b"".join(positions), _STORED[self.dtype])
        # No copy for float32 and indices, which are stored as the head takes them.
        numbers = numbers.astype(_TAKEN[self.dtype], copy=False)
        if self.dtype == "index":
            return Encoded({INDICES: numbers.reshape(len(tokens), self.length)}, counts)
        inputs = {VECTORS: numbers.reshape(len(tokens), self.length, -1)}
        return Encoded(inputs if mask is None else {**inputs, MASK: mask}, counts)

    def inputs(self, texts: Iterable[str], rows: Mapping[str, bytes]) -> Inputs:
        """The head's inputs for `texts`; `rows` holds the stored row of each known word."""
        return self.encode(self.tokens(texts), rows).inputs
