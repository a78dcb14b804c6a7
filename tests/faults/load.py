"""A constant load on `/predict` that checks each answer: `load.py --url URL --known DIR ...`.

Requests begin at a fixed rate, whether or not the ones before are answered, as long as fewer than
MOST_AT_ONCE wait for an answer. Of what was not sent while the load waited, for those or for the
processor, no more than half a second's requests follow at once. More of either would reach nginx's
limits of an address, 429, on a busy machine. Half of the connections are kept alive, every
twentieth request is sent slowly. A kept connection that nginx closes while a request is on its way,
as at a reload, is replaced and the request sent again, once, as HTTP clients do (RFC 9112, 9.3.1);
new connections get no such help. An answer is good if its status is 200 and its scores are the
golden outputs of the model that it names; DIR holds the manifests of the models that may answer.
One JSON line per request goes to --out, a summary every few seconds to standard error and a last
one to standard output. It ends after --seconds or --requests, and on SIGTERM once the open requests
are answered.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

ANSWER_SECONDS = 15.0
SLOW_EVERY = 20
SLOW_SECONDS = 1.0
BEHIND_SECONDS = 0.5
# nginx takes 50 connections of an address (nginx_connections_per_client).
MOST_AT_ONCE = 40
SUMMARY_SECONDS = 5.0


class Known:
    """The golden outputs of each model, from a directory that may get more models."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.models: dict[str, dict[str, Any]] = {}
        self.read()

    def read(self) -> None:
        """Read the manifests that are new."""
        for path in sorted(self.directory.glob("*.json")):
            if path.stem not in self.models:
                manifest = json.loads(path.read_text(encoding="utf-8"))
                # Format 1, which the upgrade test deploys, names them known_answers.
                golden = manifest.get("golden_outputs") or manifest["known_answers"]
                self.models[path.stem] = {
                    "labels": manifest["labels"],
                    "tolerance": golden["tolerance"],
                    "scores": {case["text"]: case["scores"] for case in golden["cases"]},
                }

    def texts(self) -> list[str]:
        """The texts that every model has golden outputs for."""
        known = [set(model["scores"]) for model in self.models.values()]
        if not known:
            raise SystemExit(f"load: no manifest in {self.directory}")
        return sorted(set.intersection(*known))

    def difference(self, text: str, answer: Any) -> str:
        """How an answer is wrong, "" if it is not."""
        if not isinstance(answer, dict) or not isinstance(answer.get("scores"), dict):
            return f"no scores: {json.dumps(answer)[:200]}"
        name = str(answer.get("model"))
        if name not in self.models:
            self.read()
        model = self.models.get(name)
        if model is None:
            return f"model {name} may not answer"
        if list(answer["scores"]) != model["labels"]:
            return f"labels {list(answer['scores'])}"
        for label, wanted in zip(model["labels"], model["scores"][text], strict=True):
            got = answer["scores"][label]
            if not isinstance(got, int | float) or not math.isfinite(got):
                return f"{label} is {got}"
            if abs(got - wanted) > model["tolerance"]:
                return f"{label} of {text[:30]!r} is {got:.5f}, expected of {name} {wanted:.5f}"
        return ""


@dataclass
class Counts:
    """The summary."""

    asked: int = 0
    failed: int = 0
    wrong: int = 0
    again: int = 0
    longest: float = 0.0

    def line(self) -> str:
        return (
            f"load: {self.asked} answered, {self.failed} failed, {self.wrong} wrong, "
            f"{self.again} sent again, longest {self.longest:.2f} s"
        )


class Broken(Exception):
    """No complete answer arrived."""


class Closed(Broken):
    """The connection ended before the first byte of an answer."""


@dataclass(frozen=True)
class Request:
    """A request as it is sent."""

    head: bytes
    body: bytes
    slow: bool


