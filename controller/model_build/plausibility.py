"""Stop a build whose model could not tell one comment from another.

A word index in the wrong form, of another model or of another tokenizer gives a bundle that scores
every comment alike, and every comparison with its own golden outputs then passes. So what the model
can know of a text is checked here: its words, their rows, and whether the golden outputs differ.
The limits say "most", far from every model that was measured; a model that is beyond one of them
and meant so is built with `--accept-unusual`.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from controller.model_build.errors import BuildError
from controller.model_build.keras_model import KerasModel
from controller.model_build.rows import Rows
from controller.model_build.vocabulary import Vocabulary
from controller.model_build.word_index import WordIndex
from tox_com_det.model.tokenizer import TokenizerRules
from toxctl.golden import spread

ACCEPT = "--accept-unusual"
# Trained models spread the golden outputs over 0.2 or more; an untrained one over 0.005 to 0.03
# with the embedding that Keras starts with.
LEAST_SPREAD = 0.01
# GloVe has vectors for a third to a half of the words of a corpus of comments.
MOST_MISSING = 0.9
_SAMPLED_WORDS = 1000
_SHOWN_WORDS = 3
_OWN_TEXTS = (
    'give texts that the model tells apart, "texts": ["...", "..."] in model.json beside the .h5'
)


@dataclass(frozen=True)
class Unusual:
    """Takes findings: each stops the build, or is a warning where the user accepts them."""

    accepted: bool
    say: Callable[[str], None]

    def __call__(self, found: str, command: str) -> None:
        """Report what was found and probably caused it, and what to do.

        Raises:
            BuildError: unless findings are accepted.
        """
        if not self.accepted:
            raise BuildError(f"{found}: {command}; if it is meant so, add {ACCEPT}")
        self.say(f"warning: {found} (accepted)")


def check_words(index: WordIndex, rules: TokenizerRules, where: str, unusual: Unusual) -> None:
    """Find a word index most of whose words the tokenizer never makes of a text.

    Args:
        where: the file, for the error.
    """
    limit = rules.num_words or None
    words = lost = 0
    shown: list[str] = []
    for raw, number in zip(index.words, index.indices, strict=True):
        word = raw.decode("utf-8")
        if word == rules.oov_token or (limit and number >= limit):
            continue
        words += 1
        if rules.tokens(word) != [word]:
            lost += 1
            if len(shown) < _SHOWN_WORDS:
                shown.append(word)
    if 2 * lost > words:
        unusual(
            f"{where}: {lost} of {words} words can never occur in a text, such as "
            f"{_listed(shown)}: the tokenizer makes {rules.tokens(shown[0])} of {shown[0]!r}",
            _why_lost(rules, shown[0]),
        )


def _why_lost(rules: TokenizerRules, word: str) -> str:
    """What to do about a word that the tokenizer never makes of a text."""
    if replace(rules, normalization="keras").tokens(word) == [word]:
        return (
            f'leave out "normalization": "{rules.normalization}", or give the --word-index of a '
            "model that was trained with it"
        )
    if rules.char_level:
        return 'leave out "char_level": true, or give the --word-index of the characters'
    if rules.lower and TokenizerRules(filters=rules.filters, lower=False).tokens(word) == [word]:
        return (
            'give "lower": false in model.json beside the .h5 if the model was trained with '
            "capitals, or its own --word-index"
        )
    return (
        "give the --word-index that the model was trained with, such as tokenizer.to_json(), and "
        '"filters", "lower" and "split" of its tokenizer in model.json beside the .h5'
    )


def check_indices(index: WordIndex, rules: TokenizerRules, rows: int, unusual: Unusual) -> None:
    """Find indices that do not count the words from 1, or leave out most of the matrix.

    Args:
        rows: rows of the embedding's matrix.
    """
    least = int(index.indices.argmin())
    if index.indices[least] > 1:
        unusual(
            f"no word has the index 1, the lowest is {index.indices[least]} "
            f"({index.words[least].decode()!r}), but a Keras Tokenizer counts from 1: the indices "
            "are shifted, or are not indices",
            "give the --word-index that the model was trained with",
        )
    limit = min(rows, rules.num_words or rows)
    used = int((index.indices < limit).sum())
    if 2 * used < limit - 1:
        unusual(
            f"{limit - 1 - used} of {limit - 1} rows of the embedding matrix have no word: the "
            "word index belongs to another model, or its numbers are not indices",
            "give the --word-index that the model was trained with",
        )


def check_rows(chosen: Vocabulary, rows: Rows, unusual: Unusual) -> None:
    """Find a matrix that has the same row, such as zeros, for most words.

    Rare words without a vector are usual with GloVe, so the frequent ones, which have the lowest
    indices, must lack one as well.
    """
    if len(chosen) < 2:
        return
    by_index = np.sort(chosen.indices)
    step = -(-len(by_index) // _SAMPLED_WORDS)
    for sample in (by_index[:_SAMPLED_WORDS], by_index[::step]):
        ((row, count),) = Counter(rows[int(number)] for number in sample).most_common(1)
        if 2 * count <= len(sample):
            return
    what = "zeros" if not np.frombuffer(row, "<f4").any() else "the same numbers"
    unusual(
        f"the embedding matrix has {what} for most words ({count} of {len(sample)}): it was not "
        "trained, or its word vectors were looked up with another word index",
        "train the model again",
    )


def check_found(missing: int, chosen: Vocabulary, unusual: Unusual) -> None:
    """Find word vectors of other words than those of the index.

    Args:
        missing: words of the index without a vector.
    """
    if missing > MOST_MISSING * len(chosen):
        words = [word for word, _ in itertools.islice(chosen, _SHOWN_WORDS)]
        unusual(
            f"{missing} of {len(chosen)} words of the index have no vector, the first words are "
            f"{_listed(words)}: the vectors are of another language, or the word index is in "
            "another form",
            "give another --source, or the --word-index of the model",
        )


def check_trained(model: KerasModel, unusual: Unusual) -> None:
    """Find a model whose biases are all 0, as they are before the training."""
    biases = list(_biases(model))
    if biases and not any(biases):
        unusual(
            f"{model.path}: every bias of its {len(biases)} layers is 0, as before the first step "
            "of the training",
            "save the model after model.fit",
        )


def _biases(model: KerasModel) -> Iterator[bool]:
    """Whether each layer's bias has a number other than 0."""
    for layer in model.network.leaves():
        if layer.class_name in ("Dense", "Conv1D") and layer.config.get("use_bias", True):
            yield bool(np.any(model.weights(layer)["bias"][()]))


