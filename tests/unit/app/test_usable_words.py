"""Only words that a sequence can use are looked up, and a request's unknown words are limited."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tox_com_det.model.encode import TextEncoder
from tox_com_det.model.tokenizer import TokenizerRules, pad_sequence
from tox_com_det.model.usable_words import LOOKUP_WORDS, TooManyUnknownWords, usable_words

VOCABULARY = {f"w{number}": number.to_bytes(4, "little") for number in range(1, 400)}
ENCODER = TextEncoder(
    rules=TokenizerRules(),
    length=5,
    padding="pre",
    truncating="pre",
    padding_row=bytes(4),
    unknown_row=None,
    dtype="index",
)
OOV = "<oov>"
WITH_OOV = replace(ENCODER, rules=TokenizerRules(oov_token=OOV), unknown_row=b"\xff" * 4)


class Lookups:
    """Rows of the vocabulary; records what was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, words):
        words = list(words)
        self.asked.append(words)
        return {word: VOCABULARY[word] for word in words if word in VOCABULARY}

    @property
    def words(self) -> list[str]:
        return [word for words in self.asked for word in words]


@pytest.mark.parametrize(
    ("truncating", "asked"),
    [("pre", ["w6", "w7", "w8", "w9", "w10"]), ("post", ["w1", "w2", "w3", "w4", "w5"])],
)
def test_only_words_on_the_side_that_is_kept_are_looked_up(truncating, asked):
    lookup = Lookups()
    text = " ".join(f"w{number}" for number in range(1, 11))
    usable = usable_words(replace(ENCODER, truncating=truncating), [text], lookup)
    assert lookup.asked == [asked]
    assert (usable.tokens, usable.cut) == ([asked], [5])


def test_words_that_occur_twice_are_looked_up_once():
    lookup = Lookups()
    usable_words(ENCODER, ["w1 zork w1", "zork w2 w1"], lookup)
    assert lookup.asked == [["w1", "zork", "w2"]]


def test_unknown_words_are_passed_over_until_the_sequence_is_full():
    lookup = Lookups()
    text = " ".join(["w9", *(f"w{n}" for n in range(1, 6)), *(f"zork{n}" for n in range(7))])
    usable = usable_words(ENCODER, [text], lookup)
    assert usable.tokens == [text.split()[1:]]
    assert usable.cut == [1]
    assert len(lookup.asked) == 2


def test_a_text_of_many_words_costs_what_its_sequence_holds():
    lookup = Lookups()
    usable_words(ENCODER, [" ".join(f"w{n % 399 + 1}" for n in range(5000))] * 32, lookup)
    assert len(lookup.words) == ENCODER.length


@pytest.mark.parametrize("truncating", ["pre", "post"])
@pytest.mark.parametrize("encoder", [ENCODER, WITH_OOV])
@pytest.mark.parametrize("known", [0, 1, 2, 7])
def test_sequences_are_those_of_keras(encoder, truncating, known):
    """Every mixture of known and unknown words, against a tokenizer that knows all words."""
    encoder = replace(encoder, truncating=truncating)
    texts = [
        " ".join(f"w{n + 1}" if n * known % 8 < known else f"zork{n}" for n in range(length))
        for length in (1, 4, 5, 6, 11, 40)
    ]
    usable = usable_words(encoder, texts, Lookups())
    chosen = [encoder.choose(tokens, usable.rows) for tokens in usable.tokens]
    indices = encoder.tensors([one.windows[0] for one in chosen])["indices"]
    unknown = None if encoder.unknown_row is None else encoder.unknown_row
    for number, text in enumerate(texts):
        tokens = encoder.rules.tokens(text)
        selected = encoder.rules.select(tokens, VOCABULARY, unknown)
        wanted = pad_sequence(selected, 5, encoder.padding_row, "pre", truncating)
        assert indices[number].tobytes() == b"".join(wanted)
        counts = chosen[number].counts
        assert counts.known + counts.unknown + usable.cut[number] == len(tokens)


def test_with_a_row_for_unknown_words_nothing_else_is_looked_up():
    lookup = Lookups()
    usable_words(WITH_OOV, [" ".join(f"zork{number}" for number in range(50))], lookup)
    assert lookup.words == [f"zork{number}" for number in range(45, 50)]


def test_too_many_unknown_words_end_the_lookups():
    lookup = Lookups()
    texts = [" ".join(f"zork{n}" for n in range(k * 500, k * 500 + 500)) for k in range(100)]
    with pytest.raises(TooManyUnknownWords) as error:
        usable_words(ENCODER, texts, lookup, max_unknown=3000)
    assert error.value.limit == 3000
    assert len(lookup.words) <= 3000 + LOOKUP_WORDS
    assert max(map(len, lookup.asked)) <= LOOKUP_WORDS


def test_unknown_words_up_to_the_limit_are_accepted_and_duplicates_count_once():
    text = " ".join(["zork1 zork2 zork3"] * 20)
    assert usable_words(ENCODER, [text] * 3, Lookups(), max_unknown=3).cut == [0, 0, 0]
    with pytest.raises(TooManyUnknownWords):
        usable_words(ENCODER, [text] * 3, Lookups(), max_unknown=2)
