"""What a build of the article's model costs: as `fab build-model`, and as `python -m` beside it.

    python bench/build_memory.py [--rows 400000]

The model has the article's network and its matrix of 400,000 words x 300 numbers, beside which an
optimizer keeps two numbers for each weight, as Keras' Adam does: 1.4 GB, written to a temporary
directory first. Printed are the peak of the resident memory and the CPU seconds of each command.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import h5py

DIMENSION, LENGTH, LABELS = 300, 100, 6
WORDS = ("you", "are", "an", "idiot", "thank", "for", "your", "help", "stupid", "the", "article")
PROJECT = Path(__file__).resolve().parents[1]
BLOCK = 4000


def layer(class_name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": config}


def convolution(name: str, width: int) -> dict[str, Any]:
    return layer("Conv1D", name=name, filters=128, kernel_size=[width], activation="relu")


def network(rows: int) -> list[dict[str, Any]]:
    """The article's layers, in the words of Keras 2."""
    first = {"batch_input_shape": [None, LENGTH], "input_length": LENGTH}
    pool = {"pool_size": [5], "strides": [5], "padding": "valid"}
    return [
        layer("Embedding", name="words", input_dim=rows, output_dim=DIMENSION, **first),
        convolution("conv1", 5),
        layer("MaxPooling1D", name="pool1", **pool),
        convolution("conv2", 5),
        layer("MaxPooling1D", name="pool2", **pool),
        convolution("conv3", 3),
        layer("GlobalMaxPooling1D", name="pool3"),
        layer("Dense", name="dense", units=128, activation="relu"),
        layer("Dense", name="scores", units=LABELS, activation="sigmoid"),
    ]


SHAPES: dict[str, tuple[int, ...]] = {
    "conv1": (5, DIMENSION, 128),
    "conv2": (5, 128, 128),
    "conv3": (3, 128, 128),
    "dense": (128, 128),
    "scores": (128, LABELS),
}


def write_model(path: Path, rows: int) -> None:
    import h5py
    import numpy as np

    random = np.random.default_rng(0)

    def matrix(group: h5py.Group, name: str) -> None:
        data = group.create_dataset(name, (rows, DIMENSION), "<f4")
        for start in range(0, rows, BLOCK):
            some = min(BLOCK, rows - start)
            data[start : start + some] = random.standard_normal((some, DIMENSION), np.float32)

    with h5py.File(path, "w") as file:
        config = {"name": "model", "layers": network(rows)}
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config})
        file.attrs["keras_version"] = "2.15.0"
        weights = file.create_group("model_weights")
        for one in network(rows):
            name = one["config"]["name"]
            group = weights.create_group(name)
            names: list[str] = []
            if name == "words":
                names = ["words/embeddings:0"]
                matrix(group, names[0])
            elif name in SHAPES:
                names = [f"{name}/kernel:0", f"{name}/bias:0"]
                shape = SHAPES[name]
                scale = 1.6 / float(np.prod(shape[:-1])) ** 0.5
                group[names[0]] = (random.standard_normal(shape) * scale).astype("<f4")
                group[names[1]] = random.normal(0.0, 0.5, shape[-1]).astype("<f4")
            group.attrs["weight_names"] = np.array(names, "S")
        optimizer = file.create_group("optimizer_weights")
        for moment in ("m", "v"):
            matrix(optimizer, f"adam/{moment}/words")


def write_words(path: Path, count: int) -> None:
    words = [*WORDS, *(f"word{number}" for number in range(count - len(WORDS)))]
    path.write_text(json.dumps({word: number for number, word in enumerate(words, 1)}))


def measured(command: list[str]) -> tuple[float, float]:
    """Peak of the resident memory in MB, and CPU seconds."""
    # S603: own commands.
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)  # noqa: S603 (own commands)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command[:3])} ended with {process.returncode}")
    return usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=400_000, help="words (default: %(default)s)")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    rows = options.rows
    if options.write:
        write_model(options.write, rows + 1)
        return
    with tempfile.TemporaryDirectory() as work:
        model, words = Path(work, "model.h5"), Path(work, "words.json")
        # In a process of its own: a process that is started counts the memory of the one that
        # started it.
        writing = [sys.executable, __file__, "--rows", str(rows), "--write", str(model)]
        subprocess.run(writing, check=True)  # noqa: S603 (own commands)
        write_words(words, rows)
        given = ["--h5", str(model), "--word-index", str(words), "--labels", "a,b,c,d,e,f"]
        given += ["--padding", "pre", "--truncating", "pre", "--out", f"{work}/bundle"]
        given += ["--force", "--accept-unusual"]
        commands = {
            "fab build-model": [str(Path(sys.executable).with_name("fab")), "build-model"],
            "python -m controller.model_build": [sys.executable, "-m", "controller.model_build"],
        }
        print(f"{model.stat().st_size / 1e6:.0f} MB, {rows} words")
        print(f"{'command':<34} {'peak RSS, MB':>12} {'CPU, s':>8}")
        for name, command in commands.items():
            memory, seconds = measured([*command, *given])
            print(f"{name:<34} {memory:>12.0f} {seconds:>8.1f}")


if __name__ == "__main__":
    main()
