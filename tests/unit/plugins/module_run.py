"""Run a module of plugins/modules as Ansible does: arguments on standard input, JSON as answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["MODULES", "START", "run_module"]

MODULES = Path(__file__).resolve().parents[3] / "plugins/modules"
# With `module_utils` of ansible.cfg.
START = """
import runpy, sys
import ansible.module_utils
_, utils, module = sys.argv
sys.argv = [module]
ansible.module_utils.__path__.append(utils)
runpy.run_path(module, run_name="__main__")
"""


def run_module(
    name: str, /, _environment: dict[str, str] | None = None, **arguments: Any
) -> dict[str, Any]:
    """Return the answer of a module, which may have failed."""
    done = subprocess.run(  # noqa: S603 (words of the tests, no shell)
        [sys.executable, "-c", START, MODULES.with_name("module_utils"), MODULES / f"{name}.py"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        env={**os.environ, **(_environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
