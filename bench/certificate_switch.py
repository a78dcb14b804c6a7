"""Counts requests that are lost on keep-alive connections while a command runs again and again.

`python bench/certificate_switch.py --url https://203.0.113.7 --insecure
--command "reload=ssh root@203.0.113.7 systemctl reload nginx"
--command "switch=ssh root@203.0.113.7 toxctl certificate renew --force"`

A request is lost if the server ends its connection without an answer, after the connection has
answered before: a client that does not repeat a POST has to report an error then.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import shlex
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PATH = "/predict"
BODY = json.dumps({"text": "have a nice day"})
HEADERS = {"Content-Type": "application/json"}
THINKS = 0.1  # seconds at most between an answer and the next request of a connection
ANSWER_SECONDS = 60.0
FAILURES = (OSError, http.client.HTTPException)


@dataclass
class Count:
    """What the connections saw.

    Attributes:
        requests: requests that were sent, those that were lost among them.
        lost: requests without an answer on a connection that had answered before.
        refused: connections, or first requests on them, that failed: handshakes among them.
        statuses: answers by their status.
        certificates: the different certificates that were seen, as bytes.
        examples: the first failures, in words.
    """

    requests: int = 0
    lost: int = 0
    refused: int = 0
    connections: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    certificates: set[bytes] = field(default_factory=set)
    examples: list[str] = field(default_factory=list)

    def failed(self, what: str, error: BaseException) -> None:
        """Keep a failure in words."""
        if len(self.examples) < 5:
            self.examples.append(f"{what}: {error!r}")


class Client(threading.Thread):
    """One connection that posts, thinks, and posts again; a new one where it ends."""

    def __init__(self, url: str, context: ssl.SSLContext | None, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._parts = urlsplit(url)
        self._context = context
        self._stop_asked = stop
        self.count = Count()

    def run(self) -> None:
        """Post until asked to stop."""
        while not self._stop_asked.is_set():
            connection = self._connection()
            try:
                connection.connect()
                self._note_certificate(connection)
            except FAILURES as error:
                self.count.refused += 1
                self.count.failed("connect", error)
                time.sleep(0.05)
                continue
            self.count.connections += 1
            self._post_on(connection)
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._context:
            return http.client.HTTPSConnection(
                host, port, timeout=ANSWER_SECONDS, context=self._context
            )
        return http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)

    def _note_certificate(self, connection: http.client.HTTPConnection) -> None:
        if isinstance(connection.sock, ssl.SSLSocket):
            self.count.certificates.add(connection.sock.getpeercert(binary_form=True) or b"")

    def _post_on(self, connection: http.client.HTTPConnection) -> None:
        """Post on a connection until it ends."""
        answered = 0
        while not self._stop_asked.is_set():
            self.count.requests += 1
            try:
                connection.request("POST", PATH, BODY, HEADERS)
                answer = connection.getresponse()
                answer.read()
            except FAILURES as error:
                if answered:
                    self.count.lost += 1
                else:
                    self.count.refused += 1
                self.count.failed(f"request {answered + 1}", error)
                return
            answered += 1
            statuses = self.count.statuses
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
            if answer.will_close:  # announced, so no request is lost
                return
            time.sleep(random.random() * THINKS)  # noqa: S311 (no secret)


def measure(
    url: str,
    context: ssl.SSLContext | None,
    action: Callable[[], object],
    times: int = 10,
    pause: float = 2.0,
    connections: int = 50,
) -> Count:
    """Post over many connections while an action runs some times; return what they saw.

    Args:
        url: address of the service.
        context: for HTTPS; None for plain HTTP.
        action: called `times` times, each after `pause` seconds.
        times: how often.
        pause: seconds before each time, and after the last one.
        connections: how many post at once.
    """
    stop = threading.Event()
    clients = [Client(url, context, stop) for _ in range(connections)]
    for client in clients:
        client.start()
    try:
        for _ in range(times):
            time.sleep(pause)
            action()
        time.sleep(pause)
    finally:
        stop.set()
        for client in clients:
            client.join()
    total = Count()
    for client in clients:
        total.requests += client.count.requests
        total.lost += client.count.lost
        total.refused += client.count.refused
        total.connections += client.count.connections
        total.certificates |= client.count.certificates
        for status, number in client.count.statuses.items():
            total.statuses[status] = total.statuses.get(status, 0) + number
        total.examples = (total.examples + client.count.examples)[:5]
    return total


def trust(ca: str | None, insecure: bool) -> ssl.SSLContext:
    """Return how the server's certificate is checked."""
    context = ssl.create_default_context(cafile=ca)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def line(name: str, found: Count, times: int) -> str:
    """Return a row of the table."""
    statuses = ", ".join(
        f"{number} x {status}" for status, number in sorted(found.statuses.items())
    )
    return (
        f"| {name} | {times} | {found.lost} of {found.requests} | {found.refused} | "
        f"{found.connections} | {len(found.certificates)} | {statuses} |"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each command and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--url", required=True)
    parser.add_argument("--ca", help="file of authorities that the certificate is checked with")
    parser.add_argument("--insecure", action="store_true", help="accept any certificate")
    parser.add_argument("--command", action="append", required=True, metavar="NAME=COMMAND")
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--pause", type=float, default=2.0, help="seconds between two times")
    parser.add_argument("--connections", type=int, default=50)
    options = parser.parse_args(arguments)
    context = trust(options.ca, options.insecure) if options.url.startswith("https:") else None
    print("| command | times | lost requests | refused | connections | certificates | answers |")
    print("|---|---|---|---|---|---|---|")
    for given in options.command:
        name, _, command = given.partition("=")
        words = shlex.split(command)

        def act(words: list[str] = words) -> None:
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 (typed)

        found = measure(
            options.url, context, act, options.times, options.pause, options.connections
        )
        print(line(name, found, options.times), flush=True)
        for example in found.examples:
            print(f"  {name}: {example}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
