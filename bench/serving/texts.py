"""Seeded texts and the requests that send them, for all systems alike."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from itertools import islice

from bench.serving.load import request

SEED = 15
WORDS = 14
LONG_WORDS = 40
BATCH = 16
# Different texts of a load, so that no system answers one text only.
TEXTS = 64
# Warm words come from the first of the vocabulary, which is in the order of frequency.
_FREQUENT = 2000


class Texts:
    """Texts made of a vocabulary's words, the same in every run."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        """`vocabulary`: in the order of frequency."""
        chosen = random.Random(SEED)  # noqa: S311 (a sample, not a secret)
        frequent = vocabulary[:_FREQUENT]
        self.short = [" ".join(chosen.choices(frequent, k=WORDS)) for _ in range(TEXTS)]
        self.long = [" ".join(chosen.choices(frequent, k=LONG_WORDS)) for _ in range(TEXTS)]
        rare = list(vocabulary[_FREQUENT:])
        chosen.shuffle(rare)
        self._rare = iter(rare)

    def cold(self, count: int) -> list[str]:
        """Texts of words that no text had before; fewer if the vocabulary is used up."""
        return [" ".join(words) for words in islice(self._cold(), count)]

    def _cold(self) -> Iterator[list[str]]:
        while len(words := list(islice(self._rare, LONG_WORDS))) == LONG_WORDS:
            yield words


def single(path: str, texts: Sequence[str]) -> list[bytes]:
    """A request for each text."""
    return [request(path, json.dumps({"text": text}).encode()) for text in texts]


def batches(path: str, texts: Sequence[str]) -> list[bytes]:
    """Requests of `BATCH` texts each."""
    return [
        request(path, json.dumps({"texts": texts[start : start + BATCH]}).encode())
        for start in range(0, len(texts), BATCH)
    ]


def analyses(texts: Sequence[str]) -> list[bytes]:
    """Requests of the Perspective API, as its clients send them."""
    attributes: dict[str, dict[str, str]] = {"TOXICITY": {}, "INSULT": {}}
    return [
        request(
            "/v1alpha1/comments:analyze",
            json.dumps(
                {"comment": {"text": text}, "languages": ["en"], "requestedAttributes": attributes}
            ).encode(),
        )
        for text in texts
    ]
