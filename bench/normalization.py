"""What the normalization of a text costs: `python bench/normalization.py`.

Times of one comment of 300 characters, and of the longest text that the service accepts, in
microseconds: without a step (`keras`), with a plain NFKC, with `unicode`, and the whole way to
tokens with either. The shortest of five rounds each.
"""

from __future__ import annotations

import sys
import timeit
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "app"))

from tox_com_det.model.normalization import normalize
from tox_com_det.model.tokenizer import TokenizerRules

ENGLISH = "You clearly have no idea what you are talking about. "
KERAS, UNICODE = TokenizerRules(), TokenizerRules(normalization="unicode")


def nfkc(text: str) -> str:
    """NFKC alone."""
    return unicodedata.normalize("NFKC", text)


WAYS: dict[str, Callable[[str], object]] = {
    "NFKC": nfkc,
    "unicode": normalize,
    "tokens keras": KERAS.tokens,
    "tokens unicode": UNICODE.tokens,
}


def filled(part: str, length: int) -> str:
    """A text of this length, made of one part again and again."""
    return (part * (length // len(part) + 1))[:length]


def texts() -> Iterator[tuple[str, str]]:
    """Comments as people write them, then the longest ones that cost most."""
    yield "ASCII, 300", filled(ENGLISH, 300)
    yield "ASCII with CR LF, 300", filled(ENGLISH + "\r\n", 300)
    yield "curly quotes, 300", filled(ENGLISH.replace("idea", "“idea”"), 300)
    yield (
        "full-width, 300",
        filled("".join(chr(ord(one) + 0xFEE0) for one in "Youareanidiot!"), 300),
    )
    yield "Cyrillic, 300", filled("Привет, как дела? ", 300)
    yield "ASCII, 20,000", filled(ENGLISH, 20_000)
    yield "emoji, 20,000", "\U0001f921" * 20_000
    yield "alternating marks, 20,000", "a" + "\u0315\u0327" * 10_000
    yield "different ideographs, 20,000", "".join(map(chr, range(0x4E00, 0x4E00 + 20_000)))


def microseconds(way: Callable[[str], object], text: str) -> float:
    """Time of one call."""
    number = 2000 if len(text) < 1000 else 3
    return min(timeit.repeat(lambda: way(text), number=number, repeat=5)) / number * 1e6


def main() -> None:
    """Print one row per text."""
    print(f"{'text':30}" + "".join(f"{name:>16}" for name in WAYS))
    for name, text in texts():
        times = [microseconds(way, text) for way in WAYS.values()]
        print(f"{name:30}" + "".join(f"{time:16,.1f}" for time in times))


if __name__ == "__main__":
    main()
