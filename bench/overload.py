"""What happens beyond the capacity: `python -m bench.overload --url URL`.

The capacity is measured with a few connections; then three times as many requests are sent, whether
or not they are answered, and after that the first measurement is repeated. Each answer's scores are
compared. `--soak 600` sends half the capacity for ten minutes instead and shows the memory of the
service's processes. Loopback only, for a service without nginx in front (`make serve`), bounded.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bench.fairness import CLIENT_HEADER, percentile
from bench.serving.usage import group, memory

MOST_SECONDS, MOST_OPEN = 900, 3000
CONNECTIONS = 4
# Sixteen texts make the service, not this program, what is measured.
TEXTS = [f"you are a silly person number {number} and that is fine" for number in range(16)]
BODY = json.dumps({"texts": TEXTS}).encode()
CLIENTS = 50


@dataclass
class Found:
    """What came back.

    Attributes:
        statuses: how often each status was answered; 0: no answer.
        seconds: by status, the time of each answer.
        wrong: answers with other scores than the first one.
        silent: refusals without Retry-After.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: dict[int, list[float]] = field(default_factory=dict)
    wrong: int = 0
    silent: int = 0

    def line(self, name: str) -> str:
        """One row for each status."""
        rows = []
        for status, times in sorted(self.seconds.items()):
            ms = [1000 * percentile(times, part) for part in (0.5, 0.99)]
            most = f"{1000 * max(times):9.1f}"
            rows.append(f"{name:<28} {status:4} {len(times):7} {ms[0]:9.1f} {ms[1]:9.1f} {most}")
        return "\n".join(rows)


class Service:
    """The service, asked over a new connection for each request."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self._expected: object = None

    async def post(self, found: Found, client: int) -> None:
        """Ask once, as one of many clients; record the answer."""
        head = (
            f"POST /predict HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n"
            f"{CLIENT_HEADER}: 192.0.2.{client % CLIENTS + 1}\r\n\r\n"
        )
        began = time.monotonic()
        status, answer = 0, b""
        try:
            reader, writer = await asyncio.open_connection(self.host, self.port)
            writer.write(head.encode() + BODY)
            answer = await reader.read(-1)
            writer.close()
            status = int(answer.split(b" ", 2)[1])
        except (OSError, IndexError, ValueError):
            pass
        found.statuses[status] += 1
        found.seconds.setdefault(status, []).append(time.monotonic() - began)
        head_of_answer, _, body = answer.partition(b"\r\n\r\n")
        if status == 503:
            found.silent += b"retry-after" not in head_of_answer.lower()
        if status == 200:
            results = json.loads(body)["results"]
            self._expected = self._expected or results
            found.wrong += results != self._expected

    async def closed(self, seconds: float) -> tuple[float, Found]:
        """Ask over a few connections, one request after the other; requests a second."""
        found, end = Found(), time.monotonic() + seconds

        async def work(client: int) -> None:
            while time.monotonic() < end:
                await self.post(found, client)

        await asyncio.gather(*(work(number) for number in range(CONNECTIONS)))
        return found.statuses[200] / seconds, found

    async def open(self, rate: float, seconds: float) -> Found:
        """Send so many requests a second, whatever is answered."""
        found: Found = Found()
        pending: set[asyncio.Task[None]] = set()
        began = time.monotonic()
        for number in range(int(rate * seconds)):
            wait = began + number / rate - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            if len(pending) >= MOST_OPEN:
                await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self.post(found, number))
            pending.add(task)
            task.add_done_callback(pending.discard)
        await asyncio.gather(*pending)
        return found


async def overload(service: Service, seconds: float, times: float) -> int:
    """Measure before, during and after; the number of things that are not as they should be."""
    print(f"{'':<28} code       n    p50 ms    p99 ms    max ms")
    rate, before = await service.closed(seconds)
    print(before.line(f"capacity: {rate:.0f}/s"), flush=True)
    if not rate:
        sys.exit("overload: the service does not answer: see the log that 'make serve' names")
    during = await service.open(times * rate, seconds)
    print(during.line(f"{times:g} x the capacity"), flush=True)
    again, after = await service.closed(seconds)
    print(after.line(f"afterwards: {again:.0f}/s"))
    found = (before, during, after)
    bad = sum(one.wrong + one.silent + one.statuses[0] for one in found)
    print(f"wrong scores {sum(one.wrong for one in found)}, 503 without Retry-After", end=" ")
    print(f"{sum(one.silent for one in found)}, without an answer", end=" ")
    print(f"{sum(one.statuses[0] for one in found)}; capacity afterwards {again / rate:.2f} x")
    return bad


async def soak(service: Service, seconds: float, pid: int) -> int:
    """Send half the capacity and show the memory; the number of wrong or missing answers."""
    rate, _ = await service.closed(min(10.0, seconds))
    print(f"half of {rate:.0f} requests a second for {seconds:.0f} s")
    bad, part = 0, seconds / 10
    for number in range(10):
        found = await service.open(rate / 2, part)
        bad += found.wrong + found.statuses.total() - found.statuses[200]
        pss = sum(memory(one).pss for one in group(pid))
        print(
            f"after {(number + 1) * part:5.0f} s: {pss:7.1f} MB  {dict(found.statuses)}",
            flush=True,
        )
    return bad


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--times", type=float, default=3, help="the capacity (default: 3)")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="half the capacity instead")
    parser.add_argument("--pid", type=int, help="the service's first process, for --soak")
    options = parser.parse_args()
    service = Service(options.url)
    if not service.host.startswith("127."):
        sys.exit("overload: only a service on a loopback address 127.x is measured")
    if options.soak:
        if options.pid is None:
            sys.exit("overload: --soak needs --pid, the service's first process")
        bad = asyncio.run(soak(service, min(options.soak, MOST_SECONDS), options.pid))
    else:
        seconds = min(options.seconds, MOST_SECONDS)
        bad = asyncio.run(overload(service, seconds, min(options.times, 10)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
