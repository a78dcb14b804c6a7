"""Google's scores beside the model's, attribute by attribute, and the maps fitted to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from controller.deploy.errors import DeployError
from controller.scores.fit import Fit, Unusable, fit_attribute

__all__ = ["Scores", "fit_all", "joined", "left_out", "without_versions"]

Scores = Mapping[str, Mapping[str, float]]
Pairs = dict[str, tuple[float, float]]


def without_versions(scores: Scores) -> dict[str, dict[str, float]]:
    """Return scores by text and attribute, `TOXICITY@6` as TOXICITY."""
    return {
        text: {name.split("@", 1)[0]: value for name, value in found.items()}
        for text, found in scores.items()
    }


def joined(google: Scores, ours: Scores, keys: Mapping[str, str]) -> dict[str, Pairs]:
    """Return (the model's score, Google's) by attribute and text, where there are both.

    Args:
        google: by text and attribute.
        ours: by text and another key.
        keys: attribute -> that key; other attributes are left out.
    """
    found: dict[str, Pairs] = {name: {} for name in keys}
    for text, scores in google.items():
        for name, value in scores.items():
            own = ours.get(text, {}).get(keys.get(name, ""))
            if own is not None:
                found[name][text] = (own, value)
    return found


def fit_all(pairs: Mapping[str, Pairs], say: Callable[[str], None]) -> dict[str, Fit]:
    """Fit the map of each attribute; of one that cannot be fitted, say why.

    Raises:
        DeployError: there is no map at all.
    """
    fits = {}
    for name, one in pairs.items():
        try:
            fits[name] = fit_attribute(one)
        except Unusable as problem:
            say(f"warning: no map for {name}: {problem}")
            continue
        if not fits[name].is_better:
            say(
                f"warning: decisions of {name} agree less often with the map than without: the "
                "model's scores and Google's are not of the same kind"
            )
    if not fits:
        raise DeployError(
            "no attribute has enough pairs, nothing was written: collect more by "
            "`fab collect-scores`"
        )
    return fits


def left_out(google: Scores, keys: Iterable[str]) -> list[str]:
    """Return the attributes of the pairs that the model does not have."""
    return sorted({name for scores in google.values() for name in scores} - set(keys))
