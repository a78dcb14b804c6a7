"""Render the templates of a task `files` and put all of its files in place at once."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader

DOCUMENTATION = """
name: files
short_description: Puts several files and directories in place, and starts units
description:
  - Renders templates and sends all files to the module of the same name, which has the options.
"""


class ActionModule(ActionBase):
    """Replaces O(src) and O(content) of each file by its compressed content."""

    _VALID_ARGS = frozenset({"files", "units", "applied", "before_directory", "applied_directory"})
    _supports_check_mode = True
    _supports_diff = True

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the module's answer."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        arguments = {
            **self._task.args,
            "files": [
                self._sent(one, variables)
                for one in self._task.args.get("files", [])
                if boolean(one.get("wanted", True))
            ],
        }
        answer = self._execute_module(
            module_name="files", module_args=arguments, task_vars=variables
        )
        return {**result, **answer}

    def _sent(self, entry: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Return an entry as the module takes it."""
        sent = dict(entry)
        dest = sent.get("dest", "an entry")
        if sent.get("state", "file") == "file":
            if ("src" in sent) == ("content" in sent):
                raise AnsibleActionFail(f"files: {dest} needs either src or content")
            text = self._rendered(sent.pop("src"), variables) if "src" in sent else sent["content"]
            sent["content"] = packed(str(text))
        else:
            sent.pop("src", None)
            sent.pop("content", None)
        return sent

    def _rendered(self, source: str, variables: dict[str, Any]) -> str:
        """Return what a template becomes; undefined variables are errors."""
        lookup = lookup_loader.get(
            "ansible.builtin.template", loader=self._loader, templar=self._templar
        )
        known = {**variables, "ansible_search_path": self._task.get_search_path()}
        return str(lookup.run([source], known)[0])


def packed(text: str) -> str:
    """Return a text as the module unpacks it."""
    return base64.b64encode(zlib.compress(text.encode())).decode()
