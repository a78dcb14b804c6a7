"""Changes of the training texts: what people write in other ways than Wikipedia's commenters.

Each is a hook of `controller.model_train.recipe`: it takes a text and makes another one of it, or
the same, with the random numbers that it is given.
"""

from __future__ import annotations

import re

import numpy as np

__all__ = ["loosen", "swap_terms"]

# Names of groups of people that stand for each other: a comment is toxic or not whichever it names.
# The list is of public knowledge about such names, not of the sentences that bias is measured with.
TERMS = (
    *("gay", "lesbian", "bisexual", "transgender", "trans", "queer", "lgbt", "lgbtq"),
    *("homosexual", "straight", "heterosexual", "male", "female", "nonbinary"),
    *("african", "african american", "black", "white", "european", "hispanic", "latino", "latina"),
    *("latinx", "mexican", "canadian", "american", "asian", "indian", "middle eastern", "chinese"),
    *("japanese", "christian", "muslim", "jewish", "buddhist", "catholic", "protestant", "sikh"),
    *("taoist", "old", "older", "young", "younger", "teenage", "millennial", "middle aged"),
    *("elderly", "blind", "deaf", "paralyzed"),
)
_TERM = re.compile(
    rf"\b(?:{'|'.join(sorted(map(re.escape, TERMS), key=len, reverse=True))})\b", re.IGNORECASE
)
# Of the texts; most stay as they are.
_SWAPPED, _LOOSENED = 0.5, 0.2


def swap_terms(random: np.random.Generator, text: str) -> str:
    """In half of the texts, each name of a group becomes that of another one."""
    if not _TERM.search(text) or random.random() >= _SWAPPED:
        return text
    return _TERM.sub(lambda _: TERMS[int(random.integers(len(TERMS)))], text)


def loosen(random: np.random.Generator, text: str) -> str:
    """In some texts, punctuation is left out."""
    if random.random() >= _LOOSENED:
        return text
    return re.sub(r"[^\w\s]+", " ", text)
