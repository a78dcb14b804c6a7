"""What windows cost: `PYTHONPATH=app:server python bench/windows.py`, from the repository.

Builds the sample model with windows of 100 words, 75 apart, and scores texts of 1, 4 and 16 windows
in this process, with word vectors in memory: the time of each, alone; and how long a text of one
window waits and runs while another client sends texts of so many windows, one after the other, with
the service's own turns between them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from controller.model_build.build import build
from controller.model_build.dump_rows import DumpRows
from tox_com_det.http.turns import Turns
from tox_com_det.model.bundle import read_head, read_manifest
from tox_com_det.model.head import Head
from tox_com_det.model.predictor import Predictor
from tox_com_det.store.vectors import Vectors

SAMPLE = Path(__file__).resolve().parents[1] / "sample_model"
LENGTH, STRIDE, MOST = 100, 75, 16
COUNTS = (1, 4, 16)
POLITE = [
    "the",
    "article",
    "needs",
    "a",
    "source",
    "for",
    "the",
    "second",
    "paragraph",
    "could",
    "you",
    "add",
    "one",
]


def text_of(windows: int) -> str:
    """A text of known words that fills so many windows."""
    words = LENGTH + (windows - 1) * STRIDE
    return " ".join(POLITE[number % len(POLITE)] for number in range(words))


def milliseconds(run: Callable[[], object], seconds: float, pause: float = 0.0) -> list[float]:
    """Times of one run after the other, for so many seconds, with pauses that do not count."""
    found, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        run()
        found.append(1000 * (time.perf_counter() - begin))
        time.sleep(pause)
    return found


def beside(predictor: Predictor, turns: Turns, windows: int, seconds: float) -> list[float]:
    """Times of a text of one window while another client sends texts of so many windows."""
    done = threading.Event()

    def send() -> None:
        while not done.is_set():
            with turns.turn("198.51.100.2"):
                predictor.predict([text_of(windows)] * 8)

    def ask() -> None:
        with turns.turn("198.51.100.1"):
            predictor.predict([text_of(1)])

    other = threading.Thread(target=send, daemon=True)
    if windows:
        other.start()
    try:
        return milliseconds(ask, seconds, pause=0.01)
    finally:
        done.set()
        if windows:
            other.join()


def percentiles(times: list[float]) -> str:
    """p50, p95 and p99 as cells of a table."""
    cuts = statistics.quantiles(times, n=100)
    return " | ".join(f"{cuts[number - 1]:.1f}" for number in (50, 95, 99))


def main() -> None:
    """Build the model, measure, print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each figure")
    seconds = parser.parse_args().seconds
    turns = Turns(threads=16)
    with tempfile.TemporaryDirectory() as directory:
        bundle = Path(directory) / "bundle"
        h5, words = SAMPLE / "toxic_comment_detector.h5", SAMPLE / "word_index.json"
        build(h5, words, bundle, windows=MOST, stride=STRIDE, say=lambda line: None)
        manifest = read_manifest(bundle)
        vectors = Vectors(DumpRows(bundle, manifest.embedding), manifest.tokenizer, 20_000)
        head = Head(read_head(bundle, manifest), manifest)
        predictor = Predictor(manifest, head, vectors, turns.rest)
    print("| windows of the text | words | ms: p50 | p95 | p99 |\n|---|---|---|---|---|")
    for count in COUNTS:
        text = text_of(count)
        times = milliseconds(lambda text=text: predictor.predict([text]), seconds)  # type: ignore[misc]  # a lambda's default
        print(f"| {count} | {len(text.split())} | {percentiles(times)} |")
    print("\n| beside 8 texts of | ms of one window: p50 | p95 | p99 |\n|---|---|---|---|")
    for count in (0, *COUNTS):
        name = f"{count} windows" if count else "nobody"
        print(f"| {name} | {percentiles(beside(predictor, turns, count, seconds))} |")


if __name__ == "__main__":
    main()
