"""Stop a build whose model could not tell one comment from another.

A word index in the wrong form, of another model or of another tokenizer gives a bundle that scores
every comment alike, and every comparison with its own golden outputs then passes. So what the model
can know of a text is checked here: its words, their rows, and whether the golden outputs differ.
The limits say "most", far from every model that was measured; a model that is beyond one of them
and meant so is built with `--accept-unusual`.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from controller.model_build.errors import BuildError
from controller.model_build.keras_model import KerasModel
from controller.model_build.rows import Rows
from controller.model_build.settings import SETTINGS_FILE, Settings, how_to_give
from controller.model_build.vocabulary import Vocabulary, text_of
from controller.model_build.word_index import WordIndex
from tox_com_det.model.tokenizer import TokenizerRules
from toxctl.golden import spread

ACCEPT = "--accept-unusual"
# Trained models spread the golden outputs over 0.2 or more; an untrained one over 0.005 to 0.03
# with the embedding that Keras starts with.
LEAST_SPREAD = 0.01
GOOD_SPREAD = 0.1
# Of scores that count as different: twice what a deploy accepts between processors is 2e-4.
_DIGITS = 3
# GloVe has vectors for a third to a half of the words of a corpus of comments.
MOST_MISSING = 0.9
_SAMPLED_WORDS = 1000
_SHOWN_WORDS = 3
_OWN_TEXTS = (
    f'give texts that the model tells apart, "texts": ["...", "..."] in {SETTINGS_FILE} beside '
    "the .h5"
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


class Noted(Unusual):
    """Takes findings of an inspection, which builds nothing, with what to do about each."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(True, say)

    def __call__(self, found: str, command: str) -> None:
        """Say what was found and what to do."""
        self.say(f"{found}: {command}; if it is meant so, add {ACCEPT}")


def check_source(index: WordIndex, settings: Settings, where: str, unusual: Unusual) -> None:
    """Find the vocabulary of a TextVectorization layer where the rules are not that layer's.

    Args:
        where: the file, for the error.
    """
    if index.vectorization and settings.style != "text_vectorization":
        unusual(
            f"{where} is the vocabulary of a TextVectorization layer, which removes punctuation, "
            "while a Tokenizer separates words there: other words would be read",
            "give the .keras model that contains the layer, or the layer's rules in "
            f'{SETTINGS_FILE}, "style": "text_vectorization" and those that docs/models.md lists',
        )


def check_words(index: WordIndex, rules: TokenizerRules, where: str, unusual: Unusual) -> None:
    """Find a word index most of whose words the tokenizer never makes of a text.

    Args:
        where: the file, for the error.
    """
    limit = rules.num_words or None
    words = 0
    lost: list[str] = []
    kept = (
        word
        for word, number in zip(map(bytes.decode, index.words), index.indices, strict=True)
        if word != rules.oov_token and not (limit and number >= limit)
    )
    while some := list(itertools.islice(kept, _SAMPLED_WORDS)):
        words += len(some)
        # One text of all of them takes a third of the time that a text for each takes.
        if rules.tokens(text_of(some, rules)) != some:
            lost += [word for word in some if rules.tokens(word) != [word]]
    if 2 * len(lost) > words:
        unusual(
            f"{where}: {len(lost)} of {words} words can never occur in a text, such as "
            f"{listed(lost)}: the tokenizer makes {rules.tokens(lost[0])} of "
            f"{lost[0]!r}",
            _why_lost(rules, lost[0]),
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
            f'give "lower": false in {SETTINGS_FILE} beside the .h5 if the model was trained with '
            "capitals, or its own --word-index"
        )
    return (
        "give the --word-index that the model was trained with, such as tokenizer.to_json(), and "
        f'"filters", "lower" and "split" of its tokenizer in {SETTINGS_FILE} beside the .h5'
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
    # Words in the model itself, or a Tokenizer with a row for each of its num_words, are this
    # model's, however few the training had.
    own = index.settings.get("style") == "text_vectorization"
    sized = abs((index.settings.get("num_words") or 0) - rows) <= 1
    if 2 * used < limit - 1 and not own and not sized:
        all_words = len(index) == index.indices.max()
        few = ", or the training had no more words" if all_words else ""
        unusual(
            f"{limit - 1 - used} of {limit - 1} rows of the embedding matrix have no word: the "
            f"word index belongs to another model, or its numbers are not indices{few}",
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
            f"{listed(words)}: the vectors are of another language, or the word index is in "
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
    texts: Sequence[Sequence[str]],
    known: Iterable[str],
    chosen: Vocabulary,
    settings: Settings,
    unusual: Unusual,
) -> None:
    """Find golden texts of another language, or without the words of the index for another reason.

    The fixed texts are English, so they are not expected to have words of a model that is said to
    be of other languages.

    Args:
        texts: tokens of each golden text, without those of the model's own words.
        known: words of the index that occur in them.
    """
    english = any(one.partition("-")[0] == "en" for one in settings.languages)
    if not english and not settings.texts:
        return
    words = set(known)
    if any(2 * sum(token in words for token in tokens) > len(tokens) for tokens in texts):
        return
    first = heapq.nsmallest(_SHOWN_WORDS, chosen, key=lambda entry: entry[1])
    start = [word for word, _ in first]
    unusual(
        f"no golden text has most of its words in the word index, so their scores prove nothing; "
        f"the index has words such as {listed(start)}",
        f"if they are of another language than English, name it, {how_to_give('languages', 'de')}; "
        f"if they are the words of your comments all the same, {_OWN_TEXTS}; otherwise give the "
        "--word-index that the model was trained with",
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


def describe_spread(scores: Sequence[Sequence[float]]) -> str | None:
    """That golden outputs tell little, as one line; None where they are far enough apart.

    Args:
        scores: of each golden text, one per label.
    """
    found = spread(scores)
    different = len({tuple(round(score, _DIGITS) for score in one) for one in scores})
    if found < LEAST_SPREAD or (found >= GOOD_SPREAD and 2 * different >= len(scores)):
        return None  # the former is a finding of `check_scores`
    return (
        f"warning: the golden outputs do not spread: {len(scores)} texts have {different} "
        f"different scores, {found:.2g} apart at most, so that a deploy could take another model "
        f"for this one: {_OWN_TEXTS}"
    )


def listed(words: Sequence[str]) -> str:
    """The first words of a list, for a message."""
    return ", ".join(map(repr, words[:_SHOWN_WORDS]))
