"""Keras' text preprocessing (`keras.preprocessing.text.Tokenizer`, `pad_sequences`), exactly.

So is its TextVectorization layer (style `text_vectorization`), which differs in three points: its
filters fall away instead of separating words, it lower-cases only A to Z, and every ASCII blank
separates words. Before either comes the step that the model names (`normalization`), here so that
nobody can forget it.

The vocabulary is not in memory: a text becomes tokens here, their rows come from MongoDB, and
`select` decides which of them enter the sequence. Sources of the rules: keras_preprocessing 1.1,
`text.py` and `sequence.py`, unchanged in Keras 2.x; keras/src/layers/preprocessing/
text_vectorization.py (2.15 and 3.x) with TensorFlow's `strings.lower` and `strings.split`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from tox_com_det.model.normalization import NORMALIZATIONS, Normalization, normalize

DEFAULT_FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'

Side = Literal["pre", "post"]
Style = Literal["tokenizer", "text_vectorization"]
STYLES: tuple[Style, ...] = ("tokenizer", "text_vectorization")
_BLANKS = " \t\n\v\f\r"
T = TypeVar("T")


@dataclass(frozen=True)
class TokenizerRules:
    """The settings of a fitted Keras `Tokenizer` that decide how a text becomes tokens.

    `normalization` is the step before its own rules; `keras` is none. With the `style`
    `text_vectorization` they are those of that layer, for which `split` and `char_level` keep
    their defaults.
    """

    num_words: int | None = None
    filters: str = DEFAULT_FILTERS
    lower: bool = True
    split: str = " "
    char_level: bool = False
    oov_token: str | None = None
    normalization: Normalization = "keras"
    style: Style = "tokenizer"
    _table: dict[int, str] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        if not self.split:
            raise ValueError("tokenizer split must not be empty")
        if self.normalization not in NORMALIZATIONS:
            known = " or ".join(NORMALIZATIONS)
            raise ValueError(f"normalization must be {known}, not {self.normalization!r}")
        if self.style not in STYLES:
            raise ValueError(f"style must be {' or '.join(STYLES)}, not {self.style!r}")
        if self.style == "text_vectorization":
            if self.char_level or self.split != " ":
                raise ValueError("the style text_vectorization takes no split and no char_level")
            if not self.filters.isascii() or set(self.filters) & set(_BLANKS):
                raise ValueError(
                    "the filters of the style text_vectorization must be ASCII without blanks"
                )
        self._table.update(str.maketrans(dict.fromkeys(self.filters, self.split)))

    def tokens(self, text: str) -> list[str]:
        """Tokens of `text` in order, known or not.

        With `char_level`, every character is a token, and as in Keras, the filters do not apply.
        In Keras only `split` separates words: a carriage return or a no-break space is part of its
        word. `unicode` makes blanks of them first.
        """
        if self.normalization == "unicode":
            text = normalize(text)
        if self.style == "text_vectorization":
            return self._vectorized(text)
        if self.lower:
            text = text.lower()
        if self.char_level:
            return list(text)
        if len(self.split) == 1:
            # As `translate` does, six times as fast for texts that are not ASCII.
            for character in self.filters:
                text = text.replace(character, self.split)
        else:
            text = text.translate(self._table)
        return list(filter(None, text.split(self.split)))

    def _vectorized(self, text: str) -> list[str]:
        # In UTF-8 an ASCII byte is always a character, so bytes are enough, as in TensorFlow;
        # `bytes.lower` changes A to Z alone, `bytes.split` takes exactly the ASCII blanks.
        kept = text.encode("utf-8", "surrogatepass").translate(None, self.filters.encode())
        if self.lower:
            kept = kept.lower()
        return [word.decode("utf-8", "surrogatepass") for word in kept.split()]

    def reachable(self, index: int) -> bool:
        """Whether a word with this index is used; as in Keras, `num_words=0` is no limit."""
        return not self.num_words or index < self.num_words

    def select(self, tokens: Iterable[str], rows: Mapping[str, T], unknown: T | None) -> list[T]:
        """Rows of the known tokens in order.

        Args:
            tokens: from `tokens`.
            rows: row of each known word; must not contain words that are not reachable.
            unknown: row of the out-of-vocabulary token, or None to drop unknown tokens. As in
                Keras, used only with an `oov_token`.
        """
        selected: list[T] = []
        for token in tokens:
            row = rows.get(token)
            if row is not None:
                selected.append(row)
            elif self.oov_token is not None and unknown is not None:
                selected.append(unknown)
        return selected

    def sequence(self, text: str, word_index: Mapping[str, int]) -> list[int]:
        """Word indices of `text`, equal to Keras' `texts_to_sequences([text])[0]`."""
        tokens = self.tokens(text)
        known = {
            token: word_index[token]
            for token in tokens
            if token in word_index and self.reachable(word_index[token])
        }
        oov = None if self.oov_token is None else word_index.get(self.oov_token)
        return self.select(tokens, known, oov)


def pad_sequence(
    sequence: Sequence[T],
    length: int,
    value: T,
    padding: Side = "pre",
    truncating: Side = "pre",
) -> list[T]:
    """`sequence` cut or filled to exactly `length` entries: `pad_sequences` for one sequence.

    `pre` cuts or fills at the start, `post` at the end.

    Raises:
        ValueError: `length` is below 1 or a side is neither `pre` nor `post`.
    """
    if length < 1:
        raise ValueError(f"sequence length must be at least 1, not {length}")
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in ("pre", "post"):
            raise ValueError(f"{name} must be 'pre' or 'post', not {side!r}")
    kept = list(sequence[-length:] if truncating == "pre" else sequence[:length])
    fill = [value] * (length - len(kept))
    return fill + kept if padding == "pre" else kept + fill
