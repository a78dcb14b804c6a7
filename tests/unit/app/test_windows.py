"""A text that is longer than the sequence is read in windows, where the manifest asks for them."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fake_database import FakeDatabase
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny_bundle import LENGTH, WORDS, TinyBundle

from tox_com_det.model.encode import Inputs, TextEncoder
from tox_com_det.model.head import Head
from tox_com_det.model.manifest import Manifest, ManifestError
from tox_com_det.model.predictor import WINDOWS_PER_RUN, Predictor
from tox_com_det.model.tokenizer import TokenizerRules
from tox_com_det.model.usable_words import usable_words
from tox_com_det.model.windows import Windows
from tox_com_det.store.vectors import Vectors

SEQUENCE = {"length": LENGTH, "padding": "pre", "truncating": "pre"}
KNOWN = [word for word in WORDS if word.isalpha()]
MODES: list[dict[str, Any]] = [{}, {"dtype": "float16"}, {"dtype": "index"}, {"masked": True}]


def windowed(
    most: int, stride: int, pooling: str = "max", truncating: str = "pre", **options: Any
) -> TinyBundle:
    """A bundle of the tiny model with windows."""
    windows = {"most": most, "stride": stride, "pooling": pooling}
    sequence = {**SEQUENCE, "truncating": truncating, "windows": windows}
    return TinyBundle(more={"sequence": sequence}, **options)


def predictor(bundle: TinyBundle, rest=lambda: None) -> Predictor:
    manifest = bundle.load()
    vectors = Vectors(FakeDatabase(bundle), manifest.tokenizer, 100)
    return Predictor(manifest, Head(bundle.head(), manifest), vectors, rest)


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[int | str]:
    """The windows of every run of a head; add what else happens."""
    found: list[int | str] = []
    run = Head.run

    def recorded(head: Head, inputs: Inputs) -> NDArray[np.float32]:
        found.append(len(next(iter(inputs.values()))))
        return run(head, inputs)

    monkeypatch.setattr(Head, "run", recorded)
    return found


def parts(words: list[str], most: int, stride: int, truncating: str = "pre") -> list[list[str]]:
    """The windows of known words, written down anew: one after the other while words are left."""
    capacity = LENGTH + (most - 1) * stride
    words = words[-capacity:] if truncating == "pre" else words[:capacity]
    found, start = [], 0
    while start + LENGTH < len(words):
        found.append(words[start : start + LENGTH])
        start += stride
    return [*found, words[-LENGTH:]]


# --- which windows -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "starts"),
    [
        (0, [0]),
        (1, [0]),
        (100, [0]),
        (101, [0, 1]),
        (175, [0, 75]),
        (176, [0, 75, 76]),
        (250, [0, 75, 150]),
        (1225, list(range(0, 1126, 75))),
    ],
)
def test_windows_begin_a_stride_apart_and_the_last_ends_with_the_text(words, starts):
    assert Windows(16, 75).starts(words, 100) == starts
    assert Windows(16, 75).capacity(100) == 1225


@given(st.integers(2, 20), st.integers(1, 30), st.integers(0, 30), st.integers(0, 700))
def test_windows_read_every_word_and_are_full_and_not_too_many(most, stride, more, words):
    length, windows = stride + more, Windows(most, stride)
    words = min(words, windows.capacity(length))
    starts = windows.starts(words, length)
    assert len(starts) <= most
    assert len(starts) == 1 + max(0, math.ceil((words - length) / stride))
    assert sorted(set(starts)) == starts
    read = {position for start in starts for position in range(start, start + length)}
    assert read >= set(range(words))
    assert max(read) < max(words, length)


# --- scores --------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", MODES)
@pytest.mark.parametrize("truncating", ["pre", "post"])
@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_scores_are_those_of_the_windows_pooled_for_each_label(options, truncating, pooling):
    bundle = windowed(3, 4, pooling, truncating, **options)
    random = np.random.default_rng(3)
    texts = [list(random.choice(KNOWN, size)) for size in (0, 1, 6, 7, 10, 11, 14, 15, 40)]
    found = predictor(bundle).predict([" ".join(words) for words in texts])
    pool = {"max": np.max, "mean": np.mean}[pooling]
    for words, one in zip(texts, found, strict=True):
        wanted = pool([bundle.scores(part) for part in parts(words, 3, 4, truncating)], axis=0)
        assert one.scores == pytest.approx(list(wanted), abs=1e-6)
        assert one.used == min(len(words), 14)
        assert one.used + one.cut == len(words)
        assert (one.known, one.unknown) == (one.used, 0)


@pytest.mark.parametrize("options", MODES)
@given(st.lists(st.sampled_from([*KNOWN, "zork"]), max_size=LENGTH))
def test_texts_that_fit_score_as_without_windows_to_the_bit(options, words):
    text = [" ".join(words)]
    plain, with_windows = predictor(TinyBundle(**options)), predictor(windowed(3, 4, **options))
    assert with_windows.predict(text) == plain.predict(text)


def test_without_windows_a_long_text_is_cut_as_in_keras():
    words = [WORDS[number % 7] for number in range(30)]
    one = predictor(TinyBundle()).predict([" ".join(words)])[0]
    assert one.scores == pytest.approx(TinyBundle().scores(words[-LENGTH:]), abs=1e-6)
    assert (one.used, one.cut) == (LENGTH, 24)


def test_unknown_words_take_no_place_in_a_window():
    words = [word for known in KNOWN * 2 for word in (known, "zork")]
    bundle = windowed(3, 4)
    one = predictor(bundle).predict([" ".join(words)])[0]
    wanted = np.max([bundle.scores(part) for part in parts(KNOWN * 2, 3, 4)], axis=0)
    assert one.scores == pytest.approx(list(wanted), abs=1e-6)
    assert (one.used, one.cut) == (14, len(words) - one.known - one.unknown)


# --- bounds --------------------------------------------------------------------------------------


def test_only_words_that_windows_can_read_are_looked_up():
    vocabulary = {f"w{number}": bytes(4) for number in range(5000)}
    asked: list[str] = []

    def lookup(words):
        asked.extend(words := list(words))
        return {word: vocabulary[word] for word in words if word in vocabulary}

    encoder = TextEncoder(
        TokenizerRules(), 100, "pre", "pre", bytes(4), None, "index", windows=Windows(16, 75)
    )
    text = " ".join(vocabulary)
    usable = usable_words(encoder, [text], lookup)
    assert asked == list(vocabulary)[-1225:]
    assert usable.cut == [5000 - 1225]
    asked.clear()
    usable_words(replace(encoder, truncating="post"), [text], lookup)
    assert asked == list(vocabulary)[:1225]


def test_a_run_of_the_head_has_few_windows_and_others_go_first_between_two(events):
    one = predictor(windowed(16, 1), lambda: events.append("rest"))
    one.predict([" ".join(KNOWN * 9)] * 3 + ["you"])
    assert [event for event in events if event != "rest"] == [WINDOWS_PER_RUN] * 12 + [1]
    assert all(before == "rest" for before, event in itertools.pairwise(events) if event != "rest")


def test_texts_without_windows_share_runs_as_before(events):
    predictor(TinyBundle()).predict(["you"] * 9)
    assert events == [4, 4, 1]


# --- the manifest --------------------------------------------------------------------------------


def test_a_manifest_with_windows_is_read_and_written_as_it_is():
    data = windowed(16, 4, "mean").manifest()
    manifest = Manifest.from_dict(data)
    assert manifest.sequence.windows == Windows(16, 4, "mean")
    assert manifest.to_dict() == data
    assert manifest.model_version != TinyBundle().load().model_version


def test_without_windows_it_is_one_that_older_apps_read():
    data = TinyBundle().manifest()
    assert Manifest.from_dict(data).sequence.windows is None
    assert Manifest.from_dict(data).to_dict() == data
    assert set(data["sequence"]) == {"length", "padding", "truncating"}


@pytest.mark.parametrize(
    ("windows", "named"),
    [
        (None, "sequence.windows is not a JSON object"),
        ({}, "sequence.windows: key 'most' is missing"),
        ({"most": 16, "stride": 4}, "sequence.windows: key 'pooling' is missing"),
        ({"most": 1, "stride": 4, "pooling": "max"}, "sequence.windows.most is 1, expected"),
        ({"most": 257, "stride": 4, "pooling": "max"}, "sequence.windows.most is 257, expected"),
        ({"most": 16, "stride": 0, "pooling": "max"}, "sequence.windows.stride is 0, expected"),
        ({"most": 16, "stride": 7, "pooling": "max"}, "from 1 to 6"),
        ({"most": 16, "stride": 4, "pooling": "top"}, "'top', expected max or mean"),
        ({"most": 16, "stride": 4, "pooling": "max", "k": 1}, "unknown key 'k'"),
        ({"most": True, "stride": 4, "pooling": "max"}, "sequence.windows.most is True"),
    ],
)
def test_other_windows_are_refused_by_name(windows, named):
    with pytest.raises(ManifestError, match=named) as caught:
        TinyBundle(more={"sequence": {**SEQUENCE, "windows": windows}}).load()
    assert "\n" not in str(caught.value)
