"""The swap file of a server is resized while it is out of use, and left alone otherwise.

Ansible runs the role's own tasks with modules and programs that write down what they are asked.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

TASKS = Path(__file__).resolve().parents[3] / "roles/base/tasks"
MEGABYTE = 2**20
# As the kernel does, it refuses to write into active swap.
FILESIZE = """#!/usr/bin/python
import os
from ansible.module_utils.basic import AnsibleModule

spec = {one: {"type": "raw"} for one in ("path", "size", "owner", "group", "mode")}
module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
path, size = module.params["path"], int(module.params["size"].rstrip("M")) * 2**20
changed = not os.path.exists(path) or os.path.getsize(path) != size
if changed and not module.check_mode:
    if os.path.exists("HERE/active"):
        module.fail_json(msg="Text file busy")
    with open("HERE/log", "a") as log:
        log.write("resized\\n")
    with open(path, "ab") as file:
        file.truncate(size)
module.exit_json(changed=changed, filesize={"bytes": size})
"""
FILESYSTEM = """#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule

spec = {one: {"type": "raw"} for one in ("dev", "fstype")}
module = AnsibleModule(argument_spec={**spec, "force": {"type": "bool"}}, supports_check_mode=True)
if module.params["force"] and not module.check_mode:
    with open("HERE/log", "a") as log:
        log.write("formatted\\n")
module.exit_json(changed=module.params["force"])
"""
MOUNT = """#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule

spec = {one: {"type": "raw"} for one in ("src", "path", "fstype", "opts", "state")}
AnsibleModule(argument_spec=spec, supports_check_mode=True).exit_json(changed=False)
"""
PROGRAMS = {
    "swapon": """case $1 in
    --show=NAME) [ ! -e HERE/active ] || echo HERE/swapfile ;;
    *) echo swapon >> HERE/log; touch HERE/active ;;
esac""",
    "swapoff": """echo swapoff >> HERE/log
[ ! -e HERE/full ] || { echo "swapoff: HERE/swapfile: Cannot allocate memory" >&2; exit 255; }
rm HERE/active""",
}
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: PYTHON
    base_swap_path: HERE/swapfile
    base_swap_size: SIZE
  tasks:
    - ansible.builtin.include_tasks: swap.yml
"""


def removal() -> str:
    """The tasks that remove the swap file, of all that the role removes."""
    tasks = yaml.safe_load((TASKS / "remove.yml").read_text())
    return yaml.safe_dump([one for one in tasks if one["name"] == "Remove the swap file"])


def run(directory: Path, size: str, *options: str, text: str = "") -> tuple[int, list[str], str]:
    """Return the exit code, what was done in its order, and the output.

    `text`: tasks in place of those that set swap up.
    """
    tasks = (text or (TASKS / "swap.yml").read_text()).replace("/usr/sbin/", f"{directory}/")
    files = {
        "library/filesize.py": FILESIZE,
        "library/filesystem.py": FILESYSTEM,
        "library/mount.py": MOUNT,
        "swap_owner.yml": (TASKS / "swap_owner.yml").read_text(),
        "swap.yml": tasks.replace("community.general.", "").replace("ansible.posix.", ""),
        "play.yml": PLAY.replace("PYTHON", sys.executable).replace("SIZE", size),
        "ansible.cfg": "[defaults]\nlibrary = library\n",
        **{name: f"#!/bin/sh\n{text}\n" for name, text in PROGRAMS.items()},
    }
    for name, text in files.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text.replace("HERE", str(directory)))
        (directory / name).chmod(0o755)
    log = directory / "log"
    log.write_text("")
    done = subprocess.run(  # noqa: S603 (built here)
        [Path(sys.executable).with_name("ansible-playbook"), *options, "play.yml"],
        cwd=directory,
        env={**os.environ, "ANSIBLE_CONFIG": str(directory / "ansible.cfg")},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout, done.stderr)
    return done.returncode, log.read_text().split(), done.stdout


@pytest.fixture
def swap(tmp_path: Path) -> Path:
    """Active swap of 1 MiB."""
    path = tmp_path / "swapfile"
    path.write_bytes(bytes(MEGABYTE))
    (tmp_path / "active").touch()
    return path


