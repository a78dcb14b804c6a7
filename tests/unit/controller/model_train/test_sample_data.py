"""The data of the sample model: what is natural, what is kept apart, how texts are changed."""

from __future__ import annotations

import gzip
import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from controller.model_card.markdown import put
from controller.model_train.errors import TrainError

PROJECT = Path(__file__).parents[4]


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch):
    """Imports a module from the checkout: they are not part of an installation."""
    monkeypatch.syspath_prepend(PROJECT)

    def load(name: str) -> ModuleType:
        return importlib.import_module(f"sample_model.{name}")

    return load


def write(directory: Path) -> Path:
    labels = "toxic,severe_toxic,obscene,threat,insult,identity_hate"
    rows = [f"{one},comment {one},{int(one % 5 == 0)},0,0,0,0,0" for one in range(200)]
    (directory / "jigsaw_train.csv").write_text("\n".join([f"id,comment_text,{labels}", *rows]))
    extra = [f"text,source,{labels},form", '"comment 1",other,1,1,1,1,1,1,raw']
    extra += [f"more {one},jigsaw_train/khanhhk,0,0,0,0,0,,raw" for one in range(100)]
    extra += [f"late {one},jigsaw_test/RobertNimmo26,1,0,0,0,0,0,raw" for one in range(30)]
    extra += [f"rich {one},other,1,0,0,0,0,0,raw" for one in range(7)]
    (directory / "jigsaw_extra.csv.gz").write_bytes(gzip.compress("\n".join(extra).encode()))
    return directory


def test_text_belongs_to_its_first_source(sample, tmp_path: Path) -> None:
    sources = sample("corpus").read_sources(write(tmp_path))
    assert [(one.name, len(one.comments), one.natural) for one in sources] == [
        ("jigsaw_train.csv", 200, True),
        ("jigsaw_train/khanhhk", 100, True),
        ("jigsaw_test/RobertNimmo26", 30, False),
        ("other", 7, False),
    ]
    assert sources[0].comments.targets[1].tolist() == [0] * 6
    assert np.isnan(sources[1].comments.targets[:, 5]).all()


def test_parts_are_apart(sample, tmp_path: Path, monkeypatch) -> None:
    corpus = sample("corpus")
    monkeypatch.setattr(corpus, "KEPT_NATURAL", 40)
    monkeypatch.setattr(corpus, "KEPT_SECOND", 10)
    parts = corpus.part_sources(corpus.read_sources(write(tmp_path)), 1)
    texts = [set(one.texts) for one in (parts.training, parts.validation, parts.held_out)]
    assert [len(one) for one in texts] == [337 - 50, 25, 25]
    assert len(set.union(*texts)) == 337
    assert {one for one in texts[1] if not one.startswith("late")} == set(parts.calibration.texts)
    assert sum(one.startswith("late") for one in texts[2]) == 5
    assert not any(one.startswith("rich") for one in texts[1] | texts[2])


def test_other_data_is_one_line(sample, tmp_path: Path) -> None:
    corpus = sample("corpus")
    with pytest.raises(TrainError, match=r"jigsaw_train\.csv: No such file or directory: give"):
        corpus.read_sources(tmp_path)
    write(tmp_path)
    with pytest.raises(TrainError, match="300 comments where 8000 are needed: give the whole data"):
        corpus.part_sources(corpus.read_sources(tmp_path), 1)
    (tmp_path / "jigsaw_train.csv").write_text("comment_text,toxic\nx,1\n")
    with pytest.raises(TrainError, match="not the comments of the sample model"):
        corpus.read_sources(tmp_path)


def test_names_of_groups_are_exchanged_in_some_texts(sample) -> None:
    identity, random = sample("identity"), np.random.default_rng(1)
    tokens = ["i", "am", "gay", "not", "gayly"]
    changed = [identity.swap_terms(random, tokens) for _ in range(1000)]
    assert 200 < sum(one != tokens for one in changed) < 400
    assert len({one[2] for one in changed}) > 30
    assert all(one[:2] + one[3:] == ["i", "am", "not", "gayly"] for one in changed)
    assert identity.swap_terms(random, ["i", "am"]) == ["i", "am"]


