"""Scores of a bundle, computed by the service's own code with the rows of its dump."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from controller.model_build.dump_rows import DumpRows
from controller.model_train.errors import TrainError
from controller.progress import step_progress
from tox_com_det.model.bundle import read_head, read_manifest
from tox_com_det.model.head import Head, HeadError
from tox_com_det.model.manifest import Manifest, ManifestError
from tox_com_det.model.predictor import Predictor
from tox_com_det.store.dump import DumpError
from tox_com_det.store.vectors import Vectors

__all__ = ["Scorer", "Sizes"]

Say = Callable[[str], None]
_TEXTS = 32  # of one request
_TIMED = 300  # requests of which the median is taken


@dataclass(frozen=True)
class Sizes:
    """Bytes of the head and of the dump, words, and milliseconds of a short comment."""

    head: int
    dump: int
    words: int
    milliseconds: float


class Scorer:
    """A bundle that is asked for scores."""

    def __init__(self, bundle: Path, texts: Sequence[str] | None = None) -> None:
        """Load the bundle, with the rows of the words of `texts` only where they are given.

        Raises TrainError: it is none, or is damaged.
        """
        try:
            self.manifest: Manifest = read_manifest(bundle)
            tokens = self.manifest.tokenizer.tokens
            words = None if texts is None else {one for text in texts for one in tokens(text)}
            rows = DumpRows(bundle, self.manifest.embedding, words)
            content = read_head(bundle, self.manifest)
            head = Head(content, self.manifest)
        except (OSError, ManifestError, HeadError, DumpError) as error:
            raise TrainError(f"{bundle}: {error}: build it with `fab build-model`") from None
        self._head_bytes, self._dump_bytes, self._words = len(content), rows.bytes, len(rows)
        vectors = Vectors(rows, self.manifest.tokenizer, len(rows))
        self._head, self._vectors = head, vectors
        self._predictor = Predictor(self.manifest, head, vectors)

    def with_manifest(self, manifest: Manifest) -> Scorer:
        """The same head and vectors with other rules for texts."""
        other = copy.copy(self)
        other.manifest = manifest
        other._predictor = Predictor(manifest, self._head, self._vectors)
        return other

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the scores."""
        return tuple(self.manifest.labels)

    def score(
        self, texts: Sequence[str], what: str = "comments", say: Say = print
    ) -> NDArray[np.float64]:
        """Scores, float64 [texts, labels]."""
        found: list[tuple[float, ...]] = []
        with step_progress(f"scoring {what}", len(texts), say) as step:
            for start in range(0, len(texts), _TEXTS):
                part = self._predictor.predict(texts[start : start + _TEXTS])
                found += [one.scores for one in part]
                step(len(found))
        return np.array(found, np.float64).reshape(len(texts), len(self.labels))

    def sizes(self) -> Sizes:
        """Sizes, and the median time of a short comment from its text to its scores."""
        times = []
        for _ in range(_TIMED):
            begin = time.perf_counter()
            self._predictor.predict(["What do you think of the second paragraph, my friend?"])
            times.append(time.perf_counter() - begin)
        median = 1000 * statistics.median(times)
        return Sizes(self._head_bytes, self._dump_bytes, self._words, median)
