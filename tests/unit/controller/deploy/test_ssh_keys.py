"""The keys that fab logs in with, with a real ssh-agent, and the lines where none is accepted."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest
from loopback_ssh import SshServer, open_and_close, refused

from controller.deploy.connection_errors import connection_error
from controller.deploy.inventory import Host
from controller.deploy.key_files import agent_keys, agent_of, public_half

LIMIT = 11  # more keys than the server lets be tried


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    server = SshServer(tmp_path)
    yield server
    server.close()


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A running ssh-agent without keys; its socket."""
    # A socket's path has at most 107 bytes, which tmp_path may exceed.
    with tempfile.TemporaryDirectory(prefix="agent-") as directory:
        path = Path(directory) / "socket"
        command = ["ssh-agent", "-D", "-a", path]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 (ssh's own program)
            try:
                assert process.stdout
                process.stdout.readline()  # it listens now
                monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
                yield path
            finally:
                process.terminate()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's home, without keys; no agent."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    return home


def add(*files: Path) -> None:
    subprocess.run(["ssh-add", "-q", *files], check=True)  # noqa: S603, S607 (ssh's own program)


def others(directory: Path, count: int) -> list[Path]:
    files = [directory / f"other{number}" for number in range(count)]
    for file in files:
        paramiko.ECDSAKey.generate().write_private_key_file(str(file))
    return files


def public(server: SshServer) -> Path:
    """The .pub file of the key that the server accepts."""
    file = server.key_file.with_name("id.pub")
    file.write_text(f"{server.user_key.get_name()} {server.user_key.get_base64()} me@home\n")
    return file


def lock(server: SshServer) -> None:
    """Give the key a passphrase, in OpenSSH's form."""
    command = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "sesame", "-f", str(server.key_file)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 (ssh's own program)


def of_configuration(host: Host) -> Host:
    assert host.key_file
    return replace(host, key_file=None, keys=(host.key_file,))


@pytest.mark.parametrize("form", ["public file", "passphrase", "passphrase in ~/.ssh/config"])
def test_key_of_the_agent_goes_before_its_others(
    server: SshServer, agent: Path, tmp_path: Path, form: str
) -> None:
    add(*others(tmp_path, LIMIT), server.key_file)
    host = server.host
    if form == "public file":
        host = replace(host, key_file=public(server))
    else:
        lock(server)
    open_and_close(of_configuration(host) if "config" in form else host)


def test_another_key_of_the_agent_still_counts(
    server: SshServer, agent: Path, tmp_path: Path
) -> None:
    add(server.key_file, *others(tmp_path, 1))
    file = tmp_path / "locked"
    paramiko.ECDSAKey.generate().write_private_key_file(str(file), password="sesame")  # noqa: S106 (made up)
    open_and_close(replace(server.host, key_file=file))


def test_too_many_keys_of_the_agent_name_the_variable(
    server: SshServer, agent: Path, tmp_path: Path
) -> None:
    add(*others(tmp_path, LIMIT), server.key_file)
    with refused("ssh-agent has 12 keys, .* set ansible_ssh_private_key_file .*or to its .pub"):
        open_and_close(replace(server.host, key_file=None))


@pytest.mark.parametrize("error", [EOFError(), ConnectionResetError(), BrokenPipeError()])
def test_server_that_closes_while_a_key_is_sent_has_ended_the_login(
    server: SshServer, agent: Path, tmp_path: Path, error: Exception
) -> None:
    add(*others(tmp_path, 2))
    host = replace(server.host, key_file=None)
    assert "ssh-agent has 2 keys" in str(connection_error(host, error, login_begun=True))
    assert "before a login" in str(connection_error(host, error))


def test_identity_agent_none_uses_no_agent(server: SshServer, agent: Path) -> None:
    host = replace(server.host, key_file=None, agent="")
    with agent_of(host), agent_keys() as held:
        assert held == ()
    assert os.environ["SSH_AUTH_SOCK"] == str(agent)


def test_public_file_whose_key_no_agent_has_names_the_private_one(
    server: SshServer, agent: Path
) -> None:
    file = public(server)
    words = f"id.pub is the public half of one, .*: run `ssh-add {server.key_file}`, then rerun"
    with refused(words):
        open_and_close(replace(server.host, key_file=file))
    server.key_file.unlink()
    with refused("id.pub is the public half of one, .*: load its private half into the agent"):
        open_and_close(replace(server.host, key_file=file))


def test_key_that_the_agent_has_is_not_to_be_added_again(server: SshServer, agent: Path) -> None:
    add(server.key_file)
    lock(server)
    with refused("does not accept the key .*: check ansible_user"):
        open_and_close(replace(server.host, user="mallory"))


@pytest.mark.parametrize("name", ["id_ecdsa", "id_ed25519_sk"])
def test_default_key_with_a_passphrase_names_ssh_add(
    server: SshServer, home: Path, name: str
) -> None:
    key = home / ".ssh" / name
    server.user_key.write_private_key_file(str(key), password="sesame")  # noqa: S106 (made up)
    words = rf'the key {key} has a passphrase, .*: run `eval "\$\(ssh-agent\)"`, then run `ssh-add '
    with refused(words):
        open_and_close(replace(server.host, key_file=None))


def test_agent_of_one_host_is_not_that_of_the_next(
    server: SshServer, agent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(server.key_file)
    of_agent = replace(server.host, key_file=None)
    monkeypatch.setenv("SSH_AUTH_SOCK", "/none")
    open_and_close(replace(of_agent, agent=str(agent)))
    assert os.environ["SSH_AUTH_SOCK"] == "/none"
    monkeypatch.delenv("SSH_AUTH_SOCK")
    open_and_close(replace(of_agent, agent=str(agent)))
    with refused("does not accept your keys"):
        open_and_close(of_agent)


def test_agent_of_the_ssh_configuration_gets_the_key(
    server: SshServer, agent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ssh-add does not read IdentityAgent."""
    lock(server)
    monkeypatch.delenv("SSH_AUTH_SOCK")
    with refused(f"ssh-agent has no key .*: run `SSH_AUTH_SOCK={agent} ssh-add {server.key_file}`"):
        open_and_close(replace(server.host, agent=str(agent)))


def test_public_half_is_found_without_the_passphrase(server: SshServer) -> None:
    blob = server.user_key.asbytes()
    assert public_half(server.key_file) is None  # PEM, of which it is a part that is not read
    assert public_half(public(server)) == blob
    assert public_half(server.key_file) == blob
    server.key_file.with_name("id.pub").unlink()
    lock(server)
    server.key_file.with_name("id.pub").unlink(missing_ok=True)
    assert public_half(server.key_file) == blob
    assert public_half(server.key_file.with_name("none")) is None
