"""The style `text_vectorization`: tokens as Keras' layer of that name makes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_bundle import TinyBundle

from tox_com_det.model.manifest import Manifest, ManifestError
from tox_com_det.model.tokenizer import TokenizerRules

RULES = TokenizerRules(style="text_vectorization", filters="'!-")
BLANKS = " \t\n\v\f\r"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("It's AN e-mail!", ["its", "an", "email"]),
        ("ÄÖ É ABC", ["ÄÖ", "É", "abc"]),
        ("a\tb\nc\vd\fe\rf", list("abcdef")),
        ("a\u00a0b c\u2028d e\x1cf g\u0085h", ["a\u00a0b", "c\u2028d", "e\x1cf", "g\u0085h"]),
        ("half \ud800 of", ["half", "\ud800", "of"]),
        (" ! -- ' ", []),
        ("", []),
    ],
)
def test_filters_fall_away_and_only_ascii_is_lower_cased_and_split(text, tokens):
    assert RULES.tokens(text) == tokens


@given(st.text(st.characters(exclude_categories=[]), max_size=60))
def test_any_text_keeps_what_is_not_ascii(text):
    kept = "".join(one for one in text if one not in "'!-" and one not in BLANKS)
    expected = "".join(one.lower() if one.isascii() else one for one in kept)
    assert "".join(RULES.tokens(text)) == expected


def test_capitals_stay_without_lower():
    rules = TokenizerRules(style="text_vectorization", lower=False, filters="")
    assert rules.tokens("A b!") == ["A", "b!"]


def test_normalization_comes_first():
    rules = TokenizerRules(style="text_vectorization", normalization="unicode", filters="'")
    assert rules.tokens("It\u2019s\u00a0ME") == ["its", "me"]


@pytest.mark.parametrize(
    "options",
    [
        {"split": ","},
        {"char_level": True},
        {"filters": "\u2019"},
        {"filters": "\t"},
        {"style": "w"},
    ],
)
def test_settings_of_the_tokenizer_are_refused(options):
    with pytest.raises(ValueError, match="text_vectorization"):
        TokenizerRules(**{"style": "text_vectorization", "filters": "!", **options})


def test_manifest_with_a_style_is_read_and_written_as_it_is():
    data = TinyBundle(tokenizer={"style": "text_vectorization", "filters": "!"}).manifest()
    manifest = Manifest.from_dict(data)
    assert manifest.tokenizer.style == "text_vectorization"
    assert manifest.to_dict() == data


def test_manifest_of_the_tokenizer_does_not_mention_a_style():
    plain = TinyBundle().manifest()
    assert "style" not in plain["tokenizer"]
    assert TinyBundle(tokenizer={"style": "tokenizer"}).load().to_dict() == plain


@pytest.mark.parametrize(
    ("tokenizer", "message"),
    [
        ({"style": "words"}, "tokenizer.style"),
        (
            {"style": "text_vectorization", "char_level": True},
            "tokenizer: the style text_vectorization takes",
        ),
    ],
)
def test_manifest_with_another_style_is_refused(tokenizer, message):
    with pytest.raises(ManifestError, match=message):
        TinyBundle(tokenizer=tokenizer).load()
