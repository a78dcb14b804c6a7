"""Print an inventory file of package sources without what an earlier revision does not know.

Usage: python tests/upgrade/known.py CHECKOUT SOURCES

Preflight refuses variables that no role has. SOURCES (docs/centos7.md, "In a container") may set
some of roles that are newer than the revision in CHECKOUT, such as those of backups.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml


def options(checkout: Path) -> set[str]:
    """Return the names of all options of the roles in a checkout."""
    found: set[str] = set()
    for specs in checkout.glob("roles/*/meta/argument_specs.yml"):
        content = yaml.safe_load(specs.read_text(encoding="utf-8"))
        for entry in content["argument_specs"].values():
            found |= set(entry.get("options", {}))
    return found


def known_sources(checkout: Path, sources: Path) -> dict[str, Any]:
    """Return the content of SOURCES with the variables alone that roles of the checkout have."""
    content: dict[str, Any] = yaml.safe_load(sources.read_text(encoding="utf-8"))
    known = options(checkout)
    for group in content.values():
        named = group.get("vars", {})
        group["vars"] = {
            name: value
            for name, value in named.items()
            if name in known or name.startswith("ansible_")
        }
    return content


if __name__ == "__main__":
    print(yaml.safe_dump(known_sources(Path(sys.argv[1]), Path(sys.argv[2]))), end="")
