"""Say of a file that could be a word index what it holds."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from controller.model_build.errors import BuildError
from controller.model_build.golden_texts import DEFAULT_TEXTS
from controller.model_build.inspect_report import Report, without_path
from controller.model_build.origins import TOKENIZER, Origins
from controller.model_build.plausibility import (
    Noted,
    check_indices,
    check_known,
    check_source,
    check_words,
)
from controller.model_build.segmentation import check_segmentation
from controller.model_build.settings import Settings, make_settings
from controller.model_build.start_tokens import check_imdb, start_token
from controller.model_build.unknown_words import oov_question
from controller.model_build.unstated_rules import check_rules
from controller.model_build.vocabulary import vocabulary
from controller.model_build.word_index import WordIndex, read_word_index

_SHOWN_WORDS = 5
_VECTOR = re.compile(rb"\S+( -?\d+(\.\d+)?([eE][+-]?\d+)?){5,}\s*$")
_WORD2VEC = re.compile(rb"\d+ \d+\s*$")


def inspect_words(path: Path, what: str) -> Report:
    """What a word index holds.

    Args:
        what: the form of the file.
    """
    try:
        index = read_word_index(path)
    except BuildError as error:
        return Report(what, obstacles=[without_path(error, path)])
    report = Report(f"{what}: a word index of {len(index)} words", lines=about_words(index))
    try:
        settings = make_settings(str(path), index.settings)
    except BuildError as error:
        report.obstacles.append(without_path(error, path))
        return report
    check_source(index, settings, str(path), Noted(report.obstacles.append))
    check_imdb(index, str(path), Noted(report.obstacles.append))
    origins = Origins(dict.fromkeys(index.settings, TOKENIZER))
    to_state = Noted(lambda line: report.lines.append(f"to state: {line}"))
    check_rules(index, settings, origins, str(path), to_state)
    if not any(line.startswith("to state") for line in report.lines):
        check_segmentation(index, settings, str(path), to_state)
    question = oov_question(index, settings, origins)
    if question:
        report.lines.append(f"to state: {question}")
    report.next = f"fab build-model --h5 MODEL --word-index {shlex.quote(str(path))}"
    return report


def about_words(index: WordIndex) -> list[str]:
    """Facts about a word index, one line each."""
    order = index.indices.argsort(kind="stable")[:_SHOWN_WORDS]
    first = ", ".join(repr(index.words[one].decode("utf-8")) for one in order)
    lines = [
        f"words: indices {index.indices.min()} to {index.indices.max()}, the first are {first}"
    ]
    if index.settings:
        said = ", ".join(f"{key} {value!r}" for key, value in index.settings.items())
        lines.append(f"tokenizer: {said}")
    start = start_token(index)
    if start is not None:
        lines.append(
            f"start of a text: {start.word!r} (index {start.index}), which the server puts before "
            "none: a model that was trained with it gives other scores"
        )
    if index.length is not None:
        lines.append(f"sequence length beside the tokenizer: {index.length}")
    return lines


def words_that_differ(
    index: WordIndex, settings: Settings, origins: Origins, rows: int, where: Path
) -> list[str]:
    """What a build would say of the words and the rows of the model."""
    lines: list[str] = []
    rules, unusual = settings.tokenizer(), Noted(lines.append)
    try:
        check_source(index, settings, str(where), unusual)
        check_imdb(index, str(where), unusual)
        check_words(index, rules, str(where), unusual)
        check_rules(index, settings, origins, str(where), unusual)
        if not lines:  # what is found first explains it
            check_segmentation(index, settings, str(where), unusual)
        vocabulary(index, rules, rows)
        check_indices(index, rules, rows, unusual)
    except BuildError as error:
        lines.append(str(error))
    return lines


def language_question(index: WordIndex, settings: Settings, rows: int) -> str | None:
    """What a build says of words that no English text has; None where it says nothing."""
    rules, lines = settings.tokenizer(), list[str]()
    tokens = [rules.tokens(text) for text in (*DEFAULT_TEXTS, *settings.texts)]
    needed = {token.encode() for one in tokens for token in one}
    known = [word.decode() for word in index.words if word in needed]
    check_known(tokens, known, vocabulary(index, rules, rows), settings, Noted(lines.append))
    return lines[0] if lines else None


def looks_like_vectors(start: bytes) -> bool:
    """Whether a text begins like word vectors of GloVe or word2vec."""
    lines = start.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if _WORD2VEC.match(lines[0]):
        return len(lines) > 1 and lines[1].count(b" ") > 1
    return bool(_VECTOR.match(lines[0])) or (len(lines) == 1 and start.count(b" ") > 100)
