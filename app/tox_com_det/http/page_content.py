"""What the page shows of one comment, and of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tox_com_det.http.forms import ExplainedWord, Result
from tox_com_det.model.manifest import Manifest
from tox_com_det.model.places import Place

EXAMPLES = (
    "Thank you for your help with this article.",
    "You are an idiot and nobody likes you.",
    "You clearly have no idea what you are talking about.",
    "Go to hell and die.",
)
EXAMPLE_NUMBERS = tuple(map(str, range(len(EXAMPLES))))
# Contributions from which on a word is marked, and more so.
_LEVELS = (("up3", 0.3), ("up2", 0.1), ("up1", 0.03))
_LOWERS = -0.03


@dataclass(frozen=True)
class Part:
    """A part of the comment; `kind` is "" for one that contributes nothing, `says` in words."""

    text: str
    kind: str = ""
    says: str = ""


@dataclass(frozen=True)
class Shown:
    """What the page shows: nothing yet, the scores of a comment, or what is wrong with it."""

    text: str = ""
    status: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    words: Sequence[ExplainedWord] = ()
    parts: Sequence[Part] = ()


def shown(text: str, result: Result) -> Shown:
    """What is shown of a comment with its scores."""
    words = result.explanation if isinstance(result.explanation, list) else []
    highest = max(result.scores, key=lambda label: result.scores[label])
    counts = result.words
    status = f"Highest: {highest}, {result.scores[highest]:.3f}. {counts.known} known word"
    status += "s" if counts.known != 1 else ""
    status += f", {counts.unknown} unknown"
    if counts.cut:
        status += f", {counts.cut} beyond what the model reads"
    return Shown(text, status + ".", result.scores, words, parts(text, words))


def parts(text: str, words: Sequence[ExplainedWord]) -> list[Part]:
    """The comment in parts, or, where words cannot be found in it, the words as they were read."""
    if not words:
        return []
    if not any(word.places for word in words):
        return [part for word in words for part in (_part(word.word, [word]), Part(" "))]
    at: dict[Place, list[ExplainedWord]] = {}
    for word in words:
        for place in word.places:
            at.setdefault(place, []).append(word)
    found, position = [], 0
    for (begin, end), those in sorted(at.items()):
        found += [Part(text[position:begin]), _part(text[begin:end], those)]
        position = end
    return [*found, Part(text[position:])]


def _part(text: str, words: Sequence[ExplainedWord]) -> Part:
    """A word of the comment, marked by the score that it changes most."""
    value, label = max(
        ((value, label) for word in words for label, value in word.contributions.items()),
        key=lambda one: abs(one[0]),
    )
    for kind, level in _LEVELS:
        if value >= level:
            return Part(text, kind, f"raises {label} by {value:.2f}")
    if value <= _LOWERS:
        return Part(text, "down", f"lowers {label} by {-value:.2f}")
    return Part(text)


def facts(manifest: Manifest) -> list[tuple[str, str]]:
    """What the bundle says of its model, as a card would."""
    sequence, embedding, golden = manifest.sequence, manifest.embedding, manifest.golden_outputs
    length = f"{sequence.length} words"
    if sequence.windows is not None:
        windows = sequence.windows
        pooled = "highest score counts" if windows.pooling == "max" else "scores are averaged"
        length += (
            f"; longer comments in up to {windows.most} windows, {windows.stride} words apart,"
            f" whose {pooled}"
        )
    agreement = f"{len(golden.cases)} comments are scored anew before a release goes live"
    if golden.reference_max_difference is not None:
        agreement += f"; Keras' own scores differ by at most {golden.reference_max_difference:.1e}"
    figures = manifest.built_with.get("figures", "")
    return [
        ("Name and version", f"{manifest.name}, {manifest.model_version}"),
        ("Languages", ", ".join(manifest.languages)),
        ("Vocabulary", f"{embedding.count:,} words, {embedding.dimension} numbers for each"),
        ("Reads", length),
        ("Text before it is read", _NORMALIZATIONS[manifest.tokenizer.normalization]),
        *([("ROC-AUC on comments it was not trained on", figures)] if figures else []),
        ("Checked by", agreement),
    ]


_NORMALIZATIONS = {
    "keras": "as Keras does: in small letters, without punctuation",
    "unicode": "in plain letters and blanks, so that look-alikes hide nothing",
}
