"""Import a module of plugins/modules by its file, as Ansible does not install it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import ansible.module_utils

MODULES = Path(__file__).resolve().parents[3] / "plugins/modules"
UTILS = MODULES.with_name("module_utils")
# As `module_utils` of ansible.cfg.
ansible.module_utils.__path__.append(str(UTILS))


def load(name: str) -> ModuleType:
    """Return the module of that name."""
    spec = importlib.util.spec_from_file_location(name, MODULES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded
