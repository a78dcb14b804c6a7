"""A stand-in of a new server's sshd: it has the host key of cloud-init's user data.

Commands run in a shell for real, on a directory in place of /etc/ssh; `systemctl reload ssh` makes
it read its host key anew, as sshd does.
"""

from __future__ import annotations

import contextlib
import email
import json
import os
import socket
import subprocess
import threading
from pathlib import Path

import paramiko
from paramiko.common import cMSG_CHANNEL_SUCCESS

HANG_SECONDS = 300
SYSTEMCTL = """#!/bin/sh
[ "$1 $2" = "reload ssh" ] && touch "{directory}/reloaded"
"""


def cloud_config(user_data: str) -> dict:
    """Return our part of user data, as cloud-init reads it."""
    if not user_data.startswith("#cloud-config"):
        first = email.message_from_string(user_data).get_payload(0)
        user_data = first.get_payload(decode=True).decode()
    assert user_data.startswith("#cloud-config\n")
    return json.loads(user_data.partition("\n")[2])


class Session(paramiko.ServerInterface):
    """Takes root's key and runs its commands."""

    def __init__(self, server: SshStandIn) -> None:
        self.server = server
        # A channel that closes before its request is confirmed is an error for the client.
        self.confirmed = threading.Event()

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        line = f"{key.get_name()} {key.get_base64()}"
        allowed = [" ".join(one.split()[:2]) for one in self.server.authorized]
        good = username == "root" and line in allowed
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self.run, args=(channel, command.decode())).start()
        return True

    def run(self, channel: paramiko.Channel, command: str) -> None:
        done = self.server.run(command)
        self.confirmed.wait(HANG_SECONDS)
        with contextlib.suppress(EOFError, OSError):
            channel.sendall(done.stdout.encode())
            channel.sendall_stderr(done.stderr.encode())
            channel.send_exit_status(done.returncode)
            channel.close()


def watch(transport: paramiko.Transport, confirmed: threading.Event) -> None:
    """Note when the confirmation of a request has been sent."""
    send = transport._send_user_message

    def sent(message: paramiko.Message) -> None:
        send(message)
        if message.asbytes()[:1] == cMSG_CHANNEL_SUCCESS:
            confirmed.set()

    transport._send_user_message = sent  # to see what is sent


class SshStandIn:
    """sshd on 127.0.0.1, off until it is booted with user data.

    Attributes:
        port: of it.
        directory: its /etc/ssh.
        commands: what was run.
        fails_at: a part of a command that is not run any more: the connection breaks before.
        loads: whether it reads its host key anew when it is reloaded.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "etc-ssh"
        self.programs = directory / "bin"
        self.directory.mkdir()
        self.programs.mkdir()
        systemctl = self.programs / "systemctl"
        systemctl.write_text(SYSTEMCTL.format(directory=directory))
        systemctl.chmod(0o755)
        self.reloaded = directory / "reloaded"
        self.authorized: list[str] = []
        self.commands: list[str] = []
        self.fails_at = ""
        self.loads = True
        self.host_key: paramiko.PKey | None = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.transports: list[paramiko.Transport] = []

    def boot(self, request: dict, user_data: str) -> str:
        """Start with a server's request and user data; returns the address."""
        keys = cloud_config(user_data)["ssh_keys"]
        file = self.directory / "ssh_host_ed25519_key"
        file.write_text(keys["ed25519_private"])
        file.chmod(0o600)
        file.with_suffix(".pub").write_text(keys["ed25519_public"] + "\n")
        self.authorized = request["authorized_keys"]
        self.read_key()
        self.thread.start()
        return "127.0.0.1"

    def read_key(self) -> None:
        """Read the host key, as sshd does when it starts or is reloaded."""
        file = self.directory / "ssh_host_ed25519_key"
        self.host_key = paramiko.Ed25519Key.from_private_key_file(str(file))

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the server would."""
        self.commands.append(command)
        if self.fails_at and self.fails_at in command:
            return subprocess.CompletedProcess([], 1, "", "Connection to the server was lost\n")
        done = subprocess.run(  # noqa: S603 (a command of the tested program)
            ["/bin/sh", "-c", command.replace("/etc/ssh", str(self.directory))],
            env={**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        if self.reloaded.exists():
            self.reloaded.unlink()
            if self.loads:
                self.read_key()
        return done

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(client)
            self.transports.append(transport)
            transport.add_server_key(self.host_key)
            session = Session(self)
            watch(transport, session.confirmed)
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(server=session, event=threading.Event())

    def close(self) -> None:
        """Stop it."""
        # close() alone leaves accept() waiting.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        if self.thread.ident:
            self.thread.join(HANG_SECONDS)
        for transport in self.transports:
            transport.close()