def check_known(
    texts: Iterable[Sequence[str]], known: Iterable[str], chosen: Vocabulary, unusual: Unusual
) -> None:
    """Find golden texts of another language, or without the words of the index for another reason.

    Args:
        texts: tokens of each golden text.
        known: words of the index that occur in them.
    """
    words = set(known)
    if any(2 * sum(token in words for token in tokens) > len(tokens) for tokens in texts):
        return
    start = [word for word, _ in itertools.islice(chosen, _SHOWN_WORDS)]
    unusual(
        f"no golden text has most of its words in the word index, so their scores prove nothing; "
        f"the index has words such as {_listed(start)}",
        f"if these are the words of your comments, {_OWN_TEXTS}; otherwise give the --word-index "
        "that the model was trained with",
    )


def check_scores(scores: Sequence[Sequence[float]], unusual: Unusual) -> None:
    """Find golden outputs that are all alike.

    Args:
        scores: of each golden text, one per label.
    """
    found = spread(scores)
    if found < LEAST_SPREAD:
        unusual(
            f"the scores of all {len(scores)} golden texts are alike (they differ by {found:.1g}, "
            f"the first are {', '.join(f'{score:.3f}' for score in scores[0][:6])}): the model is "
            "not trained, or cannot tell these texts apart",
            f"give the model and the --word-index that were trained together, or {_OWN_TEXTS}",
        )


def _listed(words: Iterable[str]) -> str:
    return ", ".join(map(repr, words))