@dataclass
class Connection:
    """One connection to the server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: bool = False  # it has carried a request before

    @property
    def usable(self) -> bool:
        """Whether the server has not closed it yet."""
        return not (self.reader.at_eof() or self.writer.is_closing())

    async def send(self, request: Request) -> None:
        if request.slow:
            half = len(request.body) // 2
            self.writer.write(request.head + request.body[:half])
            await self.writer.drain()
            await asyncio.sleep(SLOW_SECONDS)
            self.writer.write(request.body[half:])
        else:
            self.writer.write(request.head + request.body)
        with contextlib.suppress(ConnectionError):  # `receive` says how much of an answer arrived
            await self.writer.drain()

    async def receive(self) -> tuple[int, dict[str, str], bytes]:
        raw = b""
        try:
            raw = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = raw.decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines if line)
            }
            body = await self.reader.readexactly(int(headers["content-length"]))
        except asyncio.IncompleteReadError as error:
            if not raw and not error.partial:
                raise Closed("the connection ended before an answer") from None
            raise Broken(f"the connection ended after {len(raw + error.partial)} bytes") from None
        except ConnectionError as error:
            raise (Broken if raw else Closed)(str(error)) from None
        except (KeyError, ValueError) as error:
            raise Broken(f"no HTTP: {error!r}") from None
        return int(first.split()[1]), headers, body

    def close(self) -> None:
        self.writer.close()


@dataclass
class Load:
    """The load while it runs."""

    url: str
    known: Known
    rate: float
    out: TextIO
    counts: Counts = field(default_factory=Counts)
    idle: list[Connection] = field(default_factory=list)
    running: set[asyncio.Task[None]] = field(default_factory=set)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80

    async def run(self, seconds: float, requests: int) -> None:
        """Send requests until a bound is reached or `stopped` is set, then wait for the rest."""
        begin = said = due = time.monotonic()
        for number, text in zip(range(requests), self.texts(), strict=False):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.stopped.wait(), max(0.0, due - time.monotonic()))
            if len(self.running) >= MOST_AT_ONCE:
                await asyncio.wait(self.running, return_when=asyncio.FIRST_COMPLETED)
            if self.stopped.is_set() or time.monotonic() - begin > seconds:
                break
            task = asyncio.create_task(self.ask(number, text))
            self.running.add(task)
            task.add_done_callback(self.running.discard)
            due = max(due + 1 / self.rate, time.monotonic() - BEHIND_SECONDS)
            if time.monotonic() - said > SUMMARY_SECONDS:
                said = time.monotonic()
                print(self.counts.line(), file=sys.stderr, flush=True)
        if self.running:
            await asyncio.wait(self.running)
        for connection in self.idle:
            connection.close()

    def texts(self) -> Iterator[str]:
        """The texts of the golden outputs, repeated for ever."""
        while True:
            yield from self.known.texts()

    async def ask(self, number: int, text: str) -> None:
        """Send one request and write its line."""
        kind = "slow" if number % SLOW_EVERY == SLOW_EVERY - 1 else ("keep", "new")[number % 2]
        line: dict[str, Any] = {"begin": time.time(), "kind": kind, "status": None, "model": None}
        start = time.monotonic()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                status, headers, body = await self.exchange(text, kind, line)
            line |= {"status": status, "slot": headers.get("x-tox-com-det-slot")}
            if status == 200:
                answer = json.loads(body)
                line |= {"model": answer.get("model"), "wrong": self.known.difference(text, answer)}
            else:
                line["error"] = body.decode("utf-8", "replace")[:200]
        except (Broken, OSError, TimeoutError, ValueError) as error:
            line["error"] = str(error) or type(error).__name__
        # The time that a slow client takes itself is not a wait.
        line["seconds"] = time.monotonic() - start - (SLOW_SECONDS if kind == "slow" else 0.0)
        self.note(line)

    async def exchange(
        self, text: str, kind: str, line: dict[str, Any]
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a text, again if a kept connection was closed meanwhile; say that in the line."""
        body = json.dumps({"text": text}).encode()
        keep = kind == "keep"
        head = (
            f"POST /predict HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n"
        ).encode()
        request = Request(head, body, slow=kind == "slow")
        connection = await self.connection(keep)
        try:
            return await self.converse(connection, request, keep)
        except Closed:
            if not connection.used:
                raise
        line["again"] = True
        return await self.converse(await self.connection(keep=False), request, keep)

    async def converse(
        self, connection: Connection, request: Request, keep: bool
    ) -> tuple[int, dict[str, str], bytes]:
        """One request and its answer; the connection is kept or closed after it."""
        try:
            await connection.send(request)
            status, headers, content = await connection.receive()
        except BaseException:
            connection.close()
            raise
        if keep and headers.get("connection", "").lower() != "close":
            connection.used = True
            self.idle.append(connection)
        else:
            connection.close()
        return status, headers, content

    async def connection(self, keep: bool) -> Connection:
        """One that is kept alive, if that is wanted and there is one, else a new one."""
        while keep and self.idle:
            connection = self.idle.pop()
            if connection.usable:
                return connection
            connection.close()  # the server closed it between two requests: none is lost
        return Connection(*await asyncio.open_connection(self.host, self.port))

    def note(self, line: dict[str, Any]) -> None:
        self.counts.asked += 1
        self.counts.failed += line["status"] != 200
        self.counts.wrong += bool(line.get("wrong"))
        self.counts.again += bool(line.get("again"))
        self.counts.longest = max(self.counts.longest, line["seconds"])
        self.out.write(json.dumps(line) + "\n")
        self.out.flush()


async def main(arguments: list[str] | None = None) -> int:
    """Run the load; exit code 0 whatever the answers were: they are in the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--url", required=True)
    parser.add_argument("--known", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=50.0, help="requests per second")
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--requests", type=int, default=200_000)
    options = parser.parse_args(arguments)
    with options.out.open("w", encoding="utf-8") as out:
        load = Load(options.url, Known(options.known), options.rate, out)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, load.stopped.set)
        await load.run(options.seconds, options.requests)
    print(json.dumps(vars(load.counts)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
