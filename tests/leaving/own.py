"""Write what the inventory of scripts/test-leaving says of one server alone.

Usage: python tests/leaving/own.py HOST SYSTEM SOURCES

Debian has the group's settings, those of the local Nanode. Another system has what a real server
has, Miniconda's Python and MongoDB's packages, from where SOURCES says: an inventory file
(docs/centos7.md, "In a container"), or "" for the real ones.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml
from leaving_hosts import MINE

REAL: dict[str, Any] = {
    "python_provider": "miniconda",
    "miniconda_accept_terms": True,
    "mongodb_provider": "mongodb-org",
}


def main(host: str, system: str, sources: str) -> None:
    """Write host_vars, if the host has any; the backups are those of all."""
    if system.startswith("debian"):
        return
    own = dict(REAL)
    if sources:
        named = yaml.safe_load(Path(sources).read_text(encoding="utf-8"))["tox_com_det"]["vars"]
        own |= {name: value for name, value in named.items() if not name.startswith("backup_")}
    (MINE / "host_vars").mkdir(exist_ok=True)
    lines = [f"{name}: {json.dumps(value)}\n" for name, value in own.items()]
    (MINE / "host_vars" / f"{host}.yml").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
