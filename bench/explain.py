"""What an explanation costs: `PYTHONPATH=app:server python bench/explain.py`, from the repository.

Builds the sample model as it is served and scores texts of different words in this process, with
word vectors in memory: without an explanation, with one, and with one whose windows go to the head
in larger runs than the service's.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
from pathlib import Path

from windows import SAMPLE, milliseconds

from controller.deploy.model_builder import model_files
from controller.model_build.build import build
from controller.model_build.dump_rows import DumpRows
from tox_com_det.model import predictor as module
from tox_com_det.model.bundle import read_head, read_manifest
from tox_com_det.model.explain import TooManyWordsToExplain
from tox_com_det.model.head import Head
from tox_com_det.model.predictor import WINDOWS_PER_RUN, Predictor
from tox_com_det.store.vectors import Vectors

WORDS = (5, 20, 50, 100, 300)
RUNS = (WINDOWS_PER_RUN, 16, 512)
MOST = 512


def sample(directory: Path) -> Predictor:
    """The sample model, as `make serve` builds it."""
    build(*model_files(None, None), directory, say=lambda line: None)
    manifest = read_manifest(directory)
    vectors = Vectors(DumpRows(directory, manifest.embedding), manifest.tokenizer, 20_000)
    return Predictor(manifest, Head(read_head(directory, manifest), manifest), vectors)


def median(one: Predictor, text: str, explain: bool, seconds: float) -> str:
    """Milliseconds of one text, the middle of many."""

    def run() -> None:
        words = one.look_up([text])
        if explain:
            one.explain([text], words, MOST)
        one.score(words)

    try:
        run()
    except TooManyWordsToExplain:
        return "refused"
    times = sorted(milliseconds(run, seconds))
    return f"{times[len(times) // 2]:.1f}"


def main() -> None:
    """Build the model, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each figure")
    seconds = parser.parse_args().seconds
    known = list(json.loads((SAMPLE / "word_index.json").read_text()))[100:]
    with tempfile.TemporaryDirectory() as directory:
        one = sample(Path(directory) / "bundle")
    names = " | ".join(f"runs of {size}" for size in RUNS)
    print(f"| different words | ms without | with, {names} |")
    print("|---|" + "---|" * (1 + len(RUNS)))
    for count in WORDS:
        text = " ".join(known[:count])
        cells = [median(one, text, False, seconds)]
        for size in RUNS:
            module.WINDOWS_PER_RUN = size
            cells.append(median(one, text, True, seconds))
        module.WINDOWS_PER_RUN = WINDOWS_PER_RUN
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"| {count} | {' | '.join(cells)} |  (peak {peak} MB)")


if __name__ == "__main__":
    main()