@pytest.mark.parametrize("megabytes", [2, 3])
def test_another_size_is_given_while_it_is_out_of_use(tmp_path: Path, swap: Path, megabytes: int):
    swap.write_bytes(bytes(2 * MEGABYTE + 512 * 1024))
    code, done, _ = run(tmp_path, f"{megabytes}M")
    assert code == 0
    assert done == ["swapoff", "resized", "formatted", "swapon"]
    assert swap.stat().st_size == megabytes * MEGABYTE


def test_the_same_size_is_left_alone(tmp_path: Path, swap: Path):
    code, done, output = run(tmp_path, "1M")
    assert code == 0
    assert done == []
    assert "changed=0" in output


def test_a_new_server_gets_one(tmp_path: Path):
    code, done, _ = run(tmp_path, "1M")
    assert code == 0
    assert done == ["resized", "formatted", "swapon"]


def test_one_that_an_interrupted_run_left_is_formatted_anew(tmp_path: Path, swap: Path):
    (tmp_path / "active").unlink()
    code, done, _ = run(tmp_path, "1M")
    assert code == 0
    assert done == ["formatted", "swapon"]


def test_what_does_not_fit_into_memory_stays_in_use(tmp_path: Path, swap: Path):
    (tmp_path / "full").touch()
    code, done, output = run(tmp_path, "2M")
    assert code != 0
    assert done == ["swapoff"]
    assert f"{swap} stays at {MEGABYTE} bytes, because memory is too small" in output
    assert "Cannot allocate memory" in output
    assert (tmp_path / "active").exists()


@pytest.mark.parametrize("existing", [True, False])
def test_check_mode_changes_nothing(tmp_path: Path, swap: Path, existing: bool):
    if not existing:
        swap.unlink()
        (tmp_path / "active").unlink()
    code, done, output = run(tmp_path, "2M", "--check")
    assert code == 0
    assert done == []
    assert "changed=0" not in output


def with_mark() -> bytes:
    """Swap of 1 MiB that is, or was, in use: its mark, and pages behind it."""
    return b"SWAPSPACE2".rjust(4096, b"\0") + b"page" * ((MEGABYTE - 4096) // 4)


def test_one_of_another_run_is_taken_over(tmp_path: Path):
    swap = tmp_path / "swapfile"
    swap.write_bytes(with_mark())
    code, done, _ = run(tmp_path, "1M")
    assert code == 0
    assert done == ["formatted", "swapon"]


@pytest.mark.parametrize("content", [b"root:x:0:0\n", b"root" * MEGABYTE, None])
@pytest.mark.parametrize("options", [(), ("--check",)])
def test_another_file_is_not_overwritten(
    tmp_path: Path, content: bytes | None, options: tuple[str, ...]
):
    other = tmp_path / "swapfile"
    other.mkdir() if content is None else other.write_bytes(content)
    code, done, output = run(tmp_path, "1M", *options)
    assert code != 0
    assert done == []
    assert f"{other} is there and is no file of swap, so nothing was written into it" in output
    assert "rerun `ansible-playbook site.yml --tags base`" in output
    assert other.is_dir() if content is None else other.read_bytes() == content


@pytest.mark.parametrize("content", [with_mark(), bytes(MEGABYTE), b""])
def test_swap_is_removed(tmp_path: Path, content: bytes):
    (tmp_path / "swapfile").write_bytes(content)
    (tmp_path / "active").touch()
    code, done, _ = run(tmp_path, "1M", text=removal())
    assert code == 0
    assert done == ["swapoff"]
    assert not (tmp_path / "swapfile").exists()


@pytest.mark.parametrize("content", [b"root:x:0:0\n", None])
def test_another_file_or_directory_is_not_removed(tmp_path: Path, content: bytes | None):
    other = tmp_path / "swapfile"
    other.mkdir() if content is None else other.write_bytes(content)
    code, done, _ = run(tmp_path, "1M", text=removal())
    assert code == 0
    assert done == []
    assert other.exists()
