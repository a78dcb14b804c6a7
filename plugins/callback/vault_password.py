"""Explains how to provide a vault password, where Ansible only reports that there is none."""

from __future__ import annotations

import re
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
  - If a copy of inventory/example uses the vault's variables and has no vault.yml yet, stops the
    run with one line that names vault.yml.example, and the variable to set without a vault.
"""
HEADER = b"$ANSIBLE_VAULT;"
USED = re.compile(r"\{\{\s*(vault_\w+)")
SET = re.compile(r"(vault_\w+):")


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


def missing_vault(sources: Iterable[str]) -> Path | None:
    """Find a vault that is still to be created from the example beside it.

    Args:
        sources: files and directories of the inventory, as given to `-i`.

    Returns:
        Path of the vault.yml that does not exist, if variables beside it use it.
    """
    for source in map(Path, sources):
        below = source if source.is_dir() else source.parent
        for example in sorted(below.glob("*_vars/**/vault.yml.example")):
            vault = example.with_name("vault.yml")
            files = [path for path in example.parent.glob("*.y*ml") if path.is_file()]
            lines = [line for path in files for line in path.read_text("utf-8").splitlines()]
            used = {name for line in lines for name in USED.findall(line.partition("#")[0])}
            own = {found[1] for line in lines if (found := SET.match(line))}
            if not vault.exists() and used - own and not encrypted_files(map(str, files)):
                return vault
    return None


class CallbackModule(CallbackBase):
    """Checks at the start of a playbook, before any host variable is read."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "vault_password"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        """Exit with code 1 if a vault or its password is missing."""
        sources = context.CLIARGS.get("inventory") or constants.DEFAULT_HOST_LIST
        paths = [source for source in sources if "," not in source]
        if vault := missing_vault(paths):
            sys.exit(
                f"{vault} does not exist, and variables beside it use it: create it as "
                "vault.yml.example describes, or set sudo_user_nopasswd: true in place of the two "
                "lines with vault_"
            )
        if playbook._loader._vault.secrets:
            return
        found = encrypted_files(paths)
        if found:
            sys.exit(
                f"{found[0]} is a vault, and its password is missing: use --ask-vault-pass, or "
                "write it to a file and export ANSIBLE_VAULT_PASSWORD_FILE=.vault-password"
            )