def test_names_are_put_into_some_short_texts(sample) -> None:
    identity, random = sample("identity"), np.random.default_rng(1)
    changed = [identity.insert_term(random, ["you", "are"]) for _ in range(1000)]
    longer = [one for one in changed if one != ["you", "are"]]
    assert 40 < len(longer) < 120
    terms = {" ".join(word for word in one if word not in ("you", "are")) for one in longer}
    assert terms <= set(identity.TERMS)
    long = ["word"] * 60
    assert all(identity.insert_term(random, long) is long for _ in range(100))


def test_made_up_sentences_say_only_what_is_known(sample) -> None:
    made = sample("identity").made_up_sentences(np.random.default_rng(1), 300)
    toxic = made.targets[:, 0] > 0.5
    assert len(made) == 400
    assert 120 < toxic.sum() < 250
    assert np.isnan(made.targets[toxic, 1:]).all()
    assert (made.targets[~toxic] < 0.05).all()
    assert not any("{" in text for text in made.texts)


def test_words_of_toxic_comments_are_found_and_spelled_out(sample) -> None:
    spelling, random = sample("spelling"), np.random.default_rng(1)
    tokens = [["you", "idiot"]] * 20 + [["hello", "id10t", "you"]] * 40 + [["moron"]] * 3
    toxic = np.array([True] * 20 + [False] * 40 + [True] * 3)
    words = spelling.telling_words(tokens, toxic)
    assert words == ["idiot"]
    spell = spelling.SpellOut(words)
    changed = [spell(random, ["you", "idiot", "!"]) for _ in range(1000)]
    spelled = [one for one in changed if len(one) > 3]
    assert 10 < len(spelled) < 60
    assert all(one == ["you", *"idiot", "!"] for one in spelled)
    assert all(spell(random, ["hello"]) == ["hello"] for _ in range(100))


def test_hidden_forms_are_those_of_the_card(sample) -> None:
    forms = sample("spelling").hidden_forms(["idiot", "fuck", "idiott"])
    for form in ("id1ot", "1d10t", "idiiot", "idioooot", "ldiot", "idot", "fck", "fuuuuck"):
        assert forms[form] == ("fuck" if form.startswith("f") else "idiot")
    assert "idiott" not in forms


def test_words_written_together_with_a_rude_one_are_known(sample) -> None:
    forms = sample("spelling").compounds(["idiot", "fuck", "fucked"])
    for form, of in (("fuckhead", "fuck"), ("uglyidiot", "idiot"), ("idiotfuck", "idiot")):
        assert forms[form] == of
    assert "fucked" not in forms  # has a row of its own
    assert not set(forms) & {"head", "ugly"}


def test_tweets_contain_no_user_names_and_links(sample, tmp_path: Path) -> None:
    pool = sample("pool")
    path = tmp_path / "tweets.csv"
    path.write_text("class,tweet\n0,RT @ada: you &amp; me http://t.co/x1\n2,hello\n")
    assert pool.read_tweets(path) == [": you & me", "hello"]
    path.write_text("text\nhello\n")
    with pytest.raises(TrainError, match="not the tweets of the sample model"):
        pool.read_tweets(path)


def test_pool_puts_words_in_proportion_to_the_teachers_scores(sample) -> None:
    def score(texts):
        found = np.zeros((len(texts), 6), np.float32)
        found[:, 0] = ["vile" in one for one in texts]
        return found

    made = sample("pool").make_pool(
        1, [["a", "tweet"]], [["one", "two", "three"]], ["vile", "mild", "the", "x1234"], score
    )
    assert made.texts[0] == "a tweet"
    assert len(made) == 30_001
    assert made.targets[:, 0].mean() > 0.9
    assert not any("the " in text or "x1234" in text for text in made.texts)
    assert {len(text.split()) for text in made.texts[1:]} <= {2, 3, 4}


def test_card_of_the_sample_has_a_place_for_its_figures() -> None:
    text = (PROJECT / "sample_model" / "card_text.md").read_text(encoding="utf-8")
    assert "### new" in put(text, ["### new"], "card_text.md")
    assert "Content note" in text
    assert "CC BY-SA 3.0" in text


def test_card_of_a_model_of_another_program_is_refused(sample, tmp_path, monkeypatch) -> None:
    card = sample("card")
    monkeypatch.setattr(card, "HERE", tmp_path)
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(TrainError, match="of another program: run `make sample-model`"):
        card.metrics()
