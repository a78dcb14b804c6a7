"""The error that every parser raises."""

from __future__ import annotations


class ParseError(ValueError):
    """The text is not what its program reads. The message is one line."""
