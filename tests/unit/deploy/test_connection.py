"""Strict host keys and one line for each way a login can fail, against a real SSH server."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from deploy.connection import SshRemote, connect
from deploy.errors import DeployError
from deploy.inventory import Host

ANSWER_SECONDS = 0.2


class Shell(paramiko.ServerInterface):
    """Takes one key of one user and answers commands out of a table."""

    def __init__(self, server: SshServer) -> None:
        self.key, self.answer = server.user_key, server.answer
        self.reads_password = server.reads_password

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        good = username == "deploy" and key == self.key
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        # paramiko confirms the request once this has returned; a channel that closes before that
        # is an error for the client, so the answer waits until the confirmation is out.
        threading.Timer(ANSWER_SECONDS, self.run, args=(channel, command.decode())).start()
        return True

    def run(self, channel: paramiko.Channel, command: str) -> None:
        typed = ""
        while self.reads_password and "sudo -S" in command and not typed.endswith("\n"):
            typed += channel.recv(100).decode()
        out, err, code = self.answer(command, typed)
        channel.sendall(out.encode())
        channel.sendall_stderr(err.encode())
        if code is not None:
            channel.send_exit_status(code)
        channel.close()


class SshServer:
    """An SSH server on loopback with a key of its own; serves one connection after the other."""

    def __init__(self, directory: Path) -> None:
        self.host_key = paramiko.ECDSAKey.generate()
        self.key_file = directory / "id"
        user_key = paramiko.ECDSAKey.generate()
        user_key.write_private_key_file(str(self.key_file))
        self.user_key = user_key
        self.answer: Callable[[str, str], tuple] = lambda command, typed: (command, "", 0)
        self.reads_password = True
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.known_hosts = directory / "known_hosts"
        self.know(self.host_key)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def know(self, key: paramiko.PKey) -> None:
        line = f"[127.0.0.1]:{self.port} {key.get_name()} {key.get_base64()}\n"
        self.known_hosts.write_text(line)

    @property
    def host(self) -> Host:
        return Host("nanode", "127.0.0.1", self.port, "deploy", self.key_file, (self.known_hosts,))

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(client)
            transport.add_server_key(self.host_key)
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(server=Shell(self))
                transport.join(10)
            transport.close()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    server = SshServer(tmp_path)
    yield server
    server.close()


@contextlib.contextmanager
def refused(words: str) -> Iterator[None]:
    with pytest.raises(DeployError, match=words) as caught:
        yield
    assert "\n" not in str(caught.value)


def open_and_close(host: Host) -> None:
    with connect(host) as remote:
        assert isinstance(remote, SshRemote)


def test_command_comes_back_with_its_output_and_code(server: SshServer) -> None:
    server.answer = lambda command, typed: (f"out of {command}", "err", 3)
    with connect(server.host) as remote:
        done = remote.run("ls")
    assert (done.stdout, done.stderr, done.code) == ("out of ls", "err", 3)


def test_unknown_server_is_not_talked_to(server: SshServer) -> None:
    server.known_hosts.write_text("")
    with refused("key of nanode .* is not known .*ssh -p"):
        open_and_close(server.host)


def test_changed_host_key_has_its_own_message(server: SshServer) -> None:
    server.know(paramiko.ECDSAKey.generate())
    with refused("has changed: .*ssh-keygen -R"):
        open_and_close(server.host)


def test_refused_key_names_the_inventorys_variables(server: SshServer) -> None:
    with refused("does not accept the key .*ansible_ssh_private_key_file"):
        open_and_close(replace(server.host, user="mallory"))


def test_missing_key_file_is_named(server: SshServer, tmp_path: Path) -> None:
    with refused(f"key file {tmp_path}/none of nanode cannot be read"):
        open_and_close(replace(server.host, key_file=tmp_path / "none"))
    (tmp_path / "none").write_text("no key")
    with refused(f"key file {tmp_path}/none of nanode is no private key"):
        open_and_close(replace(server.host, key_file=tmp_path / "none"))


def test_server_that_is_off_names_make_up(server: SshServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with refused("cannot be reached .*make up"):
        open_and_close(replace(server.host, port=port))


def test_name_without_an_address_names_ansible_host(server: SshServer) -> None:
    with refused("this name has no address: set ansible_host"):
        open_and_close(replace(server.host, address="nanode.invalid"))


def test_sudo_that_would_ask_names_the_variable(server: SshServer) -> None:
    server.answer = lambda command, typed: ("", "sudo: a password is required\n", 1)
    with connect(server.host) as remote, refused("set ansible_become_password"):
        remote.run_as(["ls"])


def test_password_goes_to_sudo_by_standard_input_only(server: SshServer) -> None:
    seen: list[tuple[str, str]] = []

    def answer(command: str, typed: str) -> tuple:
        seen.append((command, typed))
        return "", "", 0

    server.answer = answer
    host = replace(server.host, become_password="sesame")  # noqa: S106
    with connect(host) as remote:
        assert remote.run_as(["ls"]).code == 0
    assert seen == [("sudo -S -k -p '' -u root -- ls", "sesame\n")]


def test_password_that_sudo_does_not_ask_for_is_no_error(server: SshServer) -> None:
    server.reads_password = False
    host = replace(server.host, become_password="sesame" * 9)
    with connect(host) as remote:
        assert remote.run_as(["ls"]).code == 0


def test_connection_that_breaks_off_is_told(server: SshServer) -> None:
    server.answer = lambda command, typed: ("", "", None)
    with connect(server.host) as remote, refused("nanode broke off.*fab status"):
        remote.run("slotctl activate")
