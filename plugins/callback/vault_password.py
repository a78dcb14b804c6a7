"""Explains how to provide a vault password, where Ansible only reports that there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ansible import constants, context
from ansible.plugins.callback import CallbackBase

if TYPE_CHECKING:
    from ansible.playbook import Playbook

DOCUMENTATION = """
name: vault_password
type: aggregate
short_description: Explains how to provide a vault password
description:
  - If the inventory contains a vault and no password was given, stops the run with one line that
    lists the ways to provide it.
"""
HEADER = b"$ANSIBLE_VAULT;"


def encrypted_files(sources: Iterable[str]) -> list[Path]:
    """Find the encrypted files of an inventory.

    Args:
        sources: files and directories of the inventory, as given to `-i`.

    Returns:
        Paths of the files that begin with Ansible's vault header.
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
    """Checks at the start of a playbook, before any host variable is read."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "vault_password"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        """Exit with code 1 if a vault password is missing."""
        if playbook._loader._vault.secrets:
            return
        sources = context.CLIARGS.get("inventory") or constants.DEFAULT_HOST_LIST
        found = encrypted_files(source for source in sources if "," not in source)
        if found:
            sys.exit(
                f"{found[0]} is a vault, and its password is missing: use --ask-vault-pass, or "
                "write it to a file and export ANSIBLE_VAULT_PASSWORD_FILE=.vault-password"
            )
