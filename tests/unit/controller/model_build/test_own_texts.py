"""Golden texts of a model's own words: they encode to what was drawn, and their scores spread."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_files import ROWS

from controller.model_build.build import BuildResult
from controller.model_build.golden_texts import DEFAULT_TEXTS, MOST_CHARACTERS
from controller.model_build.own_texts import draw_texts, spread_out
from controller.model_build.plausibility import describe_spread
from controller.model_build.vocabulary import Vocabulary, vocabulary
from controller.model_build.word_index import WordIndex
from tox_com_det.model.tokenizer import TokenizerRules

Make = Callable[..., BuildResult]
LENGTH = 20
CHINESE = ["我们", "喜欢", "这个", "电影", "不", "好看", "的", "故事", "很", "无聊"]


def chosen(words: list[str], rules: TokenizerRules, step: int = 1) -> Vocabulary:
    """The vocabulary of a word index with indices 1, 1 + step, ..."""
    indices = 1 + step * np.arange(len(words))
    index = WordIndex([word.encode() for word in words], indices)
    return vocabulary(index, rules, int(indices[-1]) + 1)


@pytest.mark.parametrize(
    ("words", "rules"),
    [
        (["you", "idiot", "thanks", "a"], TokenizerRules()),
        (CHINESE, TokenizerRules()),
        (CHINESE, TokenizerRules(normalization="unicode")),
        (list("我们喜欢这个电影 ab"), TokenizerRules(char_level=True)),
        (["deux mots", "un", "trois petits mots"], TokenizerRules(filters=",", split=",")),
        (["naïve", "für", "größe"], TokenizerRules(split="\t", filters=".")),
        (["Keep", "CAPITALS", "as"], TokenizerRules(lower=False)),
    ],
)
def test_texts_are_read_as_the_words_that_were_drawn(
    words: list[str], rules: TokenizerRules
) -> None:
    texts = draw_texts(chosen(words, rules), rules, LENGTH)
    assert len(texts) > 12
    for text in texts:
        tokens = rules.tokens(text)
        assert set(tokens) <= set(words)
        assert ("" if rules.char_level else rules.split).join(tokens) == text
    lengths = {len(rules.tokens(text)) for text in texts}
    assert {1, 8, LENGTH, LENGTH + LENGTH // 2} <= lengths


def test_words_that_no_text_can_have_are_left_out() -> None:
    rules = TokenizerRules(oov_token="<oov>")  # noqa: S106 (no password)
    words = ["<oov>", "don't-know", "well", "GOOD", "fine", "two words"]
    texts = draw_texts(chosen(words, rules, step=7), rules, LENGTH)
    assert {token for text in texts for token in text.split()} == {"well", "fine"}


def test_vocabulary_without_a_word_that_a_text_can_have_gives_no_text() -> None:
    assert draw_texts(chosen(["A", "B", "?!"], TokenizerRules()), TokenizerRules(), LENGTH) == []


def test_texts_are_the_same_each_time_and_short_enough_for_a_service() -> None:
    rules = TokenizerRules()
    words = chosen([f"w{'x' * 40}{number}" for number in range(50)], rules)
    texts = draw_texts(words, rules, 5000)
    assert texts == draw_texts(words, rules, 5000)
    assert MOST_CHARACTERS // 3 < max(map(len, texts)) <= MOST_CHARACTERS


def test_frequent_words_and_rare_ones_are_drawn() -> None:
    rules = TokenizerRules()
    texts = draw_texts(chosen([f"w{n}" for n in range(50_000)], rules), rules, LENGTH)
    numbers = np.array([int(word[1:]) for text in texts for word in text.split()])
    assert 0.3 < (numbers < 1000).mean() < 0.7
    assert numbers.max() > 40_000


def test_kept_texts_span_the_scores_of_the_label_that_varies() -> None:
    scores = [[0.5, one] for one in np.random.default_rng(1).uniform(0.0, 1.0, 30).tolist()]
    kept = [scores[number][1] for number in spread_out(scores)]
    assert len(kept) == len(set(kept)) == 12
    assert (min(kept), max(kept)) == (min(s for _, s in scores), max(s for _, s in scores))
    assert spread_out(scores[:5]) == [0, 1, 2, 3, 4]


# --- in a build -----------------------------------------------------------------------------------


def chinese(tmp_path: Path) -> Path:
    """A word index in which the fixed texts have no word."""
    words = [*CHINESE, *(f"词{number}" for number in range(ROWS - 1 - len(CHINESE)))]
    path = tmp_path / "chinese.json"
    path.write_text(json.dumps({word: n for n, word in enumerate(words, 1)}), encoding="utf-8")
    return path


def different(result: BuildResult, texts: Any) -> int:
    cases = result.manifest.golden_outputs.cases
    return len({tuple(np.round(case.scores, 3)) for case in cases if texts(case.text)})


def test_golden_outputs_of_another_language_have_different_scores(
    make: Make, tmp_path: Path
) -> None:
    result = make(words=chinese(tmp_path), accept_unusual=True)
    assert different(result, lambda text: text in DEFAULT_TEXTS) == 1
    assert different(result, lambda text: text not in DEFAULT_TEXTS) > 8


def test_rounding_is_measured_with_the_models_own_words(
    make: Make, tmp_path: Path, lines: list[str]
) -> None:
    make(words=chinese(tmp_path), accept_unusual=True, dtype="float16")
    (line,) = [one for one in lines if one.startswith("float16 vectors change a score")]
    assert 0.0 < float(line.split()[-1]) < 0.01


def test_golden_outputs_that_hardly_differ_are_reported() -> None:
    spread = [[number / 20] for number in range(20)]
    assert describe_spread(spread) is None
    line = describe_spread([[0.50], [0.53], [0.55]] * 6)
    assert line is not None
    assert "18 texts have 3 different scores, 0.05 apart at most" in line
    assert '"texts": ["...", "..."] in build_settings.json' in line
    assert describe_spread([[0.1], [0.9]] * 9) is not None  # far apart, but only two scores
    assert describe_spread([[0.501], [0.502]] * 9) is None  # check_scores says so
