"""Says how to give a vault's password before Ansible only says that there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from ansible import constants, context
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: vault_password
type: aggregate
short_description: Says how to give a vault's password
description:
  - Stops a run whose inventory has a vault, but that was given no password for it, with one line
    that names the ways to give one.
"""
HEADER = b"$ANSIBLE_VAULT;"


def vaults(sources: Iterable[str]) -> list[Path]:
    """Encrypted files of an inventory.

    Args:
        sources: files and directories of the inventory, as given to `-i`.

    Returns:
        Paths of files that begin with Ansible's header of a vault.
    """
    found = []
    for source in map(Path, sources):
        files = source.rglob("*") if source.is_dir() else [source]
        for path in files:
            if path.is_file():
                with path.open("rb") as file:
                    if file.read(len(HEADER)) == HEADER:
                        found.append(path)
    return sorted(found)


class CallbackModule(CallbackBase):
    """Looks when a playbook starts, before any variable of a host is read."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "vault_password"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook) -> None:
        """End the run with exit code 1 where a vault's password is missing."""
        if playbook._loader._vault.secrets:
            return
        sources = context.CLIARGS.get("inventory") or constants.DEFAULT_HOST_LIST
        found = vaults(source for source in sources if "," not in source)
        if found:
            sys.exit(
                f"{found[0]} is a vault, and its password is missing: type --ask-vault-pass, or "
                "write it to a file and export ANSIBLE_VAULT_PASSWORD_FILE=.vault-password"
            )
