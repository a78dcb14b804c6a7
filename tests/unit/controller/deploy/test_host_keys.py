"""known_hosts files are read as ssh reads them, and an odd line hides no other one."""

from __future__ import annotations

import base64
import shlex
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest
from loopback_ssh import SshServer, open_and_close, refused

from controller.deploy.errors import DeployError
from controller.deploy.host_keys import HostKeys, is_for, read

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAw2aROzjk1XS9d4mCg53LLeEf0fhFm+wrTmGn2tgh2L"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILfPGnHzoVg+Kwu0qDe6+4GYi8NzFoYsCX1IMFOPYwUh"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    server = SshServer(tmp_path)
    yield server
    server.close()


def key_line(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"


@pytest.mark.parametrize(
    "before",
    [
        f"@cert-authority *.example.com {KEY}",
        f"@revoked * {OTHER}",
        f"@unknown * {KEY}",
        f"192.0.2.1 {KEY} B\xfcro",
        "192.0.2.1 ssh-ed25519 AAAAC3N",
        "192.0.2.1 ssh-nothing AAAA",
        "one-word",
        "|1|no-hash ssh-ed25519 AAAA",
        "  # a comment",
    ],
)
def test_odd_line_does_not_keep_fab_from_a_known_server(server: SshServer, before: str) -> None:
    text = f"{before}\n".encode("latin-1")
    server.known_hosts.write_bytes(text + server.known_hosts.read_bytes() + text)
    open_and_close(server.host)


@pytest.mark.parametrize("hosts", ["*", "[127.0.0.1]:PORT", "127.0.0.1"])
def test_revoked_key_is_refused_although_it_is_known(server: SshServer, hosts: str) -> None:
    revoked = f"@revoked {hosts.replace('PORT', str(server.port))} {key_line(server.host_key)}\n"
    server.known_hosts.write_text(server.known_hosts.read_text() + revoked)
    with refused(f"is revoked by line 2 of {server.known_hosts}: give the server another"):
        open_and_close(server.host)
    server.known_hosts.write_text(revoked)
    with refused("is revoked by line 1 of"):
        open_and_close(server.host)


def test_key_of_an_authority_is_not_the_servers(server: SshServer) -> None:
    """ssh would accept a certificate and write nothing, so it is told not to take one."""
    server.known_hosts.write_text(f"@cert-authority * {key_line(server.host_key)}\n")
    with refused("is unknown .*`ssh -o HostKeyAlgorithms=ecdsa-sha2-nistp256 -p "):
        open_and_close(server.host)


@pytest.mark.parametrize(
    ("hosts", "good"),
    [
        ("127.0.*.?", True),
        ("[127.0.0.*]:*,!nothing", True),
        ("127.0.*,!127.0.0.1", False),
        ("127.0.0.1", True),
        ("127", False),
    ],
)
def test_patterns_and_a_line_without_the_port_count(
    server: SshServer, hosts: str, good: bool
) -> None:
    server.known_hosts.write_text(f"{hosts} {key_line(server.host_key)}\n")
    if good:
        open_and_close(server.host)
    else:
        with refused("is unknown"):
            open_and_close(server.host)


def test_key_of_a_pattern_is_removed_by_hand(server: SshServer) -> None:
    server.known_hosts.write_text(f"# a\n[127.0.*]:* {OTHER}\n")
    with refused(f"has changed: .*remove line 2 of {server.known_hosts} and accept the new"):
        open_and_close(server.host)


def test_one_of_several_keys_suffices(server: SshServer) -> None:
    name = f"[127.0.0.1]:{server.port}"
    others = [key_line(paramiko.ECDSAKey.generate()), key_line(server.host_key), KEY]
    server.known_hosts.write_text("".join(f"{name} {key}\n" for key in others))
    open_and_close(server.host)


@pytest.mark.parametrize("odd", ["ssh-nothing AAAA", "ssh-rsa AAAAB3", "ssh-rsa /////w=="])
def test_line_without_a_whole_key_is_no_other_key(server: SshServer, odd: str) -> None:
    server.known_hosts.write_text(
        f"[127.0.0.1]:{server.port} {odd}\n127.0.0.1 {key_line(server.host_key)}\n"
    )
    open_and_close(server.host)


@pytest.fixture
def of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file for all users, which ssh reads beside configured ones."""
    file = tmp_path / "ssh_known_hosts"
    monkeypatch.setattr("controller.deploy.host_keys.SYSTEM", (file,))
    return file


def test_file_of_the_system_counts_beside_a_configured_one(
    server: SshServer, of_the_system: Path
) -> None:
    key = key_line(server.host_key)
    of_the_system.write_text(f"@revoked * {key}\n")
    with refused(f"is revoked by line 1 of {of_the_system}"):
        open_and_close(server.host)
    of_the_system.write_text(f"127.0.0.1 {key}\n")
    server.known_hosts.write_text("")
    open_and_close(server.host)


def test_file_of_the_system_that_cannot_be_read_is_left_out(
    server: SshServer, of_the_system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        if path == of_the_system:
            raise PermissionError(13, "Permission denied")
        return whole(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    open_and_close(server.host)


def test_name_of_the_ssh_configuration_is_looked_up(server: SshServer) -> None:
    server.known_hosts.write_text(f"Web-1 {key_line(server.host_key)}\n")
    open_and_close(replace(server.host, host_key_alias="web-1"))
    with refused("is unknown"):
        open_and_close(server.host)


def test_known_type_is_asked_for_first(tmp_path: Path) -> None:
    rsa = base64.b64encode(b"\0\0\0\7ssh-rsa and the rest").decode()
    (tmp_path / "known").write_text(f"h ssh-rsa {rsa}\n*,!h {KEY}\n")
    keys = HostKeys(read([tmp_path / "known"]), "h", 22)
    near, far = socket.socketpair()
    with near, far:
        made = keys.transport(near)
        first, second, third, *_ = made.get_security_options().key_types
    assert (first, second, third) == ("rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519")


NAMES = ["web.example.com", "[web.example.com]:2022", "a", "aXb", "a.b"]
HOSTS = [
    "*",
    "*.example.com",
    "WEB.example.com",
    "[*.example.com]:2022",
    "a?b",
    "*,!a",
    "!a",
    "a,b",
]


@pytest.mark.parametrize("hosts", [*HOSTS, "HASH web.example.com", "HASH [web.example.com]:2022"])
def test_names_match_as_in_ssh(tmp_path: Path, hosts: str) -> None:
    known = tmp_path / "known"
    known.write_text(f"{hosts.removeprefix('HASH ')} {KEY}\n")
    if hosts.startswith("HASH"):
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", known], check=True, capture_output=True)  # noqa: S603, S607 (ssh's own program)
    (line,) = read([known])
    for name in NAMES:
        done = subprocess.run(["ssh-keygen", "-F", name, "-f", known], capture_output=True)  # noqa: S603, S607 (as above; its code is the answer)
        assert is_for(line.hosts, name.lower()) == (done.returncode == 0), name


def test_file_that_cannot_be_read_is_named(
    server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", closed)
    with refused(f"{server.known_hosts}, which has the host keys, cannot be read .*chmod u"):
        open_and_close(replace(server.host, key_file=None))


def test_command_that_accepts_a_key_writes_it_where_fab_looks(server: SshServer) -> None:
    """With the options of an inventory that `fab create-server` writes."""
    server.known_hosts.write_text("")
    mine = server.known_hosts.with_name("my hosts")
    words = (
        "-oUserKnownHostsFile=known_hosts.txt",
        "-o",
        "StrictHostKeyChecking=yes",
        "-J",
        "gate",
    )
    host = replace(server.host, known_hosts=(mine,), ssh_words=words)
    with pytest.raises(DeployError, match="is unknown") as caught:
        open_and_close(host)
    command = str(caught.value).split("`")[1]
    assert shlex.split(command) == [
        *("ssh", "-o", "StrictHostKeyChecking=ask", "-p", str(server.port)),
        *("-i", str(server.key_file), "-o", f'UserKnownHostsFile="{mine}"'),
        *("-o", "StrictHostKeyChecking=yes", "-J", "gate", "deploy@127.0.0.1"),
    ]
    asked = shlex.split(command)
    done = subprocess.run(["ssh", "-G", *asked[1:]], capture_output=True, text=True, check=True)  # noqa: S603, S607 (ssh, without a connection)
    settings = done.stdout.splitlines()
    assert f"userknownhostsfile {mine}" in settings
    assert "stricthostkeychecking ask" in settings
