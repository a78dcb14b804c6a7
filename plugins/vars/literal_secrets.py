"""Take the secrets of an inventory as they are written, also with {{ in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import is_encrypted
from ansible.parsing.yaml.objects import AnsibleVaultEncryptedUnicode
from ansible.plugins.vars.host_group_vars import VarsModule as HostGroupVars
from ansible.utils.unsafe_proxy import wrap_var
from ansible.utils.vars import combine_vars

from controller.values.secrets import with_literals

DOCUMENTATION = """
name: literal_secrets
short_description: Takes secrets of an inventory as they are written
description:
  - Reads the files in group_vars and host_vars as host_group_vars does, and marks secrets that are
    no templates as C(!unsafe), so that Ansible neither evaluates nor prints them.
  - Secrets are variables whose name begins with C(vault_), passwords of connections, options of the
    roles that are never shown, and every variable of an encrypted file.
"""
OWN = "preflight_own_variables"


def decrypted(value: Any) -> Any:
    """Return a value with texts in place of C(!vault) ones, which filters such as urlencode refuse.

    Without the vault's password they stay as they are: Ansible reports it where one is used.
    """
    if isinstance(value, AnsibleVaultEncryptedUnicode):
        try:
            return wrap_var(str(value))
        except AnsibleError:
            return value
    if isinstance(value, dict):
        return {key: decrypted(one) for key, one in value.items()}
    if isinstance(value, list):
        return [decrypted(one) for one in value]
    return value


class VarsModule(HostGroupVars):
    """Adds the variables of the same files again, with marked secrets."""

    REQUIRES_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._own: dict[str, frozenset[str]] = {}
        self._marked: dict[str, dict[str, Any]] = {}

    def get_vars(
        self, loader: DataLoader, path: str, entities: Any, cache: bool = True
    ) -> dict[str, Any]:
        """Return the variables of these hosts or groups."""
        entities = entities if isinstance(entities, list) else [entities]
        own = self._names(loader, path)
        inline: dict[str, Any] = {}
        for entity in entities:
            marked = with_literals(entity.vars, own.union(entity.vars), wrap_var)
            # What is not marked is left to the inventory itself.
            inline |= {name: one for name, one in marked.items() if one is not entity.vars[name]}
        return combine_vars(inline, super().get_vars(loader, path, entities, cache))

    def load_found_files(
        self, loader: DataLoader, data: dict[str, Any], found_files: Iterable[str]
    ) -> dict[str, Any]:
        """Return the variables of files, one after the other, with marked secrets.

        A file that is not YAML or has no variables is reported by host_group_vars.
        """
        for found in found_files:
            name = found if isinstance(found, str) else found.decode()
            if name not in self._marked:
                new = decrypted(loader.load_from_file(name, cache=True, unsafe=True) or {})
                own = frozenset().union(*self._own.values())
                encrypted = is_encrypted(Path(name).read_bytes())
                self._marked[name] = with_literals(new, own, wrap_var, encrypted)
            data = combine_vars(data, self._marked[name])
        return data

    def _names(self, loader: DataLoader, path: str) -> frozenset[str]:
        """Return the names of all variables in the files beside an inventory."""
        if path not in self._own:
            names: set[str] = set()
            base = Path(path) if Path(path).is_dir() else Path(path).parent
            for file in sorted(base.glob("*_vars/**/*")):
                if not file.is_file() or file.suffix not in ("", ".yml", ".yaml", ".json"):
                    continue
                try:
                    content = loader.load_from_file(str(file), cache=True, unsafe=True)
                except AnsibleError:
                    continue  # Ansible reports it where it reads the file itself
                if isinstance(content, dict):
                    names |= set(content) | set(content.get(OWN) or ())
            self._own[path] = frozenset(map(str, names))
        return self._own[path]
