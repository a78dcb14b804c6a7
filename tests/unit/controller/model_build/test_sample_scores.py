"""`--sample`: the manifest keeps the distribution of a sample's scores, and nothing else of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from controller.model_build.build import build
from controller.model_build.errors import BuildError
from controller.model_card.scorer import Scorer
from tox_com_det.metrics.expected import BOUNDS, KEY, expected_shares

GIVEN = {"labels": ["a", "b"], "padding": "pre", "accept_unusual": True}


@pytest.fixture
def sample(tmp_path):
    path = tmp_path / "comments.txt"
    words = ["idiot", "you", "are", "an", "thanks", "the", "kill", "unheardof"]
    random = np.random.default_rng(3)
    lines = [" ".join(random.choice(words, 5)) for _ in range(150)]
    path.write_text("\n".join([*lines, "", "   "]) + "\n")
    return path, lines


@pytest.fixture
def model(make_h5, small_layers, small_weights):
    small_weights["dense"]["bias"] += 0.1
    return make_h5(small_layers, small_weights)


def test_the_shares_are_those_of_the_scores(model, word_index, tmp_path, sample):
    path, lines = sample
    plain = build(model, word_index, tmp_path / "plain", say=lambda line: None, **GIVEN)
    built = build(
        model, word_index, tmp_path / "sampled", sample=path, say=lambda line: None, **GIVEN
    )
    assert built.manifest.model_version == plain.manifest.model_version
    scores = Scorer(built.bundle).score(lines, say=lambda line: None)
    shares = expected_shares(built.manifest.built_with, built.manifest.labels)
    for at, label in enumerate("ab"):
        expected = [np.mean(scores[:, at] <= bound) for bound in BOUNDS]
        assert shares[label] == pytest.approx(expected, abs=1e-6)
    assert 0 < shares["a"][4] < 1 or 0 < shares["b"][4] < 1
    text = (built.bundle / "manifest.json").read_text()
    assert lines[0] not in text
    assert json.loads(built.manifest.built_with[KEY])["texts"] == 150


def test_a_build_of_the_same_sample_is_current_and_of_another_is_not(
    model, word_index, tmp_path, sample
):
    path, lines = sample

    def again(**more):
        return build(
            model, word_index, tmp_path / "out", say=lambda line: None, **{**GIVEN, **more}
        )

    assert not again(sample=path).unchanged
    assert again(sample=path).unchanged
    path.write_text("\n".join(lines[:120]))
    assert not again(sample=path).unchanged
    assert KEY not in again().manifest.built_with


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"one\ntwo\n", "2 comments, at least 100"),
        (b"\xff\xfe" * 200, "not UTF-8"),
    ],
)
def test_what_is_no_sample_stops_the_build(model, word_index, tmp_path, content, words):
    path = tmp_path / "sample.txt"
    path.write_bytes(content)
    with pytest.raises(BuildError, match=words):
        build(model, word_index, tmp_path / "out", sample=path, say=lambda line: None, **GIVEN)
    assert not (tmp_path / "out").exists()
    with pytest.raises(BuildError, match="--sample"):
        build(model, word_index, tmp_path / "out", sample=tmp_path / "none", **GIVEN)


def test_the_comments_of_a_csv_are_its_column(model, word_index, tmp_path, sample):
    plain, lines = sample
    table = tmp_path / "comments.csv"
    table.write_text("id,text\n" + "".join(f"{n},{line}\n" for n, line in enumerate(lines)))
    told = [
        build(model, word_index, tmp_path / f"{path.stem}", sample=path, **GIVEN).manifest
        for path in (plain, table)
    ]
    assert told[0].built_with[KEY] == told[1].built_with[KEY]
    table.write_text("id,words\n1,you\n")
    with pytest.raises(BuildError, match="no column text among id, words: call it text"):
        build(model, word_index, tmp_path / "other", sample=table, **GIVEN)


@pytest.mark.parametrize(
    "told",
    [
        "",
        "[]",
        '{"shares": {}}',
        '{"shares": {"a": [1]}}',
        json.dumps({"shares": {"a": [0.5, 0.4, *[1] * 8]}}),
        json.dumps({"shares": {"a": ["x"] * 10}}),
        json.dumps({"shares": {"a": [*[0.1] * 9, 0.5]}}),
    ],
)
def test_what_is_no_distribution_is_not_told(told):
    assert expected_shares({KEY: told}, ["a"]) == {}
