"""Check that the locked packages of CentOS 7 and the newest give the same scores.

    python bench/el7_scores.py [--python python3.11] [--record]

Builds the sample model's bundle, creates a temporary environment from app/requirements/el7.txt
(onnxruntime 1.16.3, numpy 1.26), and computes the golden outputs with the app itself in both: there
and in the environment that runs this (the newest). Needs the package index; takes a minute or two.
--record writes the result to tests/fixtures/el7/scores.json, which a unit test compares with the
locks.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from toxctl.golden import largest_difference

PROJECT = Path(__file__).resolve().parents[1]
LOCK = PROJECT / "app/requirements/el7.txt"
RECORD = PROJECT / "tests/fixtures/el7/scores.json"
SAMPLE = PROJECT / "sample_model"
# Runs in both environments, which have only the app's packages; the rows come from the dump.
SCORE = """
import json, sys
from importlib.metadata import version
from pathlib import Path
from tox_com_det.model.bundle import read_head, read_manifest
from tox_com_det.store.dump import find_dump, read_documents, read_row
from tox_com_det.model.head import Head
from tox_com_det.model.predictor import Predictor
from tox_com_det.store.vectors import Vectors
bundle = Path(sys.argv[1])
manifest = read_manifest(bundle)
with find_dump(bundle / "dump", manifest.embedding).bson.open("rb") as stream:
    rows = [read_row(document, manifest.embedding) for document in read_documents(stream, "dump")]
class Source:
    rows = {row.word: row for row in rows}
    def find(self, words):
        return [self.rows[word] for word in words if word in self.rows]
head = Head(read_head(bundle, manifest), manifest)
predictor = Predictor(manifest, head, Vectors(Source(), manifest.tokenizer, 0))
texts = [case.text for case in manifest.golden_outputs.cases]
print(json.dumps({
    "versions": {name: version(name) for name in ("numpy", "onnxruntime")},
    "scores": [list(map(float, predictor.predict([text])[0].scores)) for text in texts],
}))
"""


def score(python: str | Path, bundle: Path) -> dict[str, Any]:
    """Return versions and scores of one environment."""
    done = subprocess.run(  # noqa: S603 (built here, no shell)
        [python, "-c", SCORE, bundle],
        env={"PYTHONPATH": str(PROJECT / "app"), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def make_environment(python: str, directory: Path) -> Path:
    """Create an environment with the locked packages; returns its interpreter."""
    subprocess.run([python, "-m", "venv", directory], check=True)  # noqa: S603 (built here, no shell)
    interpreter = directory / "bin/python"
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    install += ["--require-hashes", "--only-binary=:all:", "--requirement", str(LOCK)]
    subprocess.run([interpreter, *install], check=True)  # noqa: S603 (built here, no shell)
    return interpreter


def main() -> int:
    """Print the largest difference; returns 1 if it is not below the tolerance of a deploy."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", default="python3.11", help="CPython 3.11, as on the server")
    parser.add_argument("--environment", type=Path, help="use this environment with the locks")
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.name}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        bundle = Path(temporary, "bundle")
        build = [sys.executable, "-m", "controller.model_build", "--out", str(bundle)]
        build += ["--h5", str(SAMPLE / "toxic_comment_detector.h5")]
        build += ["--word-index", str(SAMPLE / "word_index.json")]
        subprocess.run(build, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 (built here, no shell)
        manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
        golden, labels = manifest["golden_outputs"], manifest["labels"]
        if options.environment:
            old = options.environment / "bin/python"
        else:
            old = make_environment(options.python, Path(temporary, "venv"))
        found = {"el7": score(old, bundle), "newest": score(sys.executable, bundle)}
    difference = max(
        largest_difference(one, labels, dict(zip(labels, other, strict=True)))
        for one, other in zip(found["el7"]["scores"], found["newest"]["scores"], strict=True)
    )
    record = {
        "model": manifest["model_version"],
        "tolerance": golden["tolerance"],
        "largest_difference": difference,
        "texts": [case["text"] for case in golden["cases"]],
        **found,
    }
    for name in ("el7", "newest"):
        print(name, found[name]["versions"])
    print(f"{len(golden['cases'])} golden outputs, largest difference {difference:.1e}")
    if options.record:
        RECORD.parent.mkdir(parents=True, exist_ok=True)
        RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0 if difference < record["tolerance"] else 1


if __name__ == "__main__":
    sys.exit(main())
