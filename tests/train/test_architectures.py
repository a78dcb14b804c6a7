"""Real trainings of bench.architectures in `.venv-training`, on made-up comments."""

from __future__ import annotations

import csv
import gzip
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from made_up import PLAIN, RUDE, write_vectors

PROJECT = Path(__file__).parents[2]
PYTHON = PROJECT / ".venv-training" / "bin" / "python"
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'app'}:{PROJECT / 'server'}"}
LABELS = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]
# One of each kind of pool, and without kernels.
NETWORKS = ("today", "maximum and mean", "the 3 highest", "GRU alone")


def write_sources(directory: Path) -> None:
    """Comments that single words decide, as many as the parts of the sample model need."""
    random = np.random.default_rng(6)

    def row(number: int) -> list[object]:
        words = [str(one) for one in random.choice(PLAIN, int(random.integers(3, 9)))]
        if number % 3 == 0:
            words[0] = str(random.choice(RUDE))
        return [f"{' '.join(words)} n{number}", *[int(number % 3 == 0)] * len(LABELS)]

    with (directory / "jigsaw_train.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["comment_text", *LABELS], *map(row, range(8_100))])
    with gzip.open(directory / "jigsaw_extra.csv.gz", "wt", newline="") as file:
        rows = [[*row(number), "jigsaw_test/RobertNimmo26"] for number in range(9_000, 9_850)]
        csv.writer(file).writerows([["text", *LABELS, "source"], *rows])


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("architectures")
    write_sources(path)
    write_vectors(path / "glove.txt")
    return path


def compare(directory: Path, *names: str) -> list[str]:
    """Lines of the bench's output."""
    words = ["--data", str(directory), "--vectors", str(directory / "glove.txt")]
    words += ["--out", str(directory / "out")]
    done = subprocess.run(  # noqa: S603 (own program)
        [str(PYTHON), "-m", "bench.architectures", *words, *(f"--only={one}" for one in names)],
        env=ENVIRONMENT,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def trained(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("fold ")]


def test_networks_of_each_kind_learn_and_only_missing_folds_are_trained_again(directory) -> None:
    lines = compare(directory, *NETWORKS)
    assert len(trained(lines)) == 3 * len(NETWORKS)
    table = [line.split("|")[1:3] for line in lines[-len(NETWORKS) :]]
    assert [name.strip() for name, _ in table] == list(NETWORKS)
    assert all(float(value.split()[0]) > 0.95 for _, value in table), table
    next((directory / "out").glob("GRU-alone-2-*.npy")).unlink()
    again = compare(directory, *NETWORKS)
    assert trained(again) == ["fold 2 of 3: GRU alone"]
    assert again[-len(NETWORKS) :] == lines[-len(NETWORKS) :]
