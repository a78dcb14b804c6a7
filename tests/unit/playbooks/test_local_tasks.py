"""Tasks on the controller itself, from a checkout whose path contains a blank."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
# ansible-core 2.19 quotes the path itself.
QUOTED = (
    "{{ ansible_playbook_python | quote if ansible_version.minor < 19 "
    "else ansible_playbook_python }}"
)
FILES = [
    path
    for directory in ("roles", "playbooks", "molecule")
    for path in sorted((ROOT / directory).rglob("*.yml"))
    if "localhost" in path.read_text(encoding="utf-8")
]


class Loader(yaml.SafeLoader):
    """Reads tags of Ansible, such as !unsafe, as plain values."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


def local(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the plays and tasks that run on the controller."""
    if isinstance(value, list):
        for item in value:
            yield from local(item)
    elif isinstance(value, dict):
        if value.get("delegate_to") == "localhost" or value.get("hosts") == "localhost":
            yield value
        for item in value.values():
            yield from local(item)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_interpreter_of_the_controller_is_quoted(path: Path) -> None:
    found = list(local(yaml.load(path.read_text(encoding="utf-8"), Loader)))  # noqa: S506 (a SafeLoader)
    for entry in found:
        assert entry.get("vars", {}).get("ansible_python_interpreter") == QUOTED, entry.get("name")


def test_quoted_interpreter_runs_a_module_where_the_path_has_a_blank(tmp_path: Path) -> None:
    environment = tmp_path / "a checkout"
    venv.create(environment, symlinks=True, with_pip=False)
    site = next((environment / "lib").glob("python*/site-packages"))
    (site / "controller.pth").write_text(f"{Path(shutil.__file__).parent}\n" + "\n".join(sys.path))
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": QUOTED},
        "tasks": [{"ansible.builtin.command": "true"}],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    done = subprocess.run(  # noqa: S603 (built here, no shell)
        [environment / "bin/python", "-m", "ansible", "playbook", "-i", "localhost,", "play.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
