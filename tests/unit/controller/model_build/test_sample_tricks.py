"""The tricks that hide an insult: what each makes of a text, and what the normalization leaves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from test_served_bundles import DumpRows, predictor

from controller.model_build.build import build
from sample_model.tricks import (
    POLITE_WORDS,
    TrickScores,
    as_the_author,
    score_tricks,
    shown,
    table,
    tricks,
)
from tox_com_det.model.bundle import read_head
from tox_com_det.model.head import Head
from tox_com_det.model.predictor import Predictor
from tox_com_det.model.tokenizer import TokenizerRules
from tox_com_det.store.vectors import Vectors

SAMPLE = Path(__file__).parents[4] / "sample_model"
TEXT = "you are an idiot"
TRICKS = dict(tricks(TEXT))
WORDS = TEXT.split()
# What a step before the tokenizer cannot undo.
BY_HAND = {
    "letter repetition": "you are an idiooooot",
    "blanks between letters": "you are an i d i o t",
    "one digit": "you are an id1ot",
    "digits for letters": "you are an 1d10t",
}


def test_there_are_seventeen_and_no_two_alike():
    assert len(tricks(TEXT)) == len(TRICKS) == 17
    assert len({TEXT, *TRICKS.values()}) == 18


@pytest.mark.parametrize("name", sorted(set(TRICKS) - set(BY_HAND) - {"100 polite words behind"}))
def test_keras_loses_a_word_and_unicode_none(name):
    text = TRICKS[name]
    assert TokenizerRules().tokens(text) != WORDS
    assert TokenizerRules(normalization="unicode").tokens(text) == WORDS


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_letters_changed_by_hand_are_for_the_training(name):
    assert TRICKS[name] == BY_HAND[name]
    assert TokenizerRules(normalization="unicode").tokens(TRICKS[name]) != WORDS


def test_a_hundred_known_polite_words_follow_the_insult():
    words = TRICKS["100 polite words behind"].split()
    assert words[: len(WORDS)] == WORDS
    assert len(words) == len(WORDS) + POLITE_WORDS


@pytest.mark.parametrize("text", ["hmm", "fool", "you are rude"])
def test_other_insults_are_changed_as_well_where_they_have_the_letters(text):
    for name, made in tricks(text):
        if text == "hmm" and name in ("one digit", "digits for letters", "mixed Cyrillic letters"):
            continue
        if " " not in text and name in ("no-break space", "CR LF from HTML forms", "em space"):
            continue
        assert made != text or (name == "glued em dash" and " " not in text), name


@pytest.mark.parametrize("text", ["", "You are", "id1ot", "idïot", "an  idiot", "idiot!"])
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="small ASCII letters"):
        tricks(text)


def test_scores_are_in_the_order_of_the_tricks_with_the_plain_text_first():
    def lengths(texts: Sequence[str]) -> list[float]:
        return [float(len(text)) for text in texts]

    scores = score_tricks(TEXT, lengths, lambda texts: [0.5] * len(texts))
    assert scores[0] == TrickScores("none", TEXT, float(len(TEXT)), 0.5)
    assert [(one.name, one.text) for one in scores[1:]] == tricks(TEXT)
    assert [one.before for one in scores] == [float(len(one.text)) for one in scores]


def test_table_has_a_line_for_each_that_can_be_read():
    lines = table([TrickScores("CR LF", "you\r\nare", 0.1234, 0.9876)]).splitlines()
    assert lines[2:] == ["| CR LF | `you<U+000D><U+000A>are` | 0.123 | 0.988 |"]
    assert shown("\ufeffidiot\u00a0" + "a" * 99) == "<U+FEFF>idiot<U+00A0>" + "a" * 33 + "..."
    assert shown("idiot\U0001f921") == "idiot\U0001f921"


def test_before_and_after_of_a_built_bundle_differ_by_its_rules_alone(tmp_path):
    h5, index = SAMPLE / "toxic_comment_detector.h5", SAMPLE / "word_index.json"
    options = {"normalization": "unicode", "windows": 16}
    build(h5, index, tmp_path / "own", say=lambda line: None, **options)
    build(h5, index, tmp_path / "author", say=lambda line: None, normalization="keras", windows=1)
    own, author = predictor(tmp_path / "own"), predictor(tmp_path / "author")
    manifest = own.manifest
    vectors = Vectors(DumpRows(tmp_path / "own", manifest), manifest.tokenizer, 100)
    head = Head(read_head(tmp_path / "own", manifest), manifest)
    before = Predictor(as_the_author(manifest), head, vectors)

    def score(model):
        return lambda texts: [one.scores[0] for one in model.predict(texts)]

    scores = score_tricks(TEXT, score(before), score(own))
    assert [one.before for one in scores] == score(author)([one.text for one in scores])
    by_name = {one.name: one for one in scores}
    plain = by_name["none"]
    assert plain.before == plain.after > 0.5
    for name in set(TRICKS) - set(BY_HAND) - {"100 polite words behind"}:
        assert by_name[name].after == pytest.approx(plain.after, abs=1e-6), name
    assert by_name["full-width letters"].before < 0.2
