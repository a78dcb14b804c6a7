"""Find out whether the training put a token before every text, which the server does not.

`keras.datasets.imdb.load_data()`, which most tutorials use, puts `<START>` (index 1) before every
review, reads unknown words as 2 and adds 3 to every index of `get_word_index()`. A model that was
trained so gives other scores for texts without the token, and neither its file nor a word index
says what was done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from controller.model_build.plausibility import Unusual
from controller.model_build.word_index import WordIndex

_NAMES = frozenset({"start", "bos", "sos", "s", "cls", "startoftext", "beginoftext"})
_OPENING = "<[{(_"
_NO_LETTERS = re.compile(r"[\W_]+")
# Of `keras.datasets.imdb.get_word_index()`: its number of words, and some of its indices.
_IMDB_WORDS = 88_584
_IMDB = {"the": 1, "fawn": 34_701, "tsukino": 52_006}


@dataclass(frozen=True)
class StartToken:
    """An entry of a word index that may stand before every text of the training."""

    word: str
    index: int


def start_token(index: WordIndex) -> StartToken | None:
    """The entry that looks like the start of a text, such as `<START>`; None without one."""
    for raw, number in zip(index.words, index.indices, strict=True):
        if raw[:1].isalnum():
            continue  # a word
        word = raw.decode("utf-8")
        if word[0] in _OPENING and _NO_LETTERS.sub("", word.casefold()) in _NAMES:
            return StartToken(word, int(number))
    return None


def check_start(token: StartToken, difference: float, unusual: Unusual) -> None:
    """Report a start token that changes scores.

    Args:
        difference: of a score between texts with it in front and without.
    """
    unusual(
        f"the word index has {token.word!r} (index {token.index}), which no text becomes: "
        "keras.datasets.imdb.load_data() and others put such a token before every text, the "
        f"server does not, and the scores depend on it (by {difference:.2g} in a trial)",
        "train the model on texts without it, load_data(start_char=None)",
    )


def check_imdb(index: WordIndex, where: str, unusual: Unusual) -> None:
    """Find `keras.datasets.imdb.get_word_index()`, whose indices no model reads as they are.

    Args:
        where: the file, for the error.
    """
    if len(index) != _IMDB_WORDS or any(index.get(word) != at for word, at in _IMDB.items()):
        return
    unusual(
        f"{where} is keras.datasets.imdb.get_word_index(), but load_data() adds 3 to its indices, "
        "reads unknown words as 2 and puts 1 before every text",
        "write the words with their indices plus 3, with '<UNK>' as 2, and '<START>' as 1 unless "
        "the training had load_data(start_char=None)",
    )
