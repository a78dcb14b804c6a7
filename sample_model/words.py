"""The tokenizer, and the GloVe vectors of its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from keras.preprocessing.sequence import pad_sequences
from keras.preprocessing.text import Tokenizer
from numpy.typing import NDArray

LENGTH = 100
DIMENSION = 50
MAX_WORDS = 20_000
# A word of a single comment is noise to the network, and may be the name of a person.
MIN_COUNT = 2


def fit_tokenizer(texts: Sequence[str]) -> Tokenizer:
    """Keras' Tokenizer fitted to the texts, with words that occur at least MIN_COUNT times."""
    tokenizer = Tokenizer()
    tokenizer.fit_on_texts(texts)
    words = [word for word in tokenizer.word_index if tokenizer.word_counts[word] >= MIN_COUNT]
    words = words[: MAX_WORDS - 1]
    tokenizer.num_words = len(words) + 1
    tokenizer.word_index = {word: index for index, word in enumerate(words, start=1)}
    return tokenizer


def sequences(tokenizer: Tokenizer, texts: Sequence[str]) -> NDArray[np.int32]:
    """Word indices of the texts, int32 [texts, LENGTH], padded and cut in front."""
    padded: NDArray[np.int32] = pad_sequences(tokenizer.texts_to_sequences(texts), maxlen=LENGTH)
    return padded


def read_vectors(path: Path, word_index: Mapping[str, int], rows: int) -> NDArray[np.float32]:
    """GloVe rows of the words, float32 [rows, DIMENSION]; NaN for a word that is not in GloVe."""
    matrix = np.full((rows, DIMENSION), np.nan, np.float32)
    with path.open(encoding="utf-8") as file:
        for line in file:
            word, *numbers = line.rstrip("\n").split(" ")
            if word in word_index and len(numbers) == DIMENSION:
                matrix[word_index[word]] = np.array(numbers, np.float32)
    return matrix
