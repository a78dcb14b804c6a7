"""Ratios of figures of the same round, with their spread, and the goals that they are held to."""

from __future__ import annotations

import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Rounds = Mapping[str, Sequence[Mapping[str, float]]]


@dataclass(frozen=True)
class Spread:
    """Values of several rounds: the middle one, and the smallest and largest."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Goal:
    """What is to be reached.

    Attributes:
        words: what is compared.
        needs: cases without which it is not known.
        value: of one round, from that round's figures by the case's name.
        limit: the goal; None where only the ratio is of interest.
        at_least: whether larger is better.
        unit: after the number.
    """

    words: str
    needs: tuple[str, ...]
    value: Callable[[Mapping[str, Mapping[str, float]]], float]
    limit: float | None
    at_least: bool = False
    unit: str = " x"

    def spread(self, rounds: Rounds) -> Spread | None:
        """Its values in the rounds; None if a case was not measured."""
        if any(not rounds.get(name) for name in self.needs):
            return None
        count = min(len(rounds[name]) for name in self.needs)
        return Spread.of(
            [self.value({name: rounds[name][n] for name in self.needs}) for n in range(count)]
        )

    def is_reached(self, spread: Spread) -> bool:
        """Whether the middle value reaches it; true without a limit."""
        if self.limit is None:
            return True
        reaches = operator.ge if self.at_least else operator.le
        return bool(reaches(spread.middle, self.limit))


def ratio(
    words: str,
    over: str,
    under: Sequence[str],
    limit: float | None = None,
    figure: str = "p50",
) -> Goal:
    """`over` is at most `limit` times the sum of `under`."""
    return Goal(
        words,
        (over, *under),
        lambda found: found[over][figure] / sum(found[name][figure] for name in under),
        limit,
    )


def times_faster(
    words: str, ours: str, other: str, limit: float | None, figure: str = "p50"
) -> Goal:
    """The other's `figure` is at least `limit` times ours; of `per_core` it is ours over theirs."""
    over, under = (ours, other) if figure in ("per_core", "rate") else (other, ours)
    return Goal(
        words,
        (ours, other),
        lambda found: found[over][figure] / max(found[under][figure], 1e-9),
        limit,
        at_least=True,
    )


def beside_head(words: str, ours: str, other: str, head: str, limit: float) -> Goal:
    """Our time beside the head (request minus bare head) is at most `limit` times the other's."""
    return Goal(
        words,
        (ours, other, head),
        lambda found: (
            (found[ours]["p50"] - found[head]["p50"]) / (found[other]["p50"] - found[head]["p50"])
        ),
        limit,
    )


def beside_own_heads(
    words: str, over: tuple[str, str], under: tuple[str, str], limit: float
) -> Goal:
    """Each a request and its bare head: `over`'s difference is at most `limit` times `under`'s."""

    def value(found: Mapping[str, Mapping[str, float]]) -> float:
        large, small = (found[one[0]]["p50"] - found[one[1]]["p50"] for one in (over, under))
        return large / small

    return Goal(words, (*over, *under), value, limit)


def difference(words: str, over: str, under: str, limit: float) -> Goal:
    """`over` takes at most `limit` ms more than `under`."""
    return Goal(
        words,
        (over, under),
        lambda found: found[over]["p50"] - found[under]["p50"],
        limit,
        unit=" ms",
    )
