"""Fabric tasks that build nothing do not pay for the packages of the builder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[4]
EXPENSIVE = {"h5py", "numpy", "onnx", "onnxruntime", "rich"}


def test_fabfile_imports_no_package_of_the_builder():
    check = f"import sys, fabfile; print(*sorted({EXPENSIVE} & set(sys.modules)))"
    done = subprocess.run(  # noqa: S603 (own code)
        [sys.executable, "-c", check], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
