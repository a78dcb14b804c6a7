"""Fabric tasks pay for no package that others need, in time and in memory.

`fab build-model` has what the builder takes beside what fab itself holds, so that is kept small.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[4]
EXPENSIVE = {"h5py", "numpy", "onnx", "onnxruntime", "requests", "rich", "urllib3"}


def test_fabfile_imports_no_package_that_few_tasks_need():
    check = f"import sys, fabfile; print(*sorted({EXPENSIVE} & set(sys.modules)))"
    done = subprocess.run(  # noqa: S603 (own code)
        [sys.executable, "-c", check], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
