"""Another package manager that runs, and a repository that apt cannot use."""

from __future__ import annotations

import json
import re

import pytest
from conftest import SCENARIO, UNIT, refresh, run, start

FRONTEND = "/var/lib/dpkg/lock-frontend"
LISTS = "/var/lib/apt/lists/lock"
REMOVE = "DEBIAN_FRONTEND=noninteractive apt-get --quiet=2 --yes remove hello"
FOREIGN = "/etc/apt/sources.list.d/longview.list"


@pytest.mark.parametrize("lock", [FRONTEND, LISTS])
def test_the_run_waits_with_words_and_goes_on_when_the_lock_is_free(held, lock):
    with held(lock):
        process = start("ansible-playbook", *refresh())
        assert process.stdout
        before = []
        for line in process.stdout:
            before.append(line)
            if "waiting for apt" in line:
                break
    said, _ = process.communicate()
    assert re.search(r"locked by unattended-upgrade \(pid [0-9]+\); giving up in", before[-1]), (
        before
    )
    assert process.returncode == 0, said


def test_a_lock_that_is_held_too_long_ends_in_one_line_with_the_next_command(held):
    with held(FRONTEND):
        code, said = run("ansible-playbook", *refresh(package_lists_lock_timeout=2))
    assert code != 0
    message = re.search(r"apt on fresh is still locked after 2 s by [^\n]*", said)
    assert message, said
    pid = re.search(r"unattended-upgrade \(pid ([0-9]+)\)", message[0])
    assert pid, message[0]
    assert f"`sudo ps -fp {pid[1]}`" in message[0]


def test_a_lock_that_is_taken_later_is_waited_for_longer_than_a_minute(root, held):
    """Longer than apt's module waits by itself."""
    root.run(REMOVE)
    try:
        code, said = run(
            "ansible-playbook",
            *("playbooks/secure.yml", "--tags", "base", "--extra-vars"),
            json.dumps({"base_extra_packages": ["hello"]}),
            ANSIBLE_CALLBACK_PLUGINS=(
                f"plugins/callback:{SCENARIO.parent}/bootstrap/callback_plugins"
            ),
            ANSIBLE_CALLBACKS_ENABLED="after_task",
            AFTER_TASK="package_lists : Record that the package lists are current",
            AFTER_TASK_COMMAND=json.dumps(root.command(root.hold(FRONTEND, 90))),
        )
        assert code == 0, said
        asked = "dpkg-query --show --showformat '${Status}' hello"
        assert root.run(asked) == "install ok installed"
    finally:
        root.run(f"systemctl stop {UNIT} 2>/dev/null; {REMOVE}")


@pytest.fixture
def foreign_list(root):
    """A list as an image of a provider may have it, without the key of its repository."""
    try:
        root.run(": > /etc/apt/keyrings/none.gpg && touch -d '3 days ago' /var/lib/apt/lists")
        # A suite of the image's own mirror, so that apt reaches it and its signature is there.
        mirror = root.run("apt-get indextargets --format '$(REPO_URI)' | head -n 1").strip()
        codename = root.run(". /etc/os-release && echo $VERSION_CODENAME").strip()
        suite = f"{mirror} {codename}-backports main"
        root.write(FOREIGN, f"deb [signed-by=/etc/apt/keyrings/none.gpg] {suite}\n")
        yield
    finally:
        root.run(f"rm -f {FOREIGN} {FOREIGN}.disabled /etc/apt/keyrings/none.gpg")


def test_a_foreign_repository_without_its_key_is_named_and_the_command_mends_it(root, foreign_list):
    code, said = run("ansible-playbook", *refresh())
    assert code != 0
    assert "unknown reason" not in said
    message = re.search(r"apt-get on fresh cannot use [^\n]*", said)
    assert message, said
    assert f"{FOREIGN}, line 1" in message[0]
    # apt 3.0 says it otherwise than 2.6.
    assert re.search("(NO_PUBKEY|Missing key) [0-9A-F]{16}", message[0])
    command = re.search(r"disable it with `sudo ([^`]+)`", message[0])
    assert command, message[0]
    root.run(command[1])
    code, said = run("ansible-playbook", *refresh())
    assert code == 0, said
