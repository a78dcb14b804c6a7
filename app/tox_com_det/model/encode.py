"""From a text to the tensors that the head takes, for the server and for `build-model` alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from tox_com_det.model.manifest import Manifest
from tox_com_det.model.tokenizer import Side, TokenizerRules, pad_sequence
from tox_com_det.model.windows import Windows

# Names of the head's inputs.
VECTORS = "vectors"
INDICES = "indices"
MASK = "mask"

# Types of a stored row's numbers, and of those that the head takes.
_STORED = {"float32": "<f4", "float16": "<f2", "index": "<i4"}
_TAKEN = {"float32": "<f4", "float16": "<f4", "index": "<i4"}

Inputs = Mapping[str, NDArray[Any]]
T = TypeVar("T")


class WordCounts(NamedTuple):
    """Tokens of a text with and without a row, and the positions of the sequence in use.

    Words that were cut off are in `known`, but not in `used`.
    """

    known: int
    unknown: int
    used: int


class Chosen(NamedTuple):
    """The rows of a text that the head reads: one window, or several where the model has them.

    A window holds the rows of at most `length` words in order, without padding.
    """

    windows: list[Sequence[bytes]]
    counts: WordCounts


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
        windows: how a text with more words than positions is read; None cuts it, as Keras does.
        least_padding: positions of padding from which on the head notices no more of them; None
            if it takes whole sequences only.
    """

    rules: TokenizerRules
    length: int
    padding: Side
    truncating: Side
    padding_row: bytes
    unknown_row: bytes | None
    dtype: str = "float32"
    masked: bool = False
    windows: Windows | None = None
    least_padding: int | None = None

    @classmethod
    def from_manifest(
        cls, manifest: Manifest, masked: bool, least_padding: int | None = None
    ) -> TextEncoder:
        """The encoder of a model; `masked` and `least_padding` are the head's."""
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
            windows=sequence.windows,
            least_padding=least_padding,
        )

    @property
    def capacity(self) -> int:
        """Words of a text that are read at most: what is beyond them is cut."""
        return self.windows.capacity(self.length) if self.windows else self.length

    def tokens(self, texts: Iterable[str]) -> list[list[str]]:
        """Tokens of each text in order: the words whose rows `choose` needs, known or not."""
        return [self.rules.tokens(text) for text in texts]

    def choose(self, tokens: Sequence[str], rows: Mapping[str, bytes]) -> Chosen:
        """The windows of one text, and the counts of its words.

        Args:
            tokens: the text's, from `tokens`.
            rows: stored row of each known word.
        """
        selected = self.rules.select(tokens, rows, self.unknown_row)
        known = sum(map(rows.__contains__, tokens))
        used = min(len(selected), self.capacity)
        counts = WordCounts(known, len(tokens) - known, used)
        return Chosen(self.windows_of(selected), counts)

    def used_tokens(self, tokens: Sequence[str], rows: Mapping[str, bytes]) -> list[str]:
        """The tokens that have a row, in the order in which `choose` takes their rows."""
        if self.unknown_row is not None:
            return list(tokens)
        return [token for token in tokens if token in rows]

    def windows_of(self, selected: Sequence[T]) -> list[Sequence[T]]:
        """The windows over what a text has for its words, without padding."""
        if self.windows is None or len(selected) <= self.length:
            return [selected]
        used = min(len(selected), self.capacity)
        kept = selected[-used:] if self.truncating == "pre" else selected[:used]
        starts = self.windows.starts(used, self.length)
        return [kept[start : start + self.length] for start in starts]

    def tensors(self, windows: Sequence[Sequence[bytes]]) -> Inputs:
        """The head's inputs by name for a batch of windows from `choose`; may be read-only.

        They are `vectors` (float32, batch x length x dimension) or `indices` (int32,
        batch x length), and `mask` (float32, batch x length, 1 for a word and 0 for padding) where
        the head takes one. The length is shorter where the head does not notice (`least_padding`).
        """
        length = self._length_of(windows)
        positions: list[bytes] = []
        for window in windows:
            positions += pad_sequence(
                window, length, self.padding_row, self.padding, self.truncating
            )
        numbers = np.frombuffer(b"".join(positions), _STORED[self.dtype])
        # No copy for float32 and indices, which are stored as the head takes them.
        numbers = numbers.astype(_TAKEN[self.dtype], copy=False)
        if self.dtype == "index":
            return {INDICES: numbers.reshape(len(windows), length)}
        inputs = {VECTORS: numbers.reshape(len(windows), length, -1)}
        return {**inputs, MASK: self._mask(windows)} if self.masked else inputs

    def _length_of(self, windows: Sequence[Sequence[bytes]]) -> int:
        """Positions that the head needs for a batch."""
        if self.least_padding is None:
            return self.length
        return min(self.length, max(map(len, windows), default=0) + self.least_padding)

    def _mask(self, windows: Sequence[Sequence[bytes]]) -> NDArray[np.float32]:
        mask = np.zeros((len(windows), self.length), "<f4")
        for number, window in enumerate(windows):
            used = min(len(window), self.length)
            first = self.length - used if self.padding == "pre" else 0
            mask[number, first : first + used] = 1.0
        return mask

    def pool(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of a text, one per label, from those of its windows, windows x labels."""
        return scores[0] if len(scores) == 1 or self.windows is None else self.windows.pool(scores)
