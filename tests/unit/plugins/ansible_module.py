"""Import a module of plugins/modules by its file, as Ansible does not install it."""

from __future__ import annotations

from types import ModuleType

import ansible.module_utils
from from_file import PROJECT, from_file

UTILS = PROJECT / "plugins/module_utils"
# As `module_utils` of ansible.cfg.
ansible.module_utils.__path__.append(str(UTILS))


def load(name: str) -> ModuleType:
    """Return the module of that name."""
    return from_file(f"plugins/modules/{name}.py")
