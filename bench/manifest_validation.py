"""Compare readers of manifest.json: our own and msgspec's, and the cost of importing pydantic.

    .venv/bin/python bench/manifest_validation.py [--manifest PATH] [--runs N]

Each run is a process of its own that has imported what a worker has anyway (Flask, NumPy, ONNX
Runtime, PyMongo). Columns: time to import the reader, memory that this adds (resident and private),
and the time to read and check one manifest. Medians over the runs, which alternate between readers.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
SAMPLE = PROJECT / "sample_model"
READERS = ("own", "msgspec", "pydantic")
LOADS = 50


def memory() -> dict[str, int]:
    """Bytes of this process: resident, and private to it."""
    values = {}
    for line in Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]:
        name, size, *_ = line.replace(":", "").split()
        values[name] = int(size) * 1024
    return {"rss": values["Rss"], "private": values["Private_Clean"] + values["Private_Dirty"]}


def open_reader(name: str) -> Callable[[Path], object] | None:
    """Import a reader; None for pydantic, whose import alone is measured."""
    if name == "own":
        from tox_com_det.model.manifest import Manifest

        return Manifest.load
    if name == "msgspec":
        import manifest_msgspec

        return manifest_msgspec.load
    import pydantic.main  # noqa: F401 (its import alone is measured, where it is installed)

    return None


def measure(name: str, manifest: Path) -> dict[str, float]:
    """Import one reader in this process and read the manifest; seconds and bytes."""
    import flask  # noqa: F401 (what a worker holds before it reads a manifest)
    import numpy  # noqa: F401 (the same)
    import onnxruntime  # noqa: F401 (the same)
    import pymongo  # noqa: F401 (the same)

    before, start = memory(), time.perf_counter()
    load = open_reader(name)
    imported, after = time.perf_counter() - start, memory()
    times = []
    if load is not None:
        for _ in range(LOADS):
            start = time.perf_counter()
            load(manifest)
            times.append(time.perf_counter() - start)
    return {
        "import": imported,
        "rss": after["rss"] - before["rss"],
        "private": after["private"] - before["private"],
        "load": statistics.median(times) if times else float("nan"),
    }


def sample_manifest(directory: Path) -> Path:
    """Build the sample model, for its manifest."""
    command = [sys.executable, "-m", "controller.model_build", "--out", str(directory / "bundle")]
    command += ["--h5", str(SAMPLE / "toxic_comment_detector.h5")]
    command += ["--word-index", str(SAMPLE / "word_index.json")]
    subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 (built here, no shell)
    return directory / "bundle" / "manifest.json"


def compare(manifest: Path, runs: int) -> None:
    """Print the table."""
    names = [name for name in READERS if name == "own" or importlib.util.find_spec(name)]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            command = [sys.executable, __file__, "--one", name, "--manifest", str(manifest)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 (built here, no shell)
            found[name].append(json.loads(done.stdout))
    print(f"{manifest.stat().st_size} bytes of manifest, {runs} runs each")
    print(f"{'reader':<10} {'import ms':>10} {'RSS kB':>8} {'private kB':>11} {'load ms':>8}")
    for name, results in found.items():
        one = {key: statistics.median(r[key] for r in results) for key in results[0]}
        print(
            f"{name:<10} {one['import'] * 1e3:>10.1f} {one['rss'] / 1024:>8.0f}"
            f" {one['private'] / 1024:>11.0f} {one['load'] * 1e3:>8.2f}"
        )


def main() -> int:
    """Compare, or measure one reader."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--manifest", type=Path, help="default: the sample model's")
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--one", choices=READERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.manifest)))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        compare(options.manifest or sample_manifest(Path(temporary)), options.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
