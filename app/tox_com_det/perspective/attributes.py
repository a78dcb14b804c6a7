"""Attributes of the API, and the labels of the model that answer them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# Of a model with the labels of the article, which are those of the Jigsaw data set.
DEFAULT_LABELS = {
    "TOXICITY": "toxic",
    "SEVERE_TOXICITY": "severe_toxic",
    "PROFANITY": "obscene",
    "OBSCENE": "obscene",
    "THREAT": "threat",
    "INSULT": "insult",
    "IDENTITY_ATTACK": "identity_hate",
}


class Attributes:
    """Which attributes a model has."""

    def __init__(self, labels: Sequence[str], mapping: Mapping[str, str]) -> None:
        """`labels` of the model in the order of its scores; `mapping`: attribute -> label."""
        self._positions = {
            name: labels.index(label) for name, label in mapping.items() if label in labels
        }

    @property
    def names(self) -> list[str]:
        """The attributes that can be requested."""
        return list(self._positions)

    def position(self, requested: str) -> int | None:
        """The position of an attribute's score; None: the model does not have it.

        Args:
            requested: its name, perhaps with a version: `TOXICITY@6`.
        """
        return self._positions.get(requested.split("@", 1)[0])
