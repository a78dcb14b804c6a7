"""Settings of a build: only known keys, only valid values, later sources override earlier ones."""

from __future__ import annotations

import pytest

from controller.model_build.errors import BuildError
from controller.model_build.settings import make_settings, read_settings
from tox_com_det.model.tokenizer import DEFAULT_FILTERS, TokenizerRules


def test_defaults_are_those_of_keras():
    settings = make_settings("test")
    assert settings.tokenizer() == TokenizerRules()
    assert (settings.padding, settings.truncating) == ("pre", "pre")
    assert settings.filters == DEFAULT_FILTERS


def test_normalization_is_part_of_the_tokenizer():
    settings = make_settings("test", {"normalization": "unicode"})
    assert settings.tokenizer() == TokenizerRules(normalization="unicode")


def test_later_sources_override():
    settings = make_settings("test", {"num_words": 5, "name": "a"}, {"num_words": 9})
    assert (settings.num_words, settings.name) == (9, "a")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_words", 0),
        ("num_words", True),
        ("num_words", "20000"),
        ("length", -1),
        ("labels", [1, 2]),
        ("labels", ["a", ""]),
        ("texts", "one"),
        ("lower", 1),
        ("char_level", None),
        ("filters", None),
        ("split", ""),
        ("oov_token", ""),
        ("truncating", "PRE"),
        ("normalization", "NFKC"),
        ("normalization", None),
        ("name", "a" * 41),
        ("nmae", "a"),
    ],
)
def test_invalid_settings_name_the_key(key, value):
    with pytest.raises(BuildError, match=rf"^test: .*{key}") as caught:
        make_settings("test", {key: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "label", ["toxic ", " toxic", "toxic\u200b", "a\tb", "a\nb", "\ufefftoxic"]
)
def test_label_that_cannot_be_typed_is_refused(label):
    with pytest.raises(BuildError, match=r"^test: the label .*: write it without$") as caught:
        make_settings("test", {"labels": ["insult", label]})
    assert repr(label) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_of_names_is_split_without_the_blanks():
    settings = make_settings("test", {"labels": "a, b c ,ü", "languages": "en, de"})
    assert settings.labels == ("a", "b c", "ü")
    assert settings.languages == ("en", "de")


def test_repeated_key_is_refused(tmp_path):
    path = tmp_path / "build_settings.json"
    path.write_text('{"labels": ["a"], "padding": "pre", "labels": ["b"]}')
    with pytest.raises(BuildError, match=r"build_settings\.json: .*'labels' occurs twice"):
        read_settings(path)


@pytest.mark.parametrize("text", ["{", "[]", '{"labels": 3}', '{"colour": "red"}'])
def test_invalid_settings_file_is_named(tmp_path, text):
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(BuildError, match=r"model\.json"):
        read_settings(path)


def test_a_tokenizer_is_not_called_an_architecture(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text('{"class_name": "Tokenizer", "config": {}}')
    with pytest.raises(BuildError, match="unknown setting 'class_name'") as caught:
        read_settings(path)
    assert "--architecture" not in str(caught.value)
