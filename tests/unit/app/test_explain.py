"""What a word contributes, against scores of a text in which its rows are padding."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from fake_database import FakeDatabase
from test_windows import KNOWN, MODES, windowed
from tiny_bundle import TinyBundle

from tox_com_det.model.explain import Explanation, TooManyWordsToExplain
from tox_com_det.model.head import Head
from tox_com_det.model.manifest import Manifest, content_version
from tox_com_det.model.places import MOST_TOKENS, places
from tox_com_det.model.predictor import Predictor
from tox_com_det.model.tokenizer import TokenizerRules
from tox_com_det.store.documents import Row
from tox_com_det.store.vectors import Vectors


def predictor(bundle: TinyBundle) -> tuple[Predictor, FakeDatabase]:
    manifest, database = bundle.load(), FakeDatabase(bundle)
    vectors = Vectors(database, manifest.tokenizer, 0)
    return Predictor(manifest, Head(bundle.head(), manifest), vectors), database


def explained(one: Predictor, *texts: str, most: int = 1000) -> list[Explanation]:
    return one.explain(texts, one.look_up(texts), most)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("pooling", [None, "max", "mean"])
def test_a_contribution_is_the_score_minus_that_with_the_words_row_as_padding(mode, pooling):
    bundle = TinyBundle(**mode) if pooling is None else windowed(4, 3, pooling, **mode)
    if mode.get("dtype") == "index":
        padding = np.array([0], "<i4").tobytes()
    else:
        padding = bundle._row(0, None)
    for seed in range(5):
        text = " ".join(np.random.default_rng(seed).choice(KNOWN, 12))
        one, database = predictor(bundle)
        whole = np.array(one.predict([text])[0].scores)
        (found,) = explained(one, text)
        cut = one.look_up([text]).tokens[0]
        assert [word.word for word in found.words] == list(dict.fromkeys(cut))
        for word in found.words:
            row = database.rows[word.word]
            database.rows[word.word] = Row(row.word, row.index, padding)
            without = np.array(one.predict([text])[0].scores)
            database.rows[word.word] = row
            assert word.scores == pytest.approx(whole - without, abs=1e-6)
            assert max(map(abs, word.scores)) > 0 or pooling == "max"


def test_a_word_that_occurs_twice_is_explained_once_with_both_places():
    one, _ = predictor(TinyBundle())
    (found,) = explained(one, "Awful, zork AWFUL you!")
    assert [word.word for word in found.words] == ["awful", "you"]
    assert found.places == {"awful": [(0, 5), (12, 17)], "you": [(18, 21)]}


def test_words_that_were_cut_off_have_no_places():
    one, _ = predictor(TinyBundle())
    (found,) = explained(one, "awful you are great and my awful")
    assert found.places["awful"] == [(27, 32)]
    bundle = windowed(2, 1, truncating="post")
    (found,) = explained(predictor(bundle)[0], "awful you are great and my work awful")
    assert found.places["awful"] == [(0, 5)]


def test_an_unknown_word_is_explained_where_the_model_has_a_row_for_it():
    bundle = TinyBundle()
    data = bundle.manifest()
    data["tokenizer"] |= {"oov_token": "<oov>"}
    row = bundle.vectors["awful"].tobytes()
    data["embedding"]["special_rows"]["99"] = base64.b64encode(row).decode()
    data["model_version"] = content_version(data)
    manifest = Manifest.from_dict(data)
    vectors = Vectors(FakeDatabase(bundle), manifest.tokenizer, 0)
    one = Predictor(manifest, Head(bundle.head(), manifest), vectors)
    zork, awful = explained(one, "you zork")[0].words[1], explained(one, "you awful")[0].words[1]
    assert (zork.word, zork.known, awful.known) == ("zork", False, True)
    assert zork.scores == pytest.approx(awful.scores, abs=1e-6)


def test_more_windows_than_the_limit_are_refused_before_anything_is_scored(monkeypatch):
    one, _ = predictor(TinyBundle())
    texts = ("you are great", "awful work")
    assert len(explained(one, *texts, most=5)) == 2
    monkeypatch.setattr(Head, "run", None)
    with pytest.raises(TooManyWordsToExplain, match="more than 4 windows"):
        explained(one, *texts, most=4)


def test_a_text_without_known_words_has_an_empty_explanation():
    one, _ = predictor(TinyBundle())
    assert list(explained(one, "zork")[0].words) == []


@pytest.mark.parametrize(
    ("normalization", "text", "wanted"),
    [
        ("keras", "You're GREAT!", ["You", "re", "GREAT"]),
        ("keras", "  f*ck  it", ["f", "ck", "it"]),
        ("unicode", "don\u2019t\u00a0go", ["don", "t", "go"]),
        ("unicode", "id\u200biot \U0001f600x", ["id\u200biot", "x"]),
        ("unicode", "\uff27\uff32 na\u00efve", ["\uff27\uff32", "na\u00efve"]),
    ],
)
def test_tokens_are_found_in_the_text_as_it_was_written(normalization, text, wanted):
    filters = "!*' \t\n"
    rules = TokenizerRules(normalization=normalization, filters=filters)
    found = places(rules, text, rules.tokens(text), True)
    assert found is not None
    assert [text[begin:end] for begin, end in found] == wanted


def test_places_are_unknown_where_blanks_do_not_separate_words():
    rules = TokenizerRules(split="-", filters="")
    assert places(rules, "a b-c d", rules.tokens("a b-c d"), True) is None


def test_every_character_has_its_place_in_a_model_of_characters():
    rules = TokenizerRules(char_level=True)
    assert places(rules, "a B", rules.tokens("a B"), False) == [(0, 1), (1, 2), (2, 3)]
    assert places(rules, "\u0130", rules.tokens("\u0130"), False) is None


def test_places_of_few_tokens_are_found_without_reading_the_rest_and_those_of_too_many_are_not():
    rules, rests = TokenizerRules(), []
    text = "x! " * MOST_TOKENS + "you y"
    found = places(rules, text, ["you", "y"], True, lambda: rests.append(1))
    assert found == [(len(text) - 5, len(text) - 2), (len(text) - 1, len(text))]
    assert places(rules, "a b " + "x! " * 500, ["a", "b"], False) == [(0, 1), (2, 3)]
    assert len(rests) == 1
    assert places(rules, text, rules.tokens(text), True) is None
    tokens = rules.tokens(text)[2:]
    assert len(places(rules, text, tokens, True, lambda: rests.append(1))) == MOST_TOKENS
    assert len(rests) == 1 + -(-MOST_TOKENS // 64)


@pytest.mark.parametrize("from_end", [True, False])
def test_characters_that_were_cut_have_no_places(from_end):
    found = places(TokenizerRules(char_level=True), "abcde", ["x", "x"], from_end)
    assert found == ([(3, 4), (4, 5)] if from_end else [(0, 1), (1, 2)])
