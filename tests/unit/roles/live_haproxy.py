"""A real HAProxy with the role's configuration on loopback ports, and app hosts behind it."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from free_ports import free_ports, kept_port
from rendering import Variant, owners, render

from toxctl.balancer import Haproxy
from toxctl.errors import ToxctlError

CONFIG = "etc/haproxy/haproxy.cfg.j2"
SERVER = Path(__file__).resolve().parents[3] / "server"
HANG_SECONDS = 300
CERTBOT = "server certbot 127.0.0.1:8123"


def until(condition: Callable[[], object]) -> None:
    """Wait until the condition is true."""
    limit = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < limit, "it never became true"
        time.sleep(0.05)


class AppHost:
    """An HTTP server that answers as an app host does, and records what it is asked."""

    def __init__(self, name: str, address: str = "127.0.0.1") -> None:
        self.name = name
        self.address = address
        self.ready = True
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.broken: list[str] = []
        self.kept = kept_port(address)
        self.server = ThreadingHTTPServer(self.kept.getsockname(), self._handler())
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path == "/broken":
                    host.broken.append(self.path)
                    self.close_connection = True
                    return
                is_check = self.path == "/readyz"
                if not is_check:
                    given = {name.lower(): value for name, value in self.headers.items()}
                    host.requests.append((self.command, self.path, given))
                refused = 429 if self.path == "/refused" else 200
                self.send_response(503 if is_check and not host.ready else refused)
                body = host.name.encode()
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                """Print nothing."""

        return Handler

    def close(self) -> None:
        """End it: its port refuses connections from now on."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def free(self) -> None:
        """End it if it runs, and give its port back."""
        if self.thread.is_alive():
            self.close()
        self.kept.close()


class Balancer:
    """HAProxy as systemd runs it, without another user and without a directory of its own."""

    def __init__(
        self,
        directory: Path,
        apps: Sequence[AppHost],
        certbot: AppHost | None = None,
        **inventory: object,
    ) -> None:
        self.directory = directory
        self.apps = apps
        self.certbot = certbot
        self.inventory = inventory
        self.port, self.metrics_port, self.tls_port = free_ports(3)
        self.socket = directory / "admin.sock"
        self.config = directory / "haproxy.cfg"
        self.state_file = directory / "servers.state"
        self.write()
        self.log = (directory / "log").open("wb")
        self.process = subprocess.Popen(  # noqa: S603 (the program under test)
            ["haproxy", "-W", "-f", self.config],  # noqa: S607
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        self.runtime = Haproxy(str(self.socket))
        until(lambda: self.worker() or self.process.poll() is not None)
        assert self.process.poll() is None, self.logged()

    def write(self) -> None:
        """Write the configuration."""
        values = {
            "balancer_app_hosts": [
                {"name": one.name, "address": one.address, "port": one.port} for one in self.apps
            ],
            "balancer_listen_port": self.port,
            "balancer_listen_ipv6": False,
            "balancer_metrics_port": self.metrics_port,
            "tls_listen_port": self.tls_port,
            **self.inventory,
        }
        text = render(CONFIG, owners()[CONFIG], "debian12", Variant("live", values))
        text = text.replace("/run/haproxy/", f"{self.directory}/")
        text = text.replace("/etc/haproxy/tox_com_det/", f"{self.directory}/")
        if self.certbot is not None:
            text = text.replace(CERTBOT, f"server certbot 127.0.0.1:{self.certbot.port}")
        lines = text.splitlines(keepends=True)
        drops = ("    chroot ", "    user ", "    group ")
        self.config.write_text("".join(one for one in lines if not one.startswith(drops)))

    def reload(self) -> None:
        """Do what the unit's ExecReload does, and wait for the new worker."""
        before = self.worker()
        with self.toxctl("save", "--config", str(self.config), str(self.state_file)) as saving:
            saving.communicate()
        assert saving.returncode == 0
        self.process.send_signal(signal.SIGUSR2)
        until(lambda: self.worker() not in (None, before))
        # It may still accept a connection as long as it runs.
        until(lambda: not Path(f"/proc/{before}").exists())

    def worker(self) -> int | None:
        """Return the PID of the process that answers, or None.

        The socket's file exists before HAProxy listens at it, and before the ports do.
        """
        with suppress(ToxctlError, StopIteration):
            return self.runtime.worker()
        return None

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: str = ""
    ) -> tuple[int, dict[str, str], str]:
        """Return status, headers with names in lower case, and body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG_SECONDS)
        try:
            connection.request(method, path, body or None, headers or {})
            answer = connection.getresponse()
            given = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, given, answer.read().decode()
        finally:
            connection.close()

    def toxctl(self, *words: str) -> subprocess.Popen[str]:
        """Start `toxctl balancer` with its standard input open."""
        begin = [sys.executable, "-m", "toxctl", "--json", "balancer", "--socket", str(self.socket)]
        return subprocess.Popen(  # noqa: S603 (the program under test)
            [*begin, *words],
            env={**os.environ, "PYTHONPATH": str(SERVER)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def status(self, name: str) -> str:
        """Return HAProxy's word for the state of an app host."""
        return self.runtime.host(name).status

    def logged(self) -> str:
        """Return what HAProxy has logged."""
        return (self.directory / "log").read_text(encoding="utf-8")

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(HANG_SECONDS)
        self.log.close()
