"""The error that ends a training: one line with what happened, where, and what to do next."""

from __future__ import annotations

__all__ = ["TrainError"]


class TrainError(Exception):
    """The model cannot be trained; `str(error)` is one line for the user."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
