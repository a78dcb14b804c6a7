"""Every form of a word index is read and none is executed; anything else is a one-line error."""

from __future__ import annotations

import json
import os
import pickle

import pytest
from foreign_files import pickled
from keras_files import FIXTURES

from controller.model_build.errors import BuildError
from controller.model_build.word_index import read_word_index
from tox_com_det.model.tokenizer import TokenizerRules

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


def as_dict(index):
    return dict(zip([word.decode() for word in index.words], index.indices.tolist(), strict=True))


def written(tmp_path, text):
    path = tmp_path / "word_index.json"
    path.write_text(text)
    return path


def test_plain_form_has_no_settings(tmp_path):
    index = read_word_index(written(tmp_path, json.dumps(WORDS)))
    assert (as_dict(index), index.settings) == (WORDS, {})


@pytest.mark.parametrize("times", [1, 2])
def test_tokenizer_to_json_includes_its_settings(tmp_path, times):
    """Once, or twice as `json.dump(tokenizer.to_json(), file)` does."""
    text = json.dumps(TOKENIZER)
    for _ in range(times - 1):
        text = json.dumps(text)
    index = read_word_index(written(tmp_path, text))
    assert as_dict(index) == WORDS
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
        ('{"a": 1, "b": 1}', "'a' and 'b' have the same index 1"),
        ('{"a": 1, "a": 2}', "'a' occurs twice"),
        ('{"a": 0}', "index 0 is the padding"),
        ('{"a": -3}', "an index is an integer from 1"),
        ('{"a": 1.5}', "an index is an integer from 1"),
        ('{"a": ' + "1" * 5000 + "}", "a number has 5000 digits, the limit is 4300"),
        ('{"a": "1"}', "an index is an integer from 1"),
        ('{"a": true}', "an index is an integer from 1"),
        ("{}", "not a word index"),
        ("[1]", "not a word index"),
        ("the 0.418 0.249", "not a word index"),
        ('{"config": {"num_words": 1}}', "not a word index"),
    ],
)
def test_invalid_word_index_is_refused(tmp_path, text, match):
    with pytest.raises(BuildError, match=match) as caught:
        read_word_index(written(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("module", ["tf_keras.src.preprocessing.text", "keras.preprocessing.text"])
def test_pickle_of_each_package_of_keras_is_read(tmp_path, module):
    path = tmp_path / "tokenizer.pickle"
    path.write_bytes(pickled(module, "Tokenizer", word_index={"you": 1, "a": 2}, num_words=3))
    index = read_word_index(path)
    assert (index.words, index.settings) == ([b"you", b"a"], {"num_words": 3})


@pytest.mark.parametrize("form", ["json", "pickle"])
@pytest.mark.parametrize("keras", ["keras2", "keras3"])
def test_tokenizer_of_keras_gives_the_same_sequences(keras, form):
    recorded = json.loads((FIXTURES / f"tokenizer_{keras}_sequences.json").read_text())
    index = read_word_index(FIXTURES / f"tokenizer_{keras}.{form}")
    assert index.settings["num_words"] == recorded["num_words"]
    rules = TokenizerRules(**index.settings)
    for text, sequence in recorded["sequences"].items():
        assert rules.sequence(text, as_dict(index)) == sequence


@pytest.mark.parametrize("protocol", range(2, 6))
def test_pickled_word_index_is_read_in_every_protocol(tmp_path, protocol):
    path = tmp_path / "words.pickle"
    words = WORDS | {f"w{number}": number for number in range(3, 2000)}
    path.write_bytes(pickle.dumps(words, protocol=protocol))
    assert as_dict(read_word_index(path)) == words


class Evil:
    """An object whose pickle runs code where it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("wrap", [lambda evil: evil, lambda evil: {"you": 1, "idiot": evil}])
def test_pickle_that_contains_code_is_refused_and_not_executed(tmp_path, protocol, wrap):
    path, made = tmp_path / "tokenizer.pickle", tmp_path / "made"
    path.write_bytes(pickle.dumps(wrap(Evil(made)), protocol=protocol))
    with pytest.raises(BuildError, match=r"calls (posix|nt)\.mkdir, which is refused"):
        read_word_index(path)
    assert not made.exists()
    # The same bytes do run code when they are unpickled.
    pickle.loads(path.read_bytes())  # noqa: S301 (the test's own pickle)
    assert made.exists()


@pytest.mark.parametrize("size", [3, 20, 200])
def test_truncated_pickle_is_refused(tmp_path, size):
    path = tmp_path / "tokenizer.pickle"
    path.write_bytes(pickle.dumps(WORDS | {"x" * 300: 3}, protocol=2)[:size])
    with pytest.raises(BuildError, match="damaged or cut off"):
        read_word_index(path)


def test_lines_of_a_vocabulary_text_are_numbered_from_1(tmp_path):
    index = read_word_index(written(tmp_path, "you\nidiot\r\nfür\n"))
    assert as_dict(index) == {"you": 1, "idiot": 2, "für": 3}


@pytest.mark.parametrize("blank", ["\t", " "])
def test_vocabulary_text_may_contain_the_indices(tmp_path, blank):
    index = read_word_index(written(tmp_path, f"you{blank}7\nidiot{blank}2\n"))
    assert as_dict(index) == {"you": 7, "idiot": 2}


def test_words_with_json_escapes_are_read(tmp_path):
    words = {'quo"te': 1, "back\\slash": 2, "für": 3, "😀": 4, "tab\t": 5}
    for text in (json.dumps(words), json.dumps(words, ensure_ascii=False, indent=2)):
        assert as_dict(read_word_index(written(tmp_path, text))) == words


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("you\n\nidiot\n", "line 2 is empty"),
        ("you\nyou are\n", "line 2 is 'you are', not a word"),
        ("you\nidiot\nyou\n", "'you' occurs twice"),
        ("", "is empty: download or copy it again"),
        ('{"a": 1, "\\ud800": 2}', "not UTF-8"),
    ],
)
def test_invalid_vocabulary_text_is_refused(tmp_path, text, match):
    with pytest.raises(BuildError, match=match):
        read_word_index(written(tmp_path, text))


def test_missing_file_names_the_option(tmp_path):
    with pytest.raises(BuildError, match="--word-index"):
        read_word_index(tmp_path / "none.json")
