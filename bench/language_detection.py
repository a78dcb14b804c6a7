"""What detecting languages costs: `python bench/language_detection.py`.

Prints memory and time of a process that has loaded what a worker has, without and with a detector,
and the time of a comment beside that of its score. `--texts FILE`: a CSV of English comments with a
column comment_text or text; counts those that are taken for another language.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

TEXT = "You clearly have no idea what you are talking about. "
LENGTHS = (50, 200, 2000, 20000)


def memory() -> float:
    """Resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def seconds(run: Callable[[], object], times: int) -> float:
    """The shortest time of one run in five rounds."""
    rounds = []
    for _ in range(5):
        begin = time.perf_counter()
        for _ in range(times):
            run()
        rounds.append((time.perf_counter() - begin) / times)
    return min(rounds)


def measure(detect: bool) -> None:
    """Print the memory of one variant and, with a detector, its times."""
    import flask  # noqa: F401 (what a worker has loaded)
    import numpy  # noqa: F401 (what a worker has loaded)
    import onnxruntime  # noqa: F401 (what a worker has loaded)
    import pymongo  # noqa: F401 (what a worker has loaded)

    before = memory()
    begin = time.perf_counter()
    if not detect:
        print(f"no detector: {before:.1f} MB")
        return
    from tox_com_det.perspective.detector import Detector

    detector = Detector()
    loaded = time.perf_counter() - begin
    detector.languages(TEXT)
    print(
        f"detector: {memory() - before:+.1f} MB after its first use, {1000 * loaded:.0f} ms to load"
    )
    for length in LENGTHS:
        text = (TEXT * (length // len(TEXT) + 1))[:length]
        each = seconds(lambda text=text: detector.languages(text), 50)  # type: ignore[misc]  # a lambda's default
        print(f"  {length:5} characters: {1e6 * each:.0f} us")


def count(path: Path) -> None:
    """Print how often English comments are named, not named, and taken for another language."""
    from tox_com_det.perspective.detector import Detector

    detector = Detector()
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row.get("comment_text") or row.get("text") or "" for row in csv.DictReader(file)]
    for name, texts in (("all", rows), ("below 60 characters", [t for t in rows if len(t) < 60])):
        found = [detector.languages(text) for text in texts]
        none = sum(not one for one in found)
        wrong = sum(bool(one) and one[0] != "en" for one in found)
        total = max(1, len(texts))
        print(f"{name}: {total} comments, {none / total:.1%} not named, {wrong / total:.2%} not en")


def main() -> None:
    """Measure each variant in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--variant", choices=("without", "with"))
    options = parser.parse_args()
    if options.variant:
        measure(options.variant == "with")
        return
    for variant in ("without", "with"):
        subprocess.run([sys.executable, __file__, "--variant", variant], check=True)  # noqa: S603 (its own file)
    if options.texts:
        count(options.texts)


if __name__ == "__main__":
    main()
