"""The first session of `fab create-server`, cut off anywhere: the next run goes on."""

from __future__ import annotations

import io
from pathlib import Path

import paramiko
import pytest

from controller.cloud import first_contact
from controller.cloud.keys import new_host_key
from controller.cloud.known_hosts import FIRST, OWN
from controller.deploy.errors import DeployError


@pytest.mark.parametrize("part", ["ssh-keygen", "systemctl reload", "mv -f"])
def test_a_replacement_of_the_host_key_that_was_cut_off_is_completed(laptop, part):
    laptop.ssh.fails_at = part
    with pytest.raises(DeployError, match="the host key of web-1 cannot be replaced"):
        laptop.create()
    laptop.ssh.fails_at = ""
    assert laptop.create()
    (pinned,) = laptop.inventory.known_hosts.keys("web-1")
    assert pinned.origin == OWN
    assert (laptop.ssh.directory / "ssh_host_ed25519_key.pub").read_text().split()[:2] == (
        pinned.public.split()
    )


def other_host_key():
    return paramiko.Ed25519Key(file_obj=io.StringIO(new_host_key().private))


def cut_off_before_the_new_key_answers(laptop):
    wait = first_contact.wait_for

    def cut(what, *more, **bounds):
        if what == "the new host key of web-1":
            raise KeyboardInterrupt
        wait(what, *more, **bounds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first_contact, "wait_for", cut)
        with pytest.raises(KeyboardInterrupt):
            laptop.create()


def test_a_server_that_has_its_new_host_key_already_is_gone_on_with(laptop):
    cut_off_before_the_new_key_answers(laptop)
    handed, made = laptop.inventory.known_hosts.keys("web-1")
    assert (handed.origin, made.origin) == (FIRST, OWN)
    laptop.ssh.commands.clear()
    assert laptop.create()
    assert laptop.inventory.known_hosts.keys("web-1") == [made]
    assert laptop.ssh.commands == []


def test_a_made_key_that_is_in_its_place_but_not_yet_in_use_is_taken(laptop):
    laptop.ssh.loads = False  # cut off before sshd is reloaded
    cut_off_before_the_new_key_answers(laptop)
    _, made = laptop.inventory.known_hosts.keys("web-1")
    laptop.ssh.loads = True
    assert laptop.create()
    assert laptop.inventory.known_hosts.keys("web-1") == [made]


@pytest.mark.parametrize("moved", ["", ".pub"])
def test_a_made_key_of_which_one_file_was_moved_is_completed(laptop, moved):
    laptop.ssh.fails_at = "mv -f"
    with pytest.raises(DeployError):
        laptop.create()
    laptop.ssh.fails_at = ""
    _, made = laptop.inventory.known_hosts.keys("web-1")
    file = laptop.ssh.directory / "ssh_host_ed25519_key"
    Path(f"{file}.next{moved}").replace(f"{file}{moved}")
    assert laptop.create()
    assert laptop.inventory.known_hosts.keys("web-1") == [made]
    assert sorted(one.name for one in laptop.ssh.directory.iterdir()) == [
        "ssh_host_ed25519_key",
        "ssh_host_ed25519_key.pub",
    ]


def test_a_server_with_neither_of_two_pinned_keys_is_refused(laptop):
    cut_off_before_the_new_key_answers(laptop)
    pinned = laptop.inventory.known_hosts.keys("web-1")
    laptop.ssh.host_key = other_host_key()
    with pytest.raises(DeployError, match=r"host key.*changed") as refused:
        laptop.create()
    assert str(laptop.inventory.known_hosts.path) in str(refused.value)
    assert laptop.inventory.known_hosts.keys("web-1") == pinned
