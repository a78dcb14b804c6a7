"""How long a polite client waits beside an abusive one: `python bench/fairness.py --url URL`.

The polite client sends one short comment after the other from 127.0.0.1, the abusive one the most
expensive requests within the limits from 127.0.0.2, several at once. The figures without and with
the abusive client are printed side by side. Loopback addresses only, and for a bounded time.
`--client-header` sends the clients' names as nginx does, for a service without nginx in front.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import string
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

CLIENT_HEADER = "X-Tox-Com-Det-Client"
TEXTS, CHARACTERS = 32, 20_000
MOST_SECONDS, MOST_AT_ONCE = 120, 64
POLITE_PAUSE = 0.05
COMMENTS = ("you are great", "have a nice day", "the source is missing", "what a silly idea")


def distinct_words() -> bytes:
    """The most distinct short words that fit into one request, none of a vocabulary."""
    letters = string.ascii_lowercase + string.digits
    texts: list[str] = []
    while len(texts) < TEXTS:
        words = ("".join(random.choices(letters, k=4)) for _ in range(CHARACTERS // 5))  # noqa: S311 (words, not secrets)
        texts.append(" ".join(words))
    return json.dumps({"texts": texts}).encode()


def vocabulary_words(word_index: Path) -> Callable[[], bytes]:
    """Texts of words that are all known: the vectors have to be read."""
    words = list(json.loads(word_index.read_text(encoding="utf-8")))

    def body() -> bytes:
        texts = [" ".join(random.choices(words, k=1500)) for _ in range(TEXTS)]  # noqa: S311 (a sample, not a secret)
        return json.dumps({"texts": [text[:CHARACTERS] for text in texts]}).encode()

    return body


class Client:
    """A client with one address, which opens a connection per request."""

    def __init__(self, url: str, address: str, named: bool) -> None:
        parts = urlsplit(url)
        self._make = lambda: http.client.HTTPConnection(
            parts.hostname or "", parts.port or 80, timeout=60, source_address=(address, 0)
        )
        self._headers = {"Content-Type": "application/json"}
        if named:
            self._headers[CLIENT_HEADER] = address

    def post(self, body: bytes) -> int:
        """The status of POST /predict; 0 where the connection broke."""
        with closing(self._make()) as connection:
            try:
                connection.request("POST", "/predict", body, self._headers)
                return connection.getresponse().status
            except (OSError, http.client.HTTPException):
                return 0


def polite(client: Client, seconds: float) -> tuple[list[float], Counter[int]]:
    """Milliseconds of each answer, and the statuses."""
    times: list[float] = []
    statuses: Counter[int] = Counter()
    end = time.monotonic() + seconds
    for number, _ in enumerate(iter(lambda: time.monotonic() < end, False)):
        body = json.dumps({"text": f"{COMMENTS[number % len(COMMENTS)]} q{number}x"}).encode()
        begin = time.monotonic()
        statuses[client.post(body)] += 1
        times.append((time.monotonic() - begin) * 1000)
        time.sleep(POLITE_PAUSE)
    return times, statuses


def abusive(
    make: Callable[[], Client], bodies: Sequence[bytes], at_once: int, stop: threading.Event
) -> tuple[list[threading.Thread], Counter[int]]:
    """Threads that send the bodies as fast as they are answered until `stop`."""
    statuses: Counter[int] = Counter()

    def work(first: int) -> None:
        client, number = make(), first
        while not stop.is_set():
            statuses[client.post(bodies[number % len(bodies)])] += 1
            number += 1

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(at_once)]
    for thread in threads:
        thread.start()
    return threads, statuses


def percentile(times: Sequence[float], part: float) -> float:
    """The smallest value that is not below `part` of the values."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def line(name: str, times: Sequence[float], statuses: Counter[int]) -> str:
    """One row of the table."""
    figures = " ".join(f"{percentile(times, part):9.1f}" for part in (0.5, 0.95, 0.99))
    return f"{name:<28} {len(times):5} {figures} {max(times):9.1f}  {dict(statuses)}"


def cases(word_index: Path | None) -> Iterator[tuple[str, list[bytes]]]:
    """Kinds of abusive requests."""
    yield "distinct unknown words", [distinct_words() for _ in range(8)]
    if word_index is not None:
        known = vocabulary_words(word_index)
        yield "known words, all different", [known() for _ in range(8)]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--seconds", type=float, default=15, help="of each measurement")
    parser.add_argument("--at-once", type=int, default=8, help="connections of the abusive client")
    parser.add_argument("--word-index", type=Path, help="word_index.json of the model")
    parser.add_argument("--client-header", action="store_true")
    arguments = parser.parse_args()
    host = urlsplit(arguments.url).hostname or ""
    if not host.startswith("127."):
        sys.exit("fairness: only a service on a loopback address 127.x is measured")
    seconds, at_once = min(arguments.seconds, MOST_SECONDS), min(arguments.at_once, MOST_AT_ONCE)

    def client(address: str) -> Client:
        return Client(arguments.url, address, arguments.client_header)

    print(f"{'beside':<28} {'n':>5} {'p50 ms':>9} {'p95 ms':>9} {'p99 ms':>9} {'max ms':>9}")
    print(line("nobody", *polite(client("127.0.0.1"), seconds)), flush=True)
    for name, bodies in cases(arguments.word_index):
        stop = threading.Event()
        threads, statuses = abusive(lambda: client("127.0.0.2"), bodies, at_once, stop)
        try:
            print(line(f"{name}, {at_once} at once", *polite(client("127.0.0.1"), seconds)))
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)
        print(f"  the abusive client was answered {dict(statuses)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
