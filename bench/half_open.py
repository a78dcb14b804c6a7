"""Whether half-open headers deny the service: `python bench/half_open.py --url URL --count 2100`.

Opens that many connections from 127.0.0.2, sends half a header on each and leaves them open, again
and again, while a client on 127.0.0.1 asks /livez. Prints how long that client waited and how many
of its requests failed, before and beside it. Loopback addresses only, and for a bounded time.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import resource
import socket
import sys
import threading
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

MOST_CONNECTIONS, MOST_SECONDS = 20_000, 120
HALF = b"POST /predict HTTP/1.1\r\nHost: x\r\nX-Never-"


def hold(host: str, port: int, count: int, stop: threading.Event, held: list[int]) -> None:
    """Keep `count` half-open requests; those that the server closes are opened again."""
    connections: list[socket.socket] = []
    while not stop.is_set():
        alive = []
        for one in connections:
            try:
                # Nothing is answered before the header is complete, so whatever arrives is the end.
                one.recv(1)
                one.close()
            except BlockingIOError:
                alive.append(one)
            except OSError:
                one.close()
        connections = alive
        while len(connections) < count and not stop.is_set():
            try:
                one = socket.create_connection((host, port), 2, source_address=("127.0.0.2", 0))
                one.sendall(HALF)
            except OSError:
                break
            one.setblocking(False)
            connections.append(one)
        held.append(len(connections))
        stop.wait(0.2)
    for one in connections:
        one.close()


def ask(host: str, port: int, seconds: float) -> tuple[list[float], int]:
    """Milliseconds of the answers of /livez, and how many requests failed."""
    times, failed = [], 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        connection = http.client.HTTPConnection(host, port, timeout=3)
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/livez")
                failed += connection.getresponse().status != 200
            except (OSError, http.client.HTTPException):
                failed += 1
        times.append((time.monotonic() - begin) * 1000)
        time.sleep(0.05)
    return times, failed


def line(name: str, times: Sequence[float], failed: int) -> str:
    """One row of the table."""
    ordered = sorted(times)
    p50, p99 = (ordered[int(part * (len(ordered) - 1))] for part in (0.5, 0.99))
    return f"{name:<28} {len(times):5} {p50:9.1f} {p99:9.1f} {ordered[-1]:9.1f} {failed:7}"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--count", type=int, default=2100, help="connections that are held")
    parser.add_argument("--seconds", type=float, default=12, help="of each measurement")
    arguments = parser.parse_args()
    parts = urlsplit(arguments.url)
    host, port = parts.hostname or "", parts.port or 80
    if not host.startswith("127."):
        sys.exit("half_open: only a service on a loopback address 127.x is measured")
    count, seconds = min(arguments.count, MOST_CONNECTIONS), min(arguments.seconds, MOST_SECONDS)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 500), hard))

    print(f"{'beside':<28} {'n':>5} {'p50 ms':>9} {'p99 ms':>9} {'max ms':>9} {'failed':>7}")
    print(line("nobody", *ask(host, port, seconds)), flush=True)
    stop, held = threading.Event(), [0]
    thread = threading.Thread(target=hold, args=(host, port, count, stop, held), daemon=True)
    thread.start()
    try:
        time.sleep(2)
        print(line(f"{count} half-open headers", *ask(host, port, seconds)))
    finally:
        stop.set()
        thread.join(30)
    print(f"  at most {max(held)} were held at once")
    return 0


if __name__ == "__main__":
    sys.exit(main())
