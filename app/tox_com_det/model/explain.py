"""What each word of a text contributes to its scores, found by leaving it out.

A word's contribution is the text's score minus the score with the word's row replaced by that of
the padding, wherever the word occurs: an insult that occurs twice contributes what both do. Only
the windows that have the word are scored again. The contributions do not add up to the score,
because words work together, and with pooling another window may take over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tox_com_det.model.encode import TextEncoder
from tox_com_det.model.places import Place, places

Window = Sequence[bytes]


class TooManyWordsToExplain(Exception):
    """Explaining the texts of a request takes more windows than a request may have.

    Attributes:
        limit: windows that are accepted.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"more than {limit} windows to explain")
        self.limit = limit


@dataclass(frozen=True)
class Contribution:
    """A word that the model read, and what it contributes to each score, in the labels' order.

    `known`: whether it has a row of its own; otherwise it has the row of unknown words.
    """

    word: str
    known: bool
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Explanation:
    """What the words of one text contribute.

    Attributes:
        words: those that the model read, in order, each once.
        places: of each of them in the text; none where they cannot be told (see `places`).
    """

    words: Sequence[Contribution]
    places: Mapping[str, Sequence[Place]]


def explanation(
    encoder: TextEncoder,
    text: str,
    tokens: Sequence[str],
    words: Sequence[Contribution],
    rest: Callable[[], None],
) -> Explanation:
    """The explanation of a text of which the model read `tokens`, at its start or its end."""
    found: dict[str, list[Place]] = {one.word: [] for one in words}
    if found:
        from_end = encoder.truncating == "pre"
        everywhere = places(encoder.rules, text, tokens, from_end, rest)
        for token, place in zip(tokens, everywhere or (), strict=False):
            if token in found:
                found[token].append(place)
    return Explanation(words, found)


@dataclass(frozen=True)
class Variants:
    """The windows of one text in which one word is padding.

    Attributes:
        originals: the text's own windows.
        windows: for each word in order, the numbers of the windows that have it, and these
            windows.
    """

    originals: Sequence[Window]
    windows: Mapping[str, Mapping[int, Window]]

    @classmethod
    def of(
        cls,
        encoder: TextEncoder,
        tokens: Sequence[str],
        rows: Mapping[str, bytes],
        rest: Callable[[], None],
        most: int,
    ) -> Variants:
        """The variants of a text.

        Args:
            encoder: the model's.
            tokens: the text's that its sequence can use.
            rows: row of each known word.
            rest: called between two words.
            most: windows that may be made.

        Raises:
            TooManyWordsToExplain: there are more.
        """
        words = encoder.windows_of(encoder.used_tokens(tokens, rows))
        originals = encoder.choose(tokens, rows).windows
        holders: dict[str, list[int]] = {}
        for number, window in enumerate(words):
            for word in dict.fromkeys(window):
                holders.setdefault(word, []).append(number)
        if sum(map(len, holders.values())) > most:
            raise TooManyWordsToExplain(most)
        found: dict[str, dict[int, Window]] = {}
        for word, numbers in holders.items():
            rest()
            found[word] = {
                number: _without(word, words[number], originals[number], encoder.padding_row)
                for number in numbers
            }
        return cls(originals, found)

    def __len__(self) -> int:
        return sum(map(len, self.windows.values()))

    def all(self) -> Iterable[Window]:
        """Every window, in order."""
        return (window for one in self.windows.values() for window in one.values())

    def contributions(
        self,
        encoder: TextEncoder,
        originals: NDArray[np.float32],
        scores: NDArray[np.float32],
        rows: Mapping[str, bytes],
    ) -> list[Contribution]:
        """What each word contributes.

        Args:
            encoder: the model's.
            originals: scores of the text's own windows, windows x labels.
            scores: those of `all()`, in its order.
            rows: row of each known word.
        """
        whole = encoder.pool(originals).astype(np.float64)
        found, start = [], 0
        for word, windows in self.windows.items():
            changed = originals.copy()
            changed[list(windows)] = scores[start : start + len(windows)]
            start += len(windows)
            difference = whole - encoder.pool(changed)
            found.append(Contribution(word, word in rows, tuple(map(float, difference))))
        return found


def _without(word: str, words: Sequence[str], window: Window, padding: bytes) -> Window:
    return [padding if one == word else row for one, row in zip(words, window, strict=True)]
