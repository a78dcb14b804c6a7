"""From texts to scores: tokens, vectors, head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tox_com_det.model.encode import TextEncoder
from tox_com_det.model.explain import Explanation, TooManyWordsToExplain, Variants, explanation
from tox_com_det.model.golden import largest_difference, mismatch
from tox_com_det.model.head import Head
from tox_com_det.model.manifest import Manifest
from tox_com_det.model.usable_words import UsableWords, usable_words
from tox_com_det.store.vectors import Vectors

# Windows of one run of the head, most texts have one: between two runs, shorter requests go first.
WINDOWS_PER_RUN = 4


def _do_not_rest() -> None:
    """For callers without other requests."""


@dataclass(frozen=True)
class Prediction:
    """Scores of one text, in the order of the manifest's labels, and counts of its words.

    `known` and `unknown` count the tokens that the sequence could use, or the windows of a long
    text together, `used` those that take a position, each once, and `cut` the tokens that were cut
    off. A token that was cut off is not looked up, so it counts as neither known nor unknown.
    """

    scores: tuple[float, ...]
    known: int
    unknown: int
    used: int
    cut: int


@dataclass(frozen=True)
class GoldenCheck:
    """Largest difference from the golden outputs; description of the first mismatch or ""."""

    largest: float
    problem: str


class Predictor:
    """One model: a manifest, its head and its vectors. Safe to use from several threads."""

    def __init__(
        self,
        manifest: Manifest,
        head: Head,
        vectors: Vectors,
        rest: Callable[[], None] = _do_not_rest,
    ) -> None:
        """A predictor that calls `rest` between two steps of its work, of a few milliseconds."""
        self._rest = rest
        self.manifest = manifest
        self.vectors = vectors
        self._head = head
        self._encoder = TextEncoder.from_manifest(manifest, head.masked, head.least_padding)

    def predict(self, texts: Sequence[str], max_unknown: int | None = None) -> list[Prediction]:
        """Predictions of `texts` in order; short texts take one database lookup at most.

        Args:
            texts: the texts of one request.
            max_unknown: distinct unknown words that they may have; None for no limit.

        Raises:
            DatabaseUnavailable, EmbeddingNotReady: vectors cannot be looked up.
            HeadError: a score is not a number.
            TooManyUnknownWords: the texts have more.
        """
        return self.score(self.look_up(texts, max_unknown))

    def look_up(self, texts: Sequence[str], max_unknown: int | None = None) -> UsableWords:
        """The words of `texts` that their scores depend on, for `score` and `explain`.

        Raises:
            DatabaseUnavailable, EmbeddingNotReady, TooManyUnknownWords: see `predict`.
        """
        return usable_words(self._encoder, texts, self.vectors.lookup, max_unknown, self._rest)

    def score(self, words: UsableWords) -> list[Prediction]:
        """Predictions of the texts whose words were looked up, in order.

        Raises:
            HeadError: a score is not a number.
        """
        predictions: list[Prediction] = []
        # Without windows, four texts of one window each share a run.
        for start in range(0, len(words.tokens), WINDOWS_PER_RUN):
            part = slice(start, start + WINDOWS_PER_RUN)
            self._rest()
            chosen = [self._encoder.choose(tokens, words.rows) for tokens in words.tokens[part]]
            scores = self._run([window for one in chosen for window in one.windows])
            first = 0
            for one, cut in zip(chosen, words.cut[part], strict=True):
                end = first + len(one.windows)
                pooled = self._encoder.pool(scores[first:end])
                predictions.append(Prediction(tuple(pooled.tolist()), *one.counts, cut))
                first = end
        return predictions

    def explain(self, texts: Sequence[str], words: UsableWords, most: int) -> list[Explanation]:
        """What each word of `texts` contributes to their scores.

        Args:
            texts: the texts of one request.
            words: theirs, from `look_up`.
            most: windows that may be scored for it, beside those of the texts themselves.

        Raises:
            HeadError: a score is not a number.
            TooManyWordsToExplain: there are more; nothing was scored.
        """
        variants: list[Variants] = []
        left = most
        for tokens in words.tokens:
            try:
                one = Variants.of(self._encoder, tokens, words.rows, self._rest, left)
            except TooManyWordsToExplain:
                raise TooManyWordsToExplain(most) from None
            variants.append(one)
            left -= len(one)
        found = []
        for text, tokens, one in zip(texts, words.tokens, variants, strict=True):
            scores = self._run([*one.originals, *one.all()])
            own = len(one.originals)
            contributions = one.contributions(self._encoder, scores[:own], scores[own:], words.rows)
            found.append(explanation(self._encoder, text, tokens, contributions, self._rest))
        return found

    def check_golden_outputs(self) -> GoldenCheck:
        """Score the golden outputs' texts with rows from the database, not the cache; compare.

        Raises:
            DatabaseUnavailable, EmbeddingNotReady, HeadError: see `predict`.
        """
        golden, labels = self.manifest.golden_outputs, self.manifest.labels
        texts = [case.text for case in golden.cases]
        lookup = self.vectors.lookup_uncached
        predictions = self.score(usable_words(self._encoder, texts, lookup, rest=self._rest))
        largest, problem = 0.0, ""
        for number, (case, prediction) in enumerate(zip(golden.cases, predictions, strict=True)):
            scores = dict(zip(labels, prediction.scores, strict=True))
            largest = max(largest, largest_difference(case.scores, labels, scores))
            wrong = mismatch(case.text, case.scores, labels, scores, golden.tolerance)
            if wrong and not problem:
                problem = f"golden output {number}: {wrong}"
        return GoldenCheck(largest, problem)

    def _run(self, windows: Sequence[Sequence[bytes]]) -> NDArray[np.float32]:
        """Scores of windows, float32 windows x labels, a few in each run."""
        scores = []
        for start in range(0, len(windows), WINDOWS_PER_RUN):
            if start:
                self._rest()
            inputs = self._encoder.tensors(windows[start : start + WINDOWS_PER_RUN])
            scores.append(self._head.run(inputs))
        return scores[0] if len(scores) == 1 else np.concatenate(scores)
