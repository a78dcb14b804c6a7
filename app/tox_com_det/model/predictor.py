"""From texts to scores: tokens, their vectors, the head."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tox_com_det.model.head import Head
from tox_com_det.model.manifest import Manifest
from tox_com_det.model.tokenizer import pad_sequence
from tox_com_det.store.vectors import Vectors

# Numbers of a stored row, and those that the head takes.
_NUMBERS = {"float32": ("<f4", "<f4"), "float16": ("<f2", "<f4"), "index": ("<i4", "<i4")}

Lookup = Callable[[Iterable[str]], dict[str, bytes]]


@dataclass(frozen=True)
class Prediction:
    """Scores of one text, in the order of the manifest's labels, and what became of its words.

    `known` and `unknown` count tokens; `used` counts the places of the sequence that are not
    padding, so words cut off at its end are in `known` but not in `used`.
    """

    scores: tuple[float, ...]
    known: int
    unknown: int
    used: int


class Predictor:
    """One model: a manifest, its head and its vectors. Safe to use from several threads."""

    def __init__(self, manifest: Manifest, head: Head, vectors: Vectors) -> None:
        self.manifest = manifest
        self.vectors = vectors
        self._head = head
        special = manifest.embedding.special_rows
        self._padding = special[0]
        # The manifest holds a second row exactly where there is an oov_token.
        self._unknown = next((row for index, row in special.items() if index != 0), None)

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Predictions of `texts` in order, with at most one database lookup.

        Raises:
            DatabaseUnavailable, EmbeddingNotReady: vectors are missing.
            HeadError: a score is not a number.
        """
        return self._predict(texts, self.vectors.lookup)

    def known_answer_problem(self) -> str | None:
        """Words for the first known answer that does not come out, straight from the database.

        Raises:
            DatabaseUnavailable, EmbeddingNotReady, HeadError: see `predict`.
        """
        answers = self.manifest.known_answers
        texts = [case.text for case in answers.cases]
        predictions = self._predict(texts, self.vectors.lookup_uncached)
        for number, (case, prediction) in enumerate(zip(answers.cases, predictions, strict=True)):
            for label, wanted, score in zip(
                self.manifest.labels, case.scores, prediction.scores, strict=True
            ):
                if abs(score - wanted) > answers.tolerance:
                    return (
                        f"known answer {number}: {label} is {score:.6f}, wanted {wanted:.6f}"
                        f" within {answers.tolerance:g}"
                    )
        return None

    def _predict(self, texts: Sequence[str], lookup: Lookup) -> list[Prediction]:
        if not texts:
            return []
        rules, sequence = self.manifest.tokenizer, self.manifest.sequence
        tokens = [rules.tokens(text) for text in texts]
        rows = lookup(token for one in tokens for token in one)
        embedding = self.manifest.embedding
        stored, used = _NUMBERS[embedding.dtype]
        batch = np.empty((len(texts), sequence.length, embedding.dimension), used)
        mask = np.zeros((len(texts), sequence.length), np.float32)
        counts = []
        for place, one in enumerate(tokens):
            selected = rules.select(one, rows, self._unknown)
            padded = pad_sequence(
                selected, sequence.length, self._padding, sequence.padding, sequence.truncating
            )
            batch[place] = np.frombuffer(b"".join(padded), stored).reshape(batch.shape[1:])
            words = min(len(selected), sequence.length)
            first = sequence.length - words if sequence.padding == "pre" else 0
            mask[place, first : first + words] = 1.0
            known = sum(token in rows for token in one)
            counts.append((known, len(one) - known, words))
        if embedding.dtype == "index":
            batch = batch[:, :, 0]
        scores = self._head.run(batch, mask if self._head.masked else None)
        return [
            Prediction(tuple(map(float, row)), *count)
            for row, count in zip(scores, counts, strict=True)
        ]
