"""Run a Python file that is in no package: the fabfile, or what Ansible finds by its path."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

PROJECT = Path(__file__).resolve().parents[2]


def from_file(path: str) -> ModuleType:
    """Return the module of a file of the project, each time a new one.

    Dataclasses look their module up by its name while it runs; afterwards the name is free again.
    """
    name = f"from_file_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, PROJECT / path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module
