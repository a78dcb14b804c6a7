"""The distribution of scores that a bundle was built with (`fab build-model --sample`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise

__all__ = ["BOUNDS", "KEY", "expected_shares"]

# In a manifest's `built_with`.
KEY = "sample_scores"
# Upper bounds of scores, those of the metric's buckets.
BOUNDS = tuple(number / 10 for number in range(1, 11))


def expected_shares(
    built_with: Mapping[str, str], labels: Sequence[str]
) -> dict[str, tuple[float, ...]]:
    """Share of the sample's scores up to each of `BOUNDS`, by label; {} where there is none.

    What cannot be read is no reason not to serve a model: then there is none.
    """
    try:
        shares = json.loads(built_with.get(KEY, "null"))["shares"]
        found = {label: tuple(map(float, shares[label])) for label in labels}
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
    if all(map(_is_distribution, found.values())):
        return found
    return {}


def _is_distribution(shares: Sequence[float]) -> bool:
    rises = all(one <= next_one for one, next_one in pairwise(shares))
    return len(shares) == len(BOUNDS) and rises and shares[0] >= 0 and shares[-1] == 1
