"""Attributes of the API, and the labels of the model that answer them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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
    """Which attributes a model has, and on which scale their scores are."""

    def __init__(
        self,
        labels: Sequence[str],
        mapping: Mapping[str, str],
        maps: Mapping[str, Callable[[float], float]],
    ) -> None:
        """`labels` in the order of the scores, `mapping`: attribute -> label, `maps` of scores."""
        self._maps = maps
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
        return self._positions.get(_without_version(requested))

    def score(self, requested: str, value: float) -> float:
        """A score of the model, mapped if the attribute has a map."""
        score_map = self._maps.get(_without_version(requested))
        return value if score_map is None else score_map(value)


def _without_version(requested: str) -> str:
    return requested.split("@", 1)[0]
