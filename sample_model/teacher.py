"""A linear model of words and of parts of words, whose scores the network learns as well.

It reads spellings that the network, which knows whole words, has never seen; the mean of both ranks
comments better than each. Needs scikit-learn, which the environment with Keras has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

__all__ = ["Teacher"]

Say = Callable[[str], None]
Scores = NDArray[np.float32]
_FOLDS = 3
_STRENGTH = 3.0  # inverse of the regularization


class Teacher:
    """Scores of texts, which are tokens with blanks between them."""

    def __init__(self, texts: Sequence[str], targets: Scores, say: Say) -> None:
        """Fit the features to texts, and a model for each label to their targets (NaN: none)."""
        self._features = [
            TfidfVectorizer(
                sublinear_tf=True,
                ngram_range=(1, 2),
                min_df=2,
                max_features=150_000,
                token_pattern=r"\S+",  # noqa: S106 (no password: what a token is)
                dtype=np.float32,
            ),
            TfidfVectorizer(
                analyzer="char_wb",
                sublinear_tf=True,
                ngram_range=(2, 5),
                min_df=3,
                max_features=200_000,
                dtype=np.float32,
            ),
        ]
        self._targets, self._say = targets, say
        found = [one.fit_transform(texts) for one in self._features]
        self._rows = scipy.sparse.hstack(found).tocsr()
        say(f"linear model: {self._rows.shape[1]} features of {len(texts)} texts")
        self._models = [_fit(self._rows, target) for target in targets.T]
        say("linear model fitted")

    def score(self, texts: Sequence[str]) -> Scores:
        """Scores, float32 [texts, labels]."""
        return _scores(self._models, self._of(texts))

    def score_own(self, seed: int) -> Scores:
        """Scores of the texts that it is fitted to, each by models that have not seen it."""
        fold = np.random.default_rng(seed).integers(0, _FOLDS, len(self._targets))
        found = np.zeros(self._targets.shape, np.float32)
        for number in range(_FOLDS):
            inside = fold == number
            models = [_fit(self._rows[~inside], target) for target in self._targets[~inside].T]
            found[inside] = _scores(models, self._rows[inside])
            self._say(f"linear model without fold {number + 1} of {_FOLDS} fitted")
        return found

    def _of(self, texts: Sequence[str]) -> Any:
        return scipy.sparse.hstack([one.transform(texts) for one in self._features]).tocsr()


def _fit(rows: Any, target: Scores) -> Any:
    given = ~np.isnan(target)
    model = LogisticRegression(C=_STRENGTH, solver="liblinear")
    return model.fit(rows[given], target[given] > 0.5)


def _scores(models: Sequence[Any], rows: Any) -> Scores:
    return np.stack([one.predict_proba(rows)[:, 1] for one in models], axis=1).astype(np.float32)
