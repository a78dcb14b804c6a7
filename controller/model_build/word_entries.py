"""Words and indices as they are read, in compact form."""

from __future__ import annotations

from array import array
from typing import Any

_MAX_INDEX = 2**31 - 1
# Names of the padding, which has the index 0 where a vocabulary lists it.
_PADDING = frozenset({"", "<pad>", "[pad]", "pad", "<padding>", "__pad__", "_pad_", "-pad-"})


# How the vocabulary of a TextVectorization begins.
VECTORIZATION = ["", "[UNK]"]


class WrongIndex(ValueError):
    """A word with an invalid index; the message is complete."""


def is_padding(word: str) -> bool:
    """Whether an entry is the padding's, by its name."""
    return word.strip().casefold() in _PADDING


class Entries:
    """Words (UTF-8) and their indices, in the order in which they were added."""

    def __init__(self) -> None:
        self.words: list[bytes] = []
        self.indices = array("q")

    def add(self, word: bytes, index: Any) -> None:
        """Add a word; the padding at index 0 is no word and left out.

        Raises:
            WrongIndex: the index is not an integer from 1 to 2**31 - 1.
        """
        if not isinstance(index, int) or isinstance(index, bool) or not 1 <= index <= _MAX_INDEX:
            shown = word.decode("utf-8", "replace")
            if index == 0 and not isinstance(index, bool):
                if is_padding(shown):
                    return
                why = "index 0 is the padding (a vectorizer of scikit-learn counts from 0)"
            else:
                why = "an index is an integer from 1"
            raise WrongIndex(
                f"word {shown!r} has index {_shown(index)}, but {why}: write the word index again "
                "from the tokenizer"
            )
        self.words.append(word)
        self.indices.append(index)

    def number(self, words: list[str]) -> None:
        """Add the words of a list: from 1, or from 0 where the first one is the padding."""
        first = 0 if words and is_padding(words[0]) else 1
        for index, word in enumerate(words, start=first):
            self.add(utf8(word), index)


def utf8(word: Any) -> bytes:
    """A word as UTF-8.

    Raises:
        ValueError: no text, or half a character.
    """
    if not isinstance(word, str):
        raise ValueError(f"{_shown(word)} is not a word")
    try:
        return word.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"the word {word!r} is not UTF-8 text") from error


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
