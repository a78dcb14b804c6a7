"""Ask whether a word index has an out-of-vocabulary token, where nothing states it.

`json.dump(tokenizer.word_index)` keeps the token's entry, but not that it is one. Keras gives it
the index 1, old versions the highest. Its own filters usually take it apart, which no word of an
index survives: words were made by them. Without it, unknown words are dropped, which moves a score
as much as another text would.
"""

from __future__ import annotations

import re
from dataclasses import replace

from controller.model_build.origins import Origins
from controller.model_build.settings import SETTINGS_FILE, Settings
from controller.model_build.word_index import WordIndex
from tox_com_det.model.tokenizer import TokenizerRules

_NAMES = frozenset(
    {
        *("oov", "unk", "unknown", "oovtoken", "unktoken", "unknowntoken", "unknownword"),
        *("outofvocab", "outofvocabulary", "xxunk", "notfound", "unseen"),
    }
)
# Markers that are no words either, but have a meaning of their own.
_MARKERS = frozenset(
    {
        *("pad", "padding", "start", "end", "bos", "eos", "s", "sos", "go", "unused", "mask"),
        *("cls", "sep", "num", "url", "user", "br"),
    }
)
_BRACKETS = "<[{(_|#$@*-"
# A word that no tokenizer takes apart, as far as its filters hold no letters or digits.
_PLAIN = re.compile(rb"[a-z0-9]+")
_NO_LETTERS = re.compile(r"[\W_]+")


def is_marker(word: str) -> bool:
    """Whether an entry stands for something other than a word, such as `<START>` or `<UNK>`."""
    core = _NO_LETTERS.sub("", word.casefold())
    bracketed = word[:1] in "<[{" and word[-1:] in ">]}" and len(word) > 2
    return bracketed or core in _MARKERS or core in _NAMES


def oov_question(index: WordIndex, settings: Settings, origins: Origins) -> str | None:
    """What to ask about an entry that looks like an out-of-vocabulary token; None without one."""
    if not origins.assumed("oov_token"):
        return None
    found = _find(index, settings.tokenizer())
    if found is None:
        return None
    word, number, why = found
    return (
        f"{word!r} (index {number} of the word index) looks like an out-of-vocabulary token "
        f"({why}), and nothing says whether it is one: give --oov-token {_typed(word)}, or "
        f"--no-oov-token to drop unknown words ('oov_token' in {SETTINGS_FILE}, null for none)"
    )


def _find(index: WordIndex, rules: TokenizerRules) -> tuple[str, int, str] | None:
    """The likeliest entry, its index, and what makes it one."""
    if not len(index):
        return None
    ends = {int(index.indices.min()), int(index.indices.max())}
    own = replace(rules, normalization="keras")
    quick = not (rules.char_level or any(map(str.isalnum, rules.filters + rules.split)))
    named: list[tuple[str, int, str]] = []
    lost: list[tuple[str, int]] = []
    for raw, number in zip(index.words, index.indices, strict=True):
        if quick and _PLAIN.fullmatch(raw) and number not in ends:
            continue  # nearly every word of a vocabulary
        word = raw.decode("utf-8")
        core = _NO_LETTERS.sub("", word.casefold())
        apart = _is_apart(word, own)
        if core in _NAMES and (apart or word[0] in _BRACKETS or int(number) in ends):
            named.append((word, int(number), "by its name"))
        elif apart and core not in _MARKERS:
            lost.append((word, int(number)))
    if named:
        return min(named, key=lambda one: (one[1] != min(ends), one[1]))
    first = [one for one in lost if one[1] == min(ends)]
    # Where many words are lost, the index is of another tokenizer, and its first entry a word.
    few = len(lost) <= max(1, len(index) // 100)
    chosen = first if first and few else lost if len(lost) == 1 else []
    return (*chosen[0], "no text becomes it") if chosen else None


def _is_apart(word: str, rules: TokenizerRules) -> bool:
    """Whether the tokenizer takes an entry apart, or changes it."""
    if rules.char_level:
        return len(word) > 1
    return rules.tokens(word) != [word]


def _typed(word: str) -> str:
    """A word as it is typed in a shell."""
    return word if re.fullmatch(r"[\w.:+-]+", word) else "'" + word.replace("'", "'\\''") + "'"
