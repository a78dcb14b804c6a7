"""Any value of a variable that fab reads of an inventory is taken or is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fuzzing import ANYTHING, TEXT, fuzz, is_one_line, tried
from hypothesis import given
from hypothesis import strategies as st

from controller.deploy import inventory
from controller.deploy.cli import shown
from controller.deploy.errors import DeployError

GOOD: dict[str, Any] = {
    "place": 0,
    "address": "127.0.0.1",
    "port": "22",
    "user": "deploy",
    "key_file": "",
    "password": "",
    "become_password": "",
    "common_args": "",
    "extra_args": "",
    "hooks_dir": "",
    "firewall": {"services": ["http"], "ports": []},
    "parts": [],
    "cluster": False,
    "balancers": [],
    "app_hosts": [],
    "names": ["ansible_host"],
    "own_names": [],
}
# Of the inventory's own texts; `place`, `names` and what is about groups are Ansible's,
# and `firewall` is of values that role firewalld checks.
ANSIBLES = {"place", "firewall", "names", "parts", "cluster", "balancers", "app_hosts"}
FUZZED = sorted(set(inventory.ASKED) - ANSIBLES)


def test_every_variable_that_is_asked_is_fuzzed() -> None:
    assert set(GOOD) == set(inventory.ASKED)


@pytest.mark.parametrize("name", FUZZED)
def test_any_value_is_taken_or_is_one_line(name: str) -> None:
    def read(value: Any) -> None:
        said = "taken"
        try:
            inventory.host_of("x", {"msg": {**GOOD, name: value}}, "inventory")
        except DeployError as error:
            said = shown(str(error))
        assert is_one_line(said)

    tried(name, 12, read, TEXT | ANYTHING)


@fuzz(60)
@given(st.text(max_size=60) | ANYTHING.map(str))
def test_any_output_of_ansible_is_parsed(text: str) -> None:
    answers = inventory.parse_answers(text)
    assert isinstance(answers, dict)


@pytest.mark.parametrize(
    ("source", "limit"),
    [
        ("a,", "~["),
        (",", None),
        ("{{ x }},", None),
        ("broken.yml", None),
        ("binary", None),
    ],
)
def test_any_inventory_and_limit_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, limit: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.yml").write_text("tox_com_det: {hosts: [\n")
    Path("binary").write_bytes(bytes(range(256)))
    with pytest.raises(DeployError) as caught:
        inventory.read_hosts(source, limit)
    assert is_one_line(shown(str(caught.value)))
