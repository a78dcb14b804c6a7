"""Keras' rules. Expectations are derived by hand from keras_preprocessing 1.1 text.py/sequence.py:
lower the text, translate each filter character to `split`, split, drop what is empty."""

import pytest

from tox_com_det.model.tokenizer import (
    DEFAULT_FILTERS,
    TokenizerRules,
    pad_sequence,
)

OOV = "<oov>"
ARTICLE_INDEX = {
    "cocksucker": 1873,
    "before": 147,
    "you": 6,
    "piss": 3476,
    "around": 324,
    "on": 15,
    "my": 29,
    "work": 141,
}


def test_the_articles_text_gives_the_sequence_the_article_printed():
    rules = TokenizerRules(num_words=20000)
    sequence = rules.sequence("COCKSUCKER BEFORE YOU PISS AROUND ON MY WORK", ARTICLE_INDEX)
    assert pad_sequence(sequence, 100, 0) == [0] * 92 + [1873, 147, 6, 3476, 324, 15, 29, 141]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello, World!", ["hello", "world"]),
        ("don't", ["don't"]),
        ("a.b,c", ["a", "b", "c"]),
        ("  a   b  ", ["a", "b"]),
        ("a\tb\nc", ["a", "b", "c"]),
        ("under_score [x]{y}", ["under", "score", "x", "y"]),
        ("`back`", ["back"]),
        ("", []),
        ("!!! ...", []),
        # Only the filters and the blank separate: these characters are part of a word in Keras.
        ("a\rb", ["a\rb"]),
        ("a\u00a0b", ["a\u00a0b"]),
        ("a\x0bb\x00c", ["a\x0bb\x00c"]),
        ("“quoted” — dash…", ["“quoted”", "—", "dash…"]),
        # str.lower() is Unicode's: sharp s stays, I with a dot becomes two characters.
        ("STRASSE Straße İ", ["strasse", "straße", "i̇"]),
        ("ΟΔΟΣ", ["οδος"]),
        ("日本 語", ["日本", "語"]),
        ("half \ud800 pair", ["half", "\ud800", "pair"]),
    ],
)
def test_words_are_separated_as_keras_does(text, tokens):
    assert TokenizerRules().tokens(text) == tokens


def test_the_default_filters_are_keras_and_keep_the_apostrophe():
    assert DEFAULT_FILTERS == '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'


def test_case_is_kept_without_lower():
    assert TokenizerRules(lower=False).tokens("You YOU") == ["You", "YOU"]


def test_with_another_split_filters_become_it_and_blanks_do_not_separate():
    assert TokenizerRules(split="|").tokens("a b,c") == ["a b", "c"]
    assert TokenizerRules(split="<>").tokens("a b,c") == ["a b", "c"]


def test_text_is_lowered_before_it_is_filtered():
    # With a filter for "a" the capital must go too, as lower() comes first in Keras.
    assert TokenizerRules(filters="a").tokens("bAb") == ["b", "b"]


def test_an_empty_split_is_refused():
    with pytest.raises(ValueError, match="split must not be empty"):
        TokenizerRules(split="")


def test_char_level_takes_every_character_and_does_not_filter():
    assert TokenizerRules(char_level=True).tokens("Hi, U") == ["h", "i", ",", " ", "u"]


def test_unknown_words_are_dropped_without_an_oov_token():
    assert TokenizerRules().sequence("you zork work", ARTICLE_INDEX) == [6, 141]


def test_unknown_words_become_the_oov_token():
    rules = TokenizerRules(oov_token=OOV)
    assert rules.sequence("you zork work", {OOV: 1, "you": 2, "work": 3}) == [2, 1, 3]


def test_a_word_beyond_num_words_is_as_unknown_as_any_other():
    index = {OOV: 1, "you": 2, "work": 3}
    assert TokenizerRules(num_words=3).sequence("you work", index) == [2]
    assert TokenizerRules(num_words=3, oov_token=OOV).sequence("you work", index) == [2, 1]


def test_index_num_words_is_not_reachable_and_none_is_no_limit():
    assert [TokenizerRules(num_words=5).reachable(index) for index in (4, 5)] == [True, False]
    assert TokenizerRules(num_words=None).reachable(10**9)


@pytest.mark.parametrize(
    ("padding", "truncating", "short", "long"),
    [
        ("pre", "pre", [0, 1, 2], [3, 4, 5]),
        ("post", "pre", [1, 2, 0], [3, 4, 5]),
        ("pre", "post", [0, 1, 2], [1, 2, 3]),
        ("post", "post", [1, 2, 0], [1, 2, 3]),
    ],
)
def test_sequences_are_filled_and_cut_on_the_given_side(padding, truncating, short, long):
    assert pad_sequence([1, 2], 3, 0, padding, truncating) == short
    assert pad_sequence([1, 2, 3, 4, 5], 3, 0, padding, truncating) == long


def test_an_empty_sequence_is_all_padding_and_an_exact_one_is_unchanged():
    assert pad_sequence([], 3, 0) == [0, 0, 0]
    assert pad_sequence([1, 2, 3], 3, 0) == [1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((0, 0), "at least 1"), ((3, 0, "left"), "padding"), ((3, 0, "pre", "x"), "truncating")],
)
def test_invalid_padding_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        pad_sequence([1], *arguments)
