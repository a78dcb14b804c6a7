"""Both forms of a word index are read; what is none ends in one clear line."""

from __future__ import annotations

import json
import pickle

import pytest

from model_build.errors import BuildError
from model_build.word_index import read_word_index

WORDS = {"you": 1, "idiot": 2}
TOKENIZER = {
    "class_name": "Tokenizer",
    "config": {
        "num_words": 20000,
        "filters": "!",
        "lower": False,
        "split": " ",
        "char_level": False,
        "oov_token": "<OOV>",
        "document_count": 3,
        "word_counts": "{}",
        "word_index": json.dumps(WORDS),
    },
}


def written(tmp_path, text):
    path = tmp_path / "word_index.json"
    path.write_text(text)
    return path


def test_plain_form_has_no_settings(tmp_path):
    index = read_word_index(written(tmp_path, json.dumps(WORDS)))
    assert (index.words, index.settings) == (WORDS, {})


@pytest.mark.parametrize("times", [1, 2])
def test_tokenizer_to_json_brings_its_settings(tmp_path, times):
    """Once, or twice as `json.dump(tokenizer.to_json(), file)` does."""
    text = TOKENIZER
    for _ in range(times):
        text = json.dumps(text)
    index = read_word_index(written(tmp_path, text))
    assert index.words == WORDS
    assert index.settings == {
        "num_words": 20000,
        "filters": "!",
        "lower": False,
        "split": " ",
        "char_level": False,
        "oov_token": "<OOV>",
    }


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"a": 1, "b": 1}', "'a' and 'b' share index 1"),
        ('{"a": 1, "a": 2}', "'a' occurs twice"),
        ('{"a": 0}', "index 0 is the padding"),
        ('{"a": -3}', "whole number from 1"),
        ('{"a": 1.5}', "whole number from 1"),
        ('{"a": "1"}', "whole number from 1"),
        ('{"a": true}', "whole number from 1"),
        ("{}", "not a word index"),
        ("[1]", "not a word index"),
        ("the 0.418 0.249", "not a word index"),
        ('{"config": {"num_words": 1}}', "not a word index"),
    ],
)
def test_what_is_no_word_index(tmp_path, text, match):
    with pytest.raises(BuildError, match=match) as caught:
        read_word_index(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_pickle_is_refused_with_the_line_that_writes_json(tmp_path):
    path = tmp_path / "tokenizer.pickle"
    path.write_bytes(pickle.dumps(WORDS, protocol=4))
    with pytest.raises(BuildError, match=r"pickle is not read.*tokenizer\.to_json\(\)"):
        read_word_index(path)


def test_missing_file(tmp_path):
    with pytest.raises(BuildError, match="--word-index"):
        read_word_index(tmp_path / "none.json")
