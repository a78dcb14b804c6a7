"""`build-model --windows`: its settings, its golden outputs, and what a built model then finds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from test_served_bundles import GIVEN, case, predictor

from controller.model_build.__main__ import main
from controller.model_build.build import build
from controller.model_build.errors import BuildError
from controller.model_build.golden_texts import DEFAULT_TEXTS, long_texts
from controller.model_build.settings import make_settings
from tox_com_det.model.manifest import Manifest
from tox_com_det.model.windows import Windows

SAMPLE = Path(__file__).parents[4] / "sample_model"
POLITE = ["thank", "you", "for", "the", "careful", "edit", "to", "this", "article"]
INSULT = "What the hell is this shit? You're a fucking moron."


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The sample model without and with windows, as the app serves it."""
    made = {}
    h5, index = SAMPLE / "toxic_comment_detector.h5", SAMPLE / "word_index.json"
    for name, options in {"cut": {"windows": 1}, "windows": {"windows": 16, "stride": 75}}.items():
        out = tmp_path_factory.mktemp("sample") / name
        build(h5, index, out, say=lambda line: None, **options)
        made[name] = predictor(out)
    return made


def polite(count: int) -> str:
    return " ".join(POLITE[number % len(POLITE)] for number in range(count))


def toxicity(model, text: str) -> float:
    return model.predict([text])[0].scores[0]


@pytest.mark.parametrize("before", [0, 30, 80])
@pytest.mark.parametrize("behind", [100, 1000])
def test_an_insult_behind_which_polite_words_stand_is_found(sample, before, behind):
    text = f"{polite(before)} {INSULT} {polite(behind)}"
    assert toxicity(sample["cut"], text) < 0.1
    assert toxicity(sample["windows"], text) > 0.5
    assert toxicity(sample["windows"], polite(before + behind)) < 0.1


def test_golden_outputs_have_texts_of_several_windows_and_match(sample):
    model = sample["windows"]
    assert model.manifest.sequence.windows == Windows(16, 75, "max")
    assert model.check_golden_outputs().problem == ""
    texts = [one.text for one in model.manifest.golden_outputs.cases]
    assert texts[: len(DEFAULT_TEXTS)] == list(DEFAULT_TEXTS)
    long = slice(len(DEFAULT_TEXTS), len(DEFAULT_TEXTS) + 2)
    added = texts[long]
    assert [one.used > 175 for one in model.predict(added)] == [True, True]  # three windows
    # What a reader that cuts would answer is not what was recorded.
    recorded = [one.scores[0] for one in model.manifest.golden_outputs.cases[long]]
    for text, score in zip(added, recorded, strict=True):
        assert score > 0.5 > toxicity(sample["cut"], text)


def test_keras_scores_of_long_texts_are_compared_without_windows(sample):
    """reference.json has Keras' scores, which cuts; they are no reference of windows."""
    plain, windowed = (sample[name].manifest.golden_outputs for name in ("cut", "windows"))
    assert windowed.reference_max_difference == plain.reference_max_difference < 1e-5
    missing = [case.text for case in windowed.cases if case.reference is None]
    assert set(DEFAULT_TEXTS[-2:]) <= set(missing)
    assert not set(DEFAULT_TEXTS[:-2]) & set(missing)


@pytest.mark.parametrize("name", ["masked_lstm", "functional_branches"])
@pytest.mark.parametrize("options", [{}, {"mode": "whole"}, {"dtype": "float16"}])
def test_windows_are_served_in_every_mode(tmp_path, name, options):
    words = tmp_path / "words.json"
    words.write_text(json.dumps({f"w{number}": number for number in range(1, 30)}))
    h5, _, _ = case(name, tmp_path)
    long = " ".join(f"w{number}" for number in (*range(1, 30), *range(1, 30)))
    given = {**GIVEN, "texts": [*GIVEN["texts"], long], "say": lambda line: None, **options}
    build(h5, words, tmp_path / "b", **given, windows=3, stride=2, pooling="mean")
    served = predictor(tmp_path / "b")
    assert served.check_golden_outputs().problem == ""
    length = served.manifest.sequence.length
    tokens = long.split()[-(length + 4) :]
    plain = predictor(build(h5, words, tmp_path / "p", **given).bundle)
    parts = [" ".join(tokens[start : start + length]) for start in (0, 2, 4)]
    wanted = np.mean([one.scores for one in plain.predict(parts)], axis=0)
    np.testing.assert_allclose(served.predict([long])[0].scores, wanted, atol=1e-6)


# --- settings ------------------------------------------------------------------------------------


def test_the_default_stride_is_three_quarters_of_the_length_and_pools_the_maximum(make, lines):
    manifest = make(windows=16).manifest
    assert manifest.sequence.windows == Windows(16, 75, "max")
    assert (
        "texts of more than 100 known words are read in up to 16 windows, 75 words apart: "
        "1225 words, scored by the max of each label"
    ) in lines


def test_windows_give_another_version_and_none_are_not_written(make, out):
    plain = make().manifest
    assert set(json.loads((out / "manifest.json").read_text())["sequence"]) == {
        *("length", "padding", "truncating")
    }
    versions = {
        make(windows=most, stride=stride).manifest.model_version
        for most, stride in ((2, 75), (16, 75), (16, 50))
    }
    assert len(versions | {plain.model_version}) == 4


def test_a_stride_longer_than_a_window_is_refused_with_one_that_is_not(make, out):
    with pytest.raises(BuildError, match="stride is 101, more than the sequence length 100") as one:
        make(windows=16, stride=101)
    assert "--stride 75" in str(one.value)
    assert "\n" not in str(one.value)
    assert not out.exists()
    assert make(windows=16, stride=100).manifest.sequence.windows == Windows(16, 100)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"windows": 0}, "windows is 0, it must be an integer from 1 to 256"),
        ({"windows": 257}, "windows is 257"),
        ({"windows": True}, "windows is True"),
        ({"windows": {"most": 16}}, "windows is {'most': 16}, it must be an integer"),
        ({"windows": 16, "stride": 0}, "stride is 0, it must be an integer from 1"),
        ({"windows": 16, "pooling": "median"}, "pooling is 'median', it must be max or mean"),
        ({"stride": 75}, "stride is 75, it must be left out, or given with windows: --windows 16"),
        ({"pooling": "max"}, "pooling is 'max', it must be left out, or given with windows"),
    ],
)
def test_nonsense_is_refused_by_name(given, named):
    with pytest.raises(BuildError) as caught:
        make_settings("test", given)
    assert str(caught.value).startswith(f"test: {named}")
    assert "\n" not in str(caught.value)


def test_command_line_takes_windows(author_same, word_index, out, capsys):
    arguments = ["--h5", author_same.path, "--word-index", word_index, "--out", out]
    options = "--labels a,b,c,d,e,f --padding pre --windows 4 --stride 50 --pooling mean"
    assert main([*map(str, arguments), *options.split()]) == 0, capsys.readouterr().err
    assert Manifest.load(out / "manifest.json").sequence.windows == Windows(4, 50, "mean")


# --- golden texts --------------------------------------------------------------------------------


def test_long_texts_have_the_words_that_are_known():
    first, middle = long_texts(lambda line: line.count("the"), 175)
    for text in (first, middle):
        assert text.count("the") >= 175
        assert text.count(INSULT) == 1
    assert len(first.partition(INSULT)[0].split()) == 34
    before, _, after = middle.partition(f" {INSULT} ")
    assert before == after


def test_without_known_words_or_beyond_a_services_limit_there_are_none():
    assert long_texts(lambda line: 0, 175) == []
    assert long_texts(lambda line: 16, 10_000) == []
