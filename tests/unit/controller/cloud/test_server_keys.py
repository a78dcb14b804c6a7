"""Public keys that Linode takes, cloud-init's user data, and pinned host keys."""

from __future__ import annotations

import subprocess

import paramiko
import pytest
from free_ports import kept_port
from ssh_standin import cloud_config

from controller.cloud.firewall import firewall_label
from controller.cloud.first_contact import first_contact
from controller.cloud.keys import new_host_key, public_key, user_data
from controller.cloud.known_hosts import FIRST, OWN, KnownHosts, Pinned, host_pattern
from controller.cloud.waiting import Clock
from controller.deploy.errors import DeployError

ONE = Pinned(
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPhC9J8fnEDzI6AcpFkMgLwRdkcnzHLCYpVkSgMJZW0d", FIRST
)
TWO = Pinned(
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFOyiWeo4ZVAHg2/pGZyDkzYfWIrhsxdFHZ+cB4j7jCg", OWN
)


def test_the_host_key_is_one_that_openssh_reads_and_is_never_the_same(tmp_path):
    key = new_host_key()
    file = tmp_path / "key"
    file.write_text(key.private)
    file.chmod(0o600)
    shown = subprocess.run(  # noqa: S603 (words of the test)
        ["ssh-keygen", "-y", "-f", file],  # noqa: S607 (the user's own)
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.split()[:2] == key.public.split()
    assert new_host_key().public != key.public
    assert key.private not in repr(key)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n",
            "is a private key, which stays on your laptop",
        ),
        ("sk-ssh-ed25519@openssh.com AAAA me\n", "is that of a hardware token"),
        ("hello\n", "is no public SSH key"),
        ("", "is no public SSH key"),
        (f"{ONE.public}\n{TWO.public}\n", "is no public SSH key"),
    ],
)
def test_a_file_that_is_no_public_key_is_refused(tmp_path, text, words):
    file = tmp_path / "key.pub"
    file.write_text(text)
    with pytest.raises(DeployError, match=words):
        public_key(file)


def test_a_missing_key_names_how_to_make_one(tmp_path):
    with pytest.raises(DeployError, match=r"No such file.*ssh-keygen -t ed25519"):
        public_key(tmp_path / "none.pub")


def test_a_script_of_the_operators_own_is_a_second_part(tmp_path):
    own = tmp_path / "own.sh"
    own.write_text("#!/bin/sh\ntouch /root/here\n")
    text = user_data(new_host_key(), own)
    assert "text/x-shellscript" in text
    assert cloud_config(text)["ssh_pwauth"] is False


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("packages: [tmux]\n", "begins neither with #cloud-config nor with #!"),
        ("#cloud-config\n" + "#" * 16384, "is too large: Linode takes 16384 bytes"),
    ],
)
def test_user_data_that_cloud_init_or_linode_refuses_is_refused_here(tmp_path, text, words):
    own = tmp_path / "own"
    own.write_text(text)
    with pytest.raises(DeployError, match=words):
        user_data(new_host_key(), own)


def test_a_server_that_does_not_answer_yet_is_waited_for_and_the_reason_is_said(tmp_path):
    known = KnownHosts(tmp_path / "known_hosts.txt")
    known.pin("web-1", None, [ONE])
    said: list[str] = []
    passed: list[float] = []
    clock = Clock(lambda: sum(passed), passed.append)
    # Nothing listens there, and nobody else gets it.
    with kept_port() as bound:
        port = bound.getsockname()[1]
        with pytest.raises(DeployError, match="10 minutes for SSH of web-1, in vain") as caught:
            first_contact("web-1", "127.0.0.1", None, known, said.append, port=port, clock=clock)
    assert "rerun the command to wait on, or end it with `fab destroy-server`" in str(caught.value)
    assert said[0] == "waiting for SSH of web-1 ..."
    assert f"web-1 (root@127.0.0.1:{port}) cannot be reached" in said[1]
    assert "make up" not in "".join(said) + str(caught.value)
    # A line every 15 seconds of 600, not one for each look.
    assert 35 < len(said) < 50
    assert known.keys("web-1") == [ONE]


def test_keys_are_pinned_by_label_before_there_is_an_address(tmp_path):
    known = KnownHosts(tmp_path / "known_hosts.txt")
    assert known.keys("web-1") == []
    known.pin("web-1", None, [ONE])
    known.pin("web-2", None, [ONE])
    known.pin("web-1", "203.0.113.1", [ONE, TWO])
    assert known.keys("web-1") == [ONE, TWO]
    assert known.path.read_text().splitlines() == [
        f"web-2 {ONE.public} {FIRST}",
        f"web-1,203.0.113.1 {ONE.public} {FIRST}",
        f"web-1,203.0.113.1 {TWO.public} {OWN}",
    ]
    assert [one.name for one in tmp_path.iterdir()] == ["known_hosts.txt"]


def test_a_server_that_got_the_address_of_another_takes_its_line(tmp_path):
    known = KnownHosts(tmp_path / "known_hosts.txt")
    known.pin("old", "203.0.113.1", [ONE])
    known.pin("new", "203.0.113.1", [TWO])
    assert (known.keys("old"), known.keys("new")) == ([], [TWO])


def test_forgetting_leaves_the_others(tmp_path):
    known = KnownHosts(tmp_path / "known_hosts.txt")
    known.pin("web-1", "203.0.113.1", [ONE])
    known.pin("web-2", "203.0.113.2", [TWO])
    assert known.forget("web-1")
    assert not known.forget("web-1")
    assert known.keys("web-2") == [TWO]


@pytest.mark.parametrize("port", [22, 2222])
def test_ssh_and_paramiko_read_the_file(tmp_path, port):
    known = KnownHosts(tmp_path / "known_hosts.txt")
    pattern = host_pattern("203.0.113.1", port)
    known.pin("web-1", pattern, [ONE])
    found = subprocess.run(  # noqa: S603 (words of the test)
        ["ssh-keygen", "-F", pattern, "-f", known.path],  # noqa: S607 (the user's own)
        capture_output=True,
        text=True,
        check=True,
    )
    assert ONE.public in found.stdout
    assert (
        paramiko.HostKeys(str(known.path)).lookup(pattern)["ssh-ed25519"].get_base64()
        == (ONE.public.split()[1])
    )


def test_firewalls_of_long_labels_have_labels_of_their_own():
    long = "a-server-with-a-very-long-name-for-the-app"
    assert firewall_label("web-1") == "web-1"
    assert len({firewall_label(f"{long}-{number}") for number in range(9)}) == 9
    assert all(len(firewall_label(f"{long}-{number}")) <= 32 for number in range(9))
