"""Strict host keys, and one line for each way a login can fail, against a real SSH server."""

from __future__ import annotations

import base64
import shlex
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest
from free_ports import free_port
from loopback_ssh import HANG_SECONDS, SshServer, open_and_close, refused

from controller.deploy.connection import SshRemote, connect
from controller.deploy.remote import ConnectionLost, Done
from controller.deploy.remote_toxctl import ToxctlCall


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    server = SshServer(tmp_path)
    yield server
    server.close()


def run(remote: SshRemote, *words: str) -> Done:
    with remote.start(words) as process:
        return process.wait()


def test_command_comes_back_with_its_output_and_code(server: SshServer) -> None:
    server.answer = lambda command, typed: (f"out of {command}\n", "err", 3)
    with connect(server.host) as remote:
        done = run(remote, "ls")
    out = "out of sudo -n -u root -- ls\n"
    assert (done.stdout, done.stderr, done.code) == (out, "err", 3)


def test_output_that_is_shown_appears_while_the_command_runs(
    server: SshServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = lambda command, typed: (f"out of {command}\n", "", 3)
    with connect(server.host) as remote:
        assert remote.show(["journalctl"]).code == 3
    assert capsys.readouterr().out == "out of sudo -n -u root -- journalctl\n"


def test_server_with_an_unknown_host_key_is_refused(server: SshServer) -> None:
    server.known_hosts.write_text("")
    with refused("host key of nanode .* is unknown .*ssh -p"):
        open_and_close(server.host)


def test_changed_host_key_has_its_own_message(server: SshServer) -> None:
    server.trust(paramiko.ECDSAKey.generate())
    words = rf"has changed: .*ssh-keygen -R '.*' -f {server.known_hosts}`.*man-in-the-middle"
    with refused(words):
        open_and_close(server.host)


def test_refused_key_names_the_inventorys_variables(server: SshServer) -> None:
    with refused("does not accept the key .*ansible_ssh_private_key_file"):
        open_and_close(replace(server.host, user="mallory"))


def test_missing_key_file_is_named(server: SshServer, tmp_path: Path) -> None:
    with refused(f"key file {tmp_path}/none of nanode cannot be read"):
        open_and_close(replace(server.host, key_file=tmp_path / "none"))
    (tmp_path / "none").write_text("no key")
    with refused(f"key file {tmp_path}/none of nanode is not a private key"):
        open_and_close(replace(server.host, key_file=tmp_path / "none"))


def test_server_that_is_off_names_make_up(server: SshServer) -> None:
    with refused("cannot be reached .*make up"):
        open_and_close(replace(server.host, port=free_port()))


def test_server_that_closes_the_connection_at_once_says_to_wait(server: SshServer) -> None:
    """As sshd does with an address whose logins have failed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closing = threading.Thread(target=lambda: listener.accept()[0].close())
        closing.start()
        with refused("closes the connection before a login: .*wait, then try `ssh -p "):
            open_and_close(replace(server.host, port=listener.getsockname()[1]))
        closing.join(HANG_SECONDS)


def test_name_that_cannot_be_resolved_names_ansible_host(server: SshServer) -> None:
    with refused("the name cannot be resolved: set ansible_host"):
        open_and_close(replace(server.host, address="nanode.invalid"))


def test_sudo_that_would_ask_names_the_variable(server: SshServer) -> None:
    server.answer = lambda command, typed: ("", "sudo: a password is required\n", 1)
    with connect(server.host) as remote, refused("set ansible_become_password"):
        run(remote, "ls")


@pytest.mark.parametrize(
    "words", ["you must have a tty to run sudo", "Dazu wird ein TTY gebraucht"]
)
def test_sudo_that_wants_a_terminal_names_its_setting(server: SshServer, words: str) -> None:
    server.answer = lambda command, typed: ("", f"sudo: sorry, {words}\n", 1)
    command = "run `ssh -t -p [0-9]+ .*deploy@127.0.0.1 sudo visudo`"
    with connect(server.host) as remote, refused(f"{command}.*Defaults:deploy !requiretty"):
        run(remote, "ls")


@pytest.mark.parametrize("words", ["no tty present and no askpass program", "a password, please"])
def test_sudo_that_wants_a_password_names_the_variable(server: SshServer, words: str) -> None:
    hint = "sudo: unable to resolve host nanode: Name or service not known"
    server.answer = lambda command, typed: ("", f"sudo: {words}\n{hint}\n", 1)
    with connect(server.host) as remote, refused("set ansible_become_password"):
        run(remote, "ls")


@pytest.mark.parametrize("words", ["command not found", "Befehl nicht gefunden"])
def test_toxctl_that_sudo_does_not_find_names_the_playbook(server: SshServer, words: str) -> None:
    server.answer = lambda command, typed: ("", f"sudo: /usr/local/sbin/toxctl: {words}\n", 1)
    with connect(server.host) as remote, refused("has no working .*: run `ansible-playbook site"):
        ToxctlCall(remote, print, "status").result()


def test_hint_of_sudo_does_not_hide_what_toxctl_says(server: SshServer) -> None:
    hint = "sudo: unable to resolve host nanode: Name or service not known\n"
    server.answer = lambda command, typed: ('{"error": "no such release"}\n', hint, 1)
    with connect(server.host) as remote, refused("^no such release$"):
        ToxctlCall(remote, print, "status").result()


def test_password_goes_to_sudo_by_standard_input_only(server: SshServer) -> None:
    seen: list[tuple[str, str]] = []

    def answer(command: str, typed: str) -> tuple:
        seen.append((command, typed))
        return "", "", 0

    server.answer = refusing_without_password(answer)
    host = replace(server.host, become_password="sesame")  # noqa: S106 (made up)
    with connect(host) as remote:
        assert run(remote, "ls").code == 0
        with remote.start(["session"]) as process:
            assert process.wait().code == 0
    assert seen == [
        ("sudo -S -k -p '' -u root -- true", "sesame\n"),
        ("sudo -S -k -p '' -u root -- ls", "sesame\n"),
        ("sudo -S -k -p '' -u root -- session", "sesame\n"),
    ]


def test_wrong_password_is_reported_before_a_command_could_lose_its_input(
    server: SshServer,
) -> None:
    seen: list[str] = []

    def answer(command: str, typed: str) -> tuple:
        seen.append(command)
        return "", "sudo: no password was provided\nsudo: 1 incorrect password attempt\n", 1

    server.answer = refusing_without_password(answer)
    host = replace(server.host, become_password="wrong")  # noqa: S106 (made up)
    with connect(host) as remote, refused("sudo on nanode refuses deploy .*incorrect password"):
        remote.start(["session"])
    assert seen == ["sudo -S -k -p '' -u root -- true"]


def refusing_without_password(answer: Callable[[str, str], tuple]) -> Callable[[str, str], tuple]:
    """Answer like a sudo that asks for the password."""

    def asked(command: str, typed: str) -> tuple:
        if command.startswith("sudo -n -k"):
            return "", "sudo: a password is required\n", 1
        return answer(command, typed)

    return asked


def test_password_that_sudo_does_not_ask_for_is_not_sent(server: SshServer) -> None:
    seen: list[tuple[str, str]] = []

    def answer(command: str, typed: str) -> tuple:
        seen.append((command, typed))
        return "", "", 0

    server.answer = answer
    host = replace(server.host, become_password="sesame")  # noqa: S106 (made up)
    with connect(host) as remote:
        assert run(remote, "ls").code == 0
        with remote.start(["session"]) as process:
            assert process.wait().code == 0
    assert seen == [
        ("sudo -n -k -u root -- true", ""),
        ("sudo -n -u root -- ls", ""),
        ("sudo -n -u root -- session", ""),
    ]


def test_lines_go_in_and_come_out_while_a_command_runs(server: SshServer) -> None:
    server.echoes = True
    with connect(server.host) as remote, remote.start(["talk"]) as process:
        said = iter(process)
        for word in ("one", "zwölf"):
            process.send(word)
            assert next(said) == f"heard {word}"
        assert not process.ended()
        remote.ping()
        process.close_input()
        assert list(said) == ["bye"]
        assert process.wait().code == 4
        assert process.ended()


def test_process_whose_connection_is_lost_is_reported(server: SshServer) -> None:
    server.answer = lambda command, typed: ("half\n", "", None)
    with connect(server.host) as remote, remote.start(["toxctl"]) as process:
        said = iter(process)
        assert next(said) == "half"
        with pytest.raises(ConnectionLost, match="connection to nanode was lost"):
            process.wait()
        server.transport.close()
        with pytest.raises(ConnectionLost):
            remote.ping()
        with pytest.raises(ConnectionLost):
            remote.start(["toxctl"])
        with pytest.raises(ConnectionLost):
            process.send("x")


def test_process_that_sudo_refuses_names_the_variable(server: SshServer) -> None:
    server.answer = lambda command, typed: ("", "sudo: a password is required\n", 1)
    with (
        connect(server.host) as remote,
        remote.start(["ls"]) as process,
        refused("set ansible_become_password"),
    ):
        process.wait()


def test_lost_connection_names_the_next_command(server: SshServer) -> None:
    server.answer = lambda command, typed: ("", "", None)
    with connect(server.host) as remote, refused("nanode was lost.*fab status"):
        run(remote, "toxctl", "activate")


RELAY = """
import os, socket, sys, threading
sock = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def up():
    while data := os.read(0, 65536):
        sock.sendall(data)
threading.Thread(target=up, daemon=True).start()
while data := sock.recv(65536):
    os.write(1, data)
"""


def test_connection_goes_through_the_program_of_the_ssh_configuration(server: SshServer) -> None:
    command = shlex.join([sys.executable, "-c", RELAY, str(server.port)])
    # Only the program knows the way; the host key is that of the address.
    with connect(replace(server.host, proxy=command)) as remote:
        assert run(remote, "ls").stdout == "sudo -n -u root -- ls\n"


def test_program_that_finds_no_way_is_reported_with_its_words(server: SshServer) -> None:
    command = "sh -c 'echo gate: unknown >&2'"
    with refused("cannot be reached through .*gate: unknown.*try `ssh -p [0-9]+ .*deploy@nanode`"):
        open_and_close(replace(server.host, proxy=command, alias="nanode"))


def test_key_with_a_passphrase_names_ssh_add(
    server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    server.user_key.write_private_key_file(str(server.key_file), password="sesame")  # noqa: S106 (made up)
    start = r'run `eval "\$\(ssh-agent\)"`, then run `ssh-add '
    with refused(f"the key {server.key_file} has a passphrase, and ssh-agent .*: {start}"):
        open_and_close(server.host)
    with refused(f"the key {server.key_file} has a passphrase, and ssh-agent"):
        open_and_close(replace(server.host, key_file=None, keys=(server.key_file,)))


def test_keys_of_the_ssh_configuration_are_used(server: SshServer, tmp_path: Path) -> None:
    other = tmp_path / "other"
    paramiko.ECDSAKey.generate().write_private_key_file(str(other))
    open_and_close(replace(server.host, key_file=None, keys=(other, server.key_file)))


def test_files_of_a_server_whose_login_prints_text_name_the_cause(
    server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def garbage(_: object) -> None:
        raise paramiko.SFTPError("Garbage packet received")

    with connect(server.host) as remote:
        monkeypatch.setattr(type(remote.connection), "sftp", garbage)
        with refused("nanode does not transfer files .*bashrc.*rerun the command"):
            remote.files()


@pytest.mark.parametrize("noise", ["Welcome\n", "Welcome ", "{ curly\n", ""])
def test_text_of_the_login_shell_is_skipped(server: SshServer, noise: str) -> None:
    server.answer = lambda command, typed: (f'{noise}{{"result": {{"live": "a"}}}}\n', "", 0)
    with connect(server.host) as remote:
        assert ToxctlCall(remote, print, "status").result() == {"live": "a"}


def test_key_of_a_hardware_token_is_left_to_the_agent(server: SshServer) -> None:
    blob = b"openssh-key-v1\0" + b"\0\0\0\x1ask-ssh-ed25519@openssh.com"
    head, end = (f"-----{word} OPENSSH PRIVATE KEY-----\n" for word in ("BEGIN", "END"))
    server.key_file.write_text(f"{head}{base64.b64encode(blob).decode()}\n{end}")
    with refused("is that of a hardware token, and ssh-agent has no key .*ssh-add"):
        open_and_close(server.host)
