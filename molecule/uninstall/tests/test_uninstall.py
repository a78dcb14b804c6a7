"""After playbooks/uninstall.yml a server is what it was before the first run.

The tests are steps of one story and run in their order. The container is inspected through its
engine, so independently of sshd and of the user that the project makes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import snapshot

from controller.nanode.engine import find_engine
from controller.nanode.host import inspect_host

SCENARIO = Path(__file__).parents[1]
PROJECT = SCENARIO.parents[1]
HOST = "uninstall"
CONFIRM = ("-e", f"uninstall_confirm={HOST}")
WORDS = ("data", "backups", "packages", "sudo_user")
EVERYTHING = (*CONFIRM, *(one for word in WORDS for one in ("-e", f"uninstall_{word}=true")))
# Every difference that may be left, and why.
REASONS = {
    r"\bdeploy\b|/etc/sudoers\.d/tox_com_det": "the sudo user, with which this run is logged in",
    r"/etc/(passwd|shadow|group|gshadow|subuid|subgid)-?$": "the lists that have this user",
    r"^running \+ user(-runtime-dir)?@\d+\.service": "the session of this run",
    r"systemd-journal": "the group of which that user is a member",
    r"polkit": "a system user, which Debian keeps when its package is gone, and its directory",
    r"/var/log/wtmp\.db$": "the logins since Debian 13, in a file of pam's module wtmpdb",
    r"/var/log/(apt|dpkg|alternatives|unattended-upgrades)": "logs of Debian's package manager",
    r"/var/lib/(apt|dpkg|ucf|systemd/deb-systemd-helper)": "what it knows of them",
    r"/var/lib/systemd/timers/stamp-(?!tox_com_det)": "when a timer of Debian was last due",
    r"/etc/xml$|/var/www(/html(/index\.nginx-debian\.html)?)?$": "what packages leave when purged",
}
KEPT = ("/srv/tox_com_det/models", "/etc/tox_com_det/keys.json", "/var/lib/secantusdb",
        "/var/backups/tox_com_det/config")  # fmt: skip


def inside(script: str) -> str:
    """Run a shell script as root in the container and return its output."""
    record = json.loads((PROJECT / f".nanode/{HOST}/instance.json").read_text())
    engine = find_engine(inspect_host(), os.environ.get("NANODE_ENGINE"))
    command = engine.command("exec", "-i", record["container"], "sh", "-c", script)
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603 (built here)


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the controller on the scenario's Nanode."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "MOLECULE_"))}
    own = {"ANSIBLE_INVENTORY": str(SCENARIO / "inventory"), "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run(  # noqa: S603 (fixed words, no shell)
        [str(Path(sys.executable).with_name(program)), *arguments],
        cwd=PROJECT,
        env={**inherited, **own},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def uninstall(*options: str) -> subprocess.CompletedProcess[str]:
    return run("ansible-playbook", "playbooks/uninstall.yml", *options)


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def before() -> snapshot.Snapshot:
    """The state of the server before the first run."""
    return snapshot.take(inside)


def changed(output: str) -> int:
    (found,) = re.findall(rf"(?m)^{HOST} +: .* changed=(\d+) ", output)
    return int(found)


def test_a_new_server_is_set_up_and_serves(before: snapshot.Snapshot) -> None:
    assert len(before["files"]) > 1000
    succeeded(run("ansible-playbook", "playbooks/bootstrap.yml"))
    succeeded(run("ansible-playbook", "site.yml"))
    if not (PROJECT / "build/bundle").is_dir():
        succeeded(run("fab", "build-model"))
    succeeded(run("fab", "restore-embeddings", "deploy-model", "add-key", "--name", "someone"))
    assert len(snapshot.difference(before, snapshot.take(inside))) > 500


def test_check_mode_changes_nothing_and_needs_no_confirmation() -> None:
    state = snapshot.take(inside)
    output = succeeded(uninstall("--check"))
    assert changed(output) > 20
    after = snapshot.take(inside)
    assert [one for one in snapshot.difference(state, after) if "/etc" in one] == []
    assert inside("systemctl is-active nginx").strip() == "active"


@pytest.mark.parametrize(
    "options", [(), ("-e", "uninstall_confirm=other"), ("-e", "uninstall_data=true")]
)
def test_without_the_hosts_name_nothing_is_removed(options: tuple[str, ...]) -> None:
    done = uninstall(*options)
    assert done.returncode != 0
    assert "so nothing was changed: look at it with --check" in done.stdout
    assert ("WITH ITS DATA" in done.stdout) is ("uninstall_data=true" in options)
    assert inside("systemctl is-active nginx").strip() == "active"


def test_without_the_word_data_stays_and_the_service_goes() -> None:
    output = succeeded(uninstall(*CONFIRM))
    for path in KEPT:
        assert inside(f"test -e {path} && echo there").strip() == "there", path
    assert "Data is left in /srv/tox_com_det/models" in output
    assert "uninstall_packages=true removes them" in output
    assert inside("ls /etc/systemd/system | grep -E 'tox_com_det|secantusdb'") == ""
    assert inside("ss -Hltn | grep -vE ':22 '") == ""
    assert inside("nft list ruleset") == ""
    assert inside("grep -rl 'Managed by tox_com_det' /etc /usr/local").split() == [
        "/etc/sudoers.d/tox_com_det"
    ]
    assert "tox_com_det" not in inside("getent passwd; getent group")
    assert succeeded(run("ansible", HOST, "--become", "-m", "ansible.builtin.ping"))


def test_a_second_run_changes_nothing() -> None:
    assert changed(succeeded(uninstall(*CONFIRM))) == 0


def test_site_yml_installs_again_and_the_models_are_still_there() -> None:
    succeeded(run("ansible-playbook", "site.yml"))
    succeeded(run("fab", "deploy-model"))
    assert "someone" in succeeded(run("fab", "list-keys"))
    succeeded(run("fab", "test-model"))


def test_with_every_word_the_server_is_what_it_was(before: snapshot.Snapshot) -> None:
    output = succeeded(uninstall(*EVERYTHING))
    assert "Data is left" not in output
    # The user who is logged in stays, and the play says how to finish.
    assert "userdel --remove deploy" in output
    assert succeeded(run("ansible", HOST, "--become", "-m", "ansible.builtin.ping"))
    left = [
        line
        for line in snapshot.difference(before, snapshot.take(inside))
        if not any(re.search(pattern, line) for pattern in REASONS)
    ]
    assert left == []


def test_root_can_remove_the_sudo_user(before: snapshot.Snapshot) -> None:
    # bootstrap.yml left root's key where it was, and sshd's settings are its own again.
    succeeded(uninstall(*CONFIRM, "-e", "uninstall_sudo_user=true", "-e", "ansible_user=root"))
    after = snapshot.take(inside)
    names = [{line.split(":")[0] for line in state["users"]} for state in (before, after)]
    assert names[1] - names[0] <= {"polkitd"}  # see REASONS
    assert names[0] <= names[1]
    assert not inside("ls -d /home/deploy /etc/sudoers.d/tox_com_det 2>/dev/null")


if not os.environ.get("MOLECULE_PROJECT_DIRECTORY"):
    pytestmark = pytest.mark.skip(reason="run by 'molecule test -s uninstall'")
