"""What Ansible says of an inventory that it cannot read becomes one line with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.cloud.inventories import find_inventory, read_inventory
from controller.deploy.errors import DeployError
from controller.deploy.inventory import read_hosts
from controller.deploy.inventory_errors import no_hosts

END = ": correct the file, then rerun the command"
# As ansible-core 2.16 wraps it, also after a hyphen.
OLD_YAML = """[WARNING]:  * Failed to parse /srv/my-inv/hosts.yml with auto plugin: We were
unable to read either as JSON nor YAML, these are the errors we got from each:
JSON: Expecting value: line 1 column 1 (char 0)  Syntax Error while loading
YAML.   did not find expected key  The error appears to be in '/srv/my-
inv/hosts.yml': line 4, column 4, but may be elsewhere in the file depending
on the exact syntax problem.  The offending line appears to be:      b: x ^ here
[WARNING]:  * Failed to parse /srv/my-inv/hosts.yml with ini plugin: Invalid
host pattern 'tox_com_det:' supplied, ending in ':' is not allowed, this
character is reserved to provide a port.
ERROR! Completely failed to parse inventory source /srv/my-inv/hosts.yml
"""
OLD_INI = """[WARNING]:  * Failed to parse /srv/my-inv/hosts with yaml plugin: We were unable
to read either as JSON nor YAML, these are the errors we got from each: JSON:
Expecting value: line 1 column 2 (char 1)  Syntax Error while loading YAML.
did not find expected <document start>  The error appears to be in '/srv/my-
inv/hosts': line 2, column 1, but may be elsewhere in the file depending on the
exact syntax problem.
[WARNING]:  * Failed to parse /srv/my-inv/hosts with ini plugin: /srv/my-
inv/hosts:2: Expected key=value host variable assignment, got: ansible_host
ERROR! Completely failed to parse inventory source /srv/my-inv/hosts
"""
OLD_VARIABLES = """ERROR! We were unable to read either as JSON nor YAML, these are the errors:
JSON: Expecting value: line 1 column 1 (char 0)

Syntax Error while loading YAML.
  did not find expected ',' or ']'

The error appears to be in '/srv/inv/group_vars/all.yml': line 2, column 1, but may
be elsewhere in the file depending on the exact syntax problem.
"""
NOT_NAMED = "[ERROR]: YAML parsing failed: While parsing a flow sequence.\n"


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        (OLD_YAML, f"did not find expected key (/srv/my-inv/hosts.yml:4){END}"),
        (
            OLD_INI,
            "Expected key=value host variable assignment, got: ansible_host "
            f"(/srv/my-inv/hosts:2){END}",
        ),
        (OLD_VARIABLES, f"did not find expected ',' or ']' (/srv/inv/group_vars/all.yml:2){END}"),
        (
            NOT_NAMED,
            "YAML parsing failed: While parsing a flow sequence: see `ansible-inventory -i "
            "'/no/such inv' --list`",
        ),
    ],
    ids=["yaml", "ini", "variables", "no-file"],
)
def test_words_of_ansible_become_one_line(stderr: str, words: str) -> None:
    found = str(no_hosts("/no/such inv", None, 4, stderr))
    assert found == f"/no/such inv cannot be read: {words}"


BROKEN = {
    "tab": ("hosts.yml", "tox_com_det:\n\thosts:\n", ".*Tabs .*", ":2"),
    "map": ("hosts.yml", "tox_com_det:\n  hosts:\n    a: {}\n   b: x\n", ".*expected key", ":4"),
    "ini": ("hosts", "[tox_com_det]\na ansible_host\n", ".*Expected key=value host .*", "(:2)?"),
    "variables": ("group_vars/all.yml", "ok: 1\na: [1\n", ".*flow sequence.*", ":3"),
    "latin": ("hosts.yml", "tox_com_det: # na\xefve\n", ".*utf-8.*", ""),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_error_in_a_file_names_its_line(tmp_path: Path, kind: str) -> None:
    name, text, why, line = BROKEN[kind]
    (tmp_path / "group_vars").mkdir()
    if name.startswith("group_vars"):
        (tmp_path / "hosts.yml").write_text("tox_com_det: {hosts: {a: {}}}\n")
    (tmp_path / name).write_text(text, encoding="latin-1")
    words = rf"^{tmp_path} cannot be read: {why} \({tmp_path / name}{line}\){END}$"
    with pytest.raises(DeployError, match=words) as caught:
        read_hosts(str(tmp_path))
    assert "\n" not in str(caught.value)
    with pytest.raises(DeployError, match=words):
        read_inventory(tmp_path)


def test_names_of_directories_are_not_taken_for_reasons(tmp_path: Path) -> None:
    directory = tmp_path / "vault match"
    directory.mkdir()
    (directory / "hosts.yml").write_text("tox_com_det: [unclosed\n")
    with pytest.raises(DeployError, match=rf"cannot be read: .*hosts\.yml:2\){END}$"):
        read_hosts(str(directory))


def test_empty_name_is_not_the_current_directory() -> None:
    for ask in (read_hosts, find_inventory):
        with pytest.raises(DeployError, match=r"^--inventory is empty: name one, such as "):
            ask("")
