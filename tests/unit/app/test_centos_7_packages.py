"""CentOS 7's lock: it resolves for its glibc, and its old runtime gives the same scores."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_app_locks import LOCKS, pins

RECORD = json.loads((LOCKS.parents[1] / "tests/fixtures/el7/scores.json").read_text())
UV = Path(sys.executable).with_name("uv")


def compile_for_glibc_2_17(directory: Path, target: str) -> subprocess.CompletedProcess[str]:
    """Compile the target's list from wheels alone, for the glibc of CentOS 7."""
    for path in LOCKS.iterdir():
        shutil.copy(path, directory)
    command = [str(UV), "pip", "compile", "--quiet", "--no-header", "--no-emit-index-url"]
    command += ["--generate-hashes", "--only-binary", ":all:", "--python-version", "3.11"]
    command += ["--python-platform", "x86_64-manylinux2014", f"{target}.in"]
    done = subprocess.run(  # noqa: S603 (words of the tests, no shell)
        [*command, "--output-file", f"{target}.txt"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    if any(words in done.stderr for words in ("error sending request", "dns error", "onnection")):
        pytest.skip("the package index cannot be reached")
    return done


@pytest.mark.network
def test_the_lock_resolves_from_wheels_for_cpython_3_11_on_manylinux2014(tmp_path: Path):
    done = compile_for_glibc_2_17(tmp_path, "el7")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "el7.txt").read_text() == (LOCKS / "el7.txt").read_text(), "make lock"


@pytest.mark.network
def test_the_lock_of_a_newer_system_does_not_resolve_for_centos_7(tmp_path: Path):
    """Proves that the test above can fail."""
    done = compile_for_glibc_2_17(tmp_path, "el9")
    assert done.returncode != 0
    assert "has no usable wheels" in done.stderr


def test_the_scores_were_recorded_with_what_is_locked():
    """After a change of the lock, run python bench/el7_scores.py --record."""
    assert RECORD["el7"]["versions"] == {
        name: pins("el7")[name] for name in ("numpy", "onnxruntime")
    }
    newest = tuple(map(int, RECORD["newest"]["versions"]["onnxruntime"].split(".")))
    assert newest > tuple(map(int, pins("el7")["onnxruntime"].split(".")))


def test_the_old_runtime_gives_the_scores_of_the_newest():
    old, new = (np.array(RECORD[name]["scores"]) for name in ("el7", "newest"))
    assert old.shape == new.shape
    assert len(old) == len(RECORD["texts"]) > 10
    assert old.min() < 0.01
    assert old.max() > 0.9
    # A hundredth of a deploy's tolerance.
    assert np.abs(old - new).max() < RECORD["tolerance"] / 100
