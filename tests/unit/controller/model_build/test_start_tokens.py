"""A token that the training put before every text, and the word index of Keras' IMDB data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import ROWS, Recorded, Weights

from controller.model_build.build import BuildResult, build
from controller.model_build.errors import BuildError
from controller.model_build.inspect_file import inspect

Make = Callable[..., BuildResult]
SAYS = r"has '{}' \(index 1\).*load_data.*the scores depend on it \(by 0\.\d+ in a trial\)"


def tutorial(path: Path, start: str = "<START>") -> Path:
    """The word index of TensorFlow's tutorials: `{"<PAD>": 0, "<START>": 1, "<UNK>": 2, ...}`."""
    words = [start, "<UNK>", "<UNUSED>", "you", "idiot", "are", "an", "thanks", "the", "kill", "a"]
    words += [f"word{number}" for number in range(ROWS - 1 - len(words))]
    index = {"<PAD>": 0} | {word: number for number, word in enumerate(words, start=1)}
    path.write_text(json.dumps(index))
    return path


@pytest.mark.parametrize("mode", ["split", "whole"])
@pytest.mark.parametrize("start", ["<START>", "[CLS]", "<s>", "<bos>"])
def test_start_token_that_moves_scores_stops_the_build(
    make: Make, out: Path, tmp_path: Path, lines: list[str], start: str, mode: str
) -> None:
    words = tutorial(tmp_path / "words.json", start)
    options: dict[str, Any] = {"words": words, "oov_token": "<UNK>", "mode": mode}
    match = SAYS.format(start.replace("[", r"\[").replace("]", r"\]"))
    with pytest.raises(BuildError, match=match):
        make(**options)
    assert list(out.parent.iterdir()) == []
    make(**options, accept_unusual=True)
    assert any(f"has {start!r}" in line and "(accepted)" in line for line in lines)
    assert any("start of a text" in line for line in inspect(words).lines)


def test_both_lines_of_keras_are_asked(any_recorded: Recorded, out: Path, tmp_path: Path) -> None:
    words = tutorial(tmp_path / "words.json")
    options = {"padding": "pre", "oov_token": "<UNK>", "say": lambda line: None}
    labels = [f"l{number}" for number in range(any_recorded.scores.shape[1])]
    with pytest.raises(BuildError, match=SAYS.format("<START>")):
        build(any_recorded.path, words, out, labels=labels, **options)


def test_start_token_without_an_effect_is_no_finding(
    make: Make, tmp_path: Path, small_layers: list[Any], small_weights: Weights, make_h5: Any
) -> None:
    """A maximum over the text never sees its row, nor the padding's that it takes the place of."""
    small_weights["embedding"]["embeddings"][:2] = -100.0
    small_weights["dense"]["bias"][:] = 0.1
    h5 = make_h5(small_layers, small_weights)
    words = tutorial(tmp_path / "words.json")
    assert make(h5, words=words, labels=["a", "b"], oov_token="<UNK>").manifest  # noqa: S106 (a word)


@pytest.mark.parametrize("word", ["start", "go", "s", "cls"])
def test_words_that_texts_have_are_no_start_tokens(make: Make, tmp_path: Path, word: str) -> None:
    words = ["you", word, "idiot", "are", "an"]
    words += [f"word{number}" for number in range(ROWS - 1 - len(words))]
    path = tmp_path / "words.json"
    path.write_text(json.dumps({one: number for number, one in enumerate(words, 1)}))
    assert make(words=path).manifest.tokenizer.oov_token is None
    assert not any("start of a text" in line for line in inspect(path).lines)


def test_word_index_of_keras_imdb_data_is_recognized(make: Make, tmp_path: Path) -> None:
    """Its indices lack the 3 that `load_data()` adds, so every word would be another one."""
    known = {"the": 1, "you": 22, "fawn": 34_701, "tsukino": 52_006}
    taken = set(known.values())
    free = (number for number in range(1, 88_585) if number not in taken)
    index = known | {f"w{number}": number for number in free}
    path = tmp_path / "imdb_word_index.json"
    path.write_text(json.dumps(index))
    match = r"is keras\.datasets\.imdb\.get_word_index\(\).*adds 3.*plus 3"
    with pytest.raises(BuildError, match=match):
        make(words=path, num_words=ROWS)
    assert any("adds 3" in line for line in inspect(path).obstacles)
    shifted = {word: number + 3 for word, number in index.items()} | {"<UNK>": 2, "<START>": 1}
    path.write_text(json.dumps(shifted))
    with pytest.raises(BuildError, match=SAYS.format("<START>")):
        make(words=path, num_words=ROWS, oov_token="<UNK>")  # noqa: S106 (a word)


def test_fewer_words_of_it_are_another_index(make: Make, tmp_path: Path) -> None:
    words = {"the": 1, "you": 2, "idiot": 3, "are": 4, "an": 5}
    words |= {f"word{number}": number for number in range(6, ROWS)}
    path = tmp_path / "words.json"
    path.write_text(json.dumps(words))
    assert np.isfinite(
        [case.scores for case in make(words=path).manifest.golden_outputs.cases]
    ).all()
