"""A real SSH server on loopback, whose commands a test answers."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest
from paramiko.common import cMSG_CHANNEL_SUCCESS

from controller.deploy.connection import SshRemote, connect
from controller.deploy.errors import DeployError
from controller.deploy.inventory import Host

__all__ = ["HANG_SECONDS", "SshServer", "open_and_close", "refused"]

HANG_SECONDS = 300


class Shell(paramiko.ServerInterface):
    """Takes one key of one user and answers commands out of a table."""

    def __init__(self, server: SshServer) -> None:
        self.key, self.server = server.user_key, server

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
        confirmed = self.server.confirmed = threading.Event()
        arguments = (channel, command.decode(), confirmed)
        threading.Thread(target=self.run, args=arguments).start()
        return True

    def run(self, channel: paramiko.Channel, command: str, confirmed: threading.Event) -> None:
        confirmed.wait(HANG_SECONDS)
        # A client that has what it asked for may be gone.
        with contextlib.suppress(EOFError, OSError):
            self.reply(channel, command)

    def reply(self, channel: paramiko.Channel, command: str) -> None:
        if self.server.echoes:
            self.echo(channel)
            return
        typed = ""
        while "sudo -S" in command and not typed.endswith("\n"):
            typed += channel.recv(100).decode()
        out, err, code = self.server.answer(command, typed)
        channel.sendall(out.encode())
        channel.sendall_stderr(err.encode())
        if code is not None:
            channel.send_exit_status(code)
        channel.close()

    def echo(self, channel: paramiko.Channel) -> None:
        for line in channel.makefile("rb"):
            channel.sendall(b"heard " + line)
        channel.sendall(b"bye")
        channel.send_exit_status(4)
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
        self.echoes = False
        self.confirmed = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.known_hosts = directory / "known_hosts"
        self.trust(self.host_key)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def trust(self, key: paramiko.PKey) -> None:
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
            self.transport = transport = paramiko.Transport(client)
            transport.add_server_key(self.host_key)
            self.watch(transport)
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(server=Shell(self))
                transport.join(HANG_SECONDS)
            transport.close()

    def watch(self, transport: paramiko.Transport) -> None:
        """Note when the confirmation of a request has been sent."""
        send = transport._send_user_message

        def sent(message: paramiko.Message) -> None:
            send(message)
            if message.asbytes()[:1] == cMSG_CHANNEL_SUCCESS:
                self.confirmed.set()

        transport._send_user_message = sent  # type: ignore[method-assign]  # to see what is sent

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


@contextlib.contextmanager
def refused(words: str) -> Iterator[None]:
    with pytest.raises(DeployError, match=words) as caught:
        yield
    assert "\n" not in str(caught.value)


def open_and_close(host: Host) -> None:
    with connect(host) as remote:
        assert isinstance(remote, SshRemote)
