"""Names of the scores: what a build and a training take."""

from __future__ import annotations

__all__ = ["label_problem"]

# Keyboards of Persian and of Indic languages have them, and words are written with them.
_JOINERS = dict.fromkeys(map(ord, "\u200c\u200d"))


def label_problem(label: str) -> str:
    """Return what is wrong with a name that nobody could type or tell from another; '' for none.

    A bundle that was built before may have such names; the server goes on reading them.
    """
    plain = label.translate(_JOINERS)
    if not plain.isprintable() or (plain != label and plain.isascii()):
        return f"the label {label!r} has a character that is not printable: write it without"
    if label != label.strip():
        return f"the label {label!r} begins or ends with a blank: write it without"
    return ""
