"""The load beside the fault tests: which connection it replaces, and how it keeps its rate."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from from_file import PROJECT, from_file

TEXT = "you are kind"
MANIFEST = {
    "labels": ["toxic"],
    "golden_outputs": {"tolerance": 1e-4, "cases": [{"text": TEXT, "scores": [0.25]}]},
}
CLOSE = b""
KEEP, NEW = 0, 1  # numbers of requests that `ask` sends on a kept and on a new connection


def answer(score: float = 0.25) -> bytes:
    body = json.dumps({"model": "m", "scores": {"toxic": score}}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.fixture(scope="module")
def load() -> ModuleType:
    return from_file("tests/faults/load.py")


def asked(
    load: ModuleType, known: Path, numbers: list[int], *connections: list[bytes]
) -> list[dict[str, Any]]:
    """Send these requests, one after the other; return what the load wrote of each.

    The server gives each connection its answers, one a request, and closes it after the last.
    """
    waiting = list(connections)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for content in waiting.pop(0):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
            writer.write(content)
        writer.close()
        await writer.wait_closed()

    async def send() -> str:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        out = io.StringIO()
        running = load.Load(f"http://127.0.0.1:{port}", load.Known(known), 1.0, out)
        for number in numbers:
            await running.ask(number, TEXT)
        for connection in running.idle:
            connection.close()
        server.close()
        await server.wait_closed()
        for _ in range(3):  # both ends' transports are closed in the loop's next rounds
            await asyncio.sleep(0)
        return out.getvalue()

    lines = [json.loads(line) for line in asyncio.run(send()).splitlines()]
    assert not waiting, "the load opened fewer connections"
    return lines


@pytest.fixture
def known(tmp_path: Path) -> Path:
    (tmp_path / "m.json").write_text(json.dumps(MANIFEST))
    return tmp_path


def test_a_kept_connection_closed_with_a_request_on_its_way_is_replaced(
    load: ModuleType, known: Path
) -> None:
    first, second = asked(load, known, [KEEP, KEEP], [answer(), CLOSE], [answer()])
    assert (first["status"], first.get("again")) == (200, None)
    assert (second["status"], second.get("again"), second["wrong"]) == (200, True, "")


def test_a_request_is_sent_again_once(load: ModuleType, known: Path) -> None:
    _, second = asked(load, known, [KEEP, KEEP], [answer(), CLOSE], [CLOSE])
    assert (second["status"], second["again"]) == (None, True)
    assert second["error"]


def test_an_answer_after_that_is_judged_as_others_are(load: ModuleType, known: Path) -> None:
    _, second = asked(load, known, [KEEP, KEEP], [answer(), CLOSE], [answer(0.75)])
    assert second["again"] is True
    assert second["wrong"]


@pytest.mark.parametrize("number", [KEEP, NEW])
def test_a_connection_without_an_answer_before_gets_no_second_one(
    load: ModuleType, known: Path, number: int
) -> None:
    (line,) = asked(load, known, [number], [CLOSE])
    assert (line["status"], line.get("again")) == (None, None)


@pytest.mark.parametrize("part", [answer()[:9], answer()[:-4]], ids=["head", "body"])
def test_half_an_answer_is_a_failure(load: ModuleType, known: Path, part: bytes) -> None:
    _, second = asked(load, known, [KEEP, KEEP], [answer(), part])
    assert (second["status"], second.get("again")) == (None, None)
    assert "bytes" in second["error"]


@pytest.mark.parametrize("stopped", [0.0, 0.3, 60.0])
def test_after_a_pause_few_requests_follow_at_once(
    load: ModuleType, known: Path, monkeypatch: pytest.MonkeyPatch, stopped: float
) -> None:
    """The program stands still once, as a busy machine or a debugger makes it."""
    clock, begun = [1000.0], []

    async def wait_for(waiting: Any, seconds: float) -> None:
        waiting.close()
        clock[0] += seconds
        raise TimeoutError

    async def ask(number: int, text: str) -> None:
        """Nothing is sent."""

    def texts() -> Iterator[str]:
        for number in range(200):
            if number == 100:
                clock[0] += stopped
            yield TEXT
            begun.append(clock[0])

    running = load.Load("http://127.0.0.1:1", load.Known(known), 10.0, io.StringIO())
    monkeypatch.setattr(load.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(load.asyncio, "wait_for", wait_for)
    monkeypatch.setattr(running, "ask", ask)
    monkeypatch.setattr(running, "texts", texts)
    asyncio.run(running.run(seconds=1e6, requests=200))
    at_once = sum(0.0 <= moment - begun[99] - stopped < 0.05 for moment in begun[100:])
    assert at_once <= 2 + 10 * load.BEHIND_SECONDS
    lost = max(0.0, stopped - load.BEHIND_SECONDS)
    assert begun[-1] - begun[0] == pytest.approx((len(begun) - 1) / 10 + lost, abs=0.3)


def test_no_more_wait_for_an_answer_than_nginx_takes_of_an_address(
    load: ModuleType, known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine answers take longer than it takes to send the next requests."""
    open_now, most = 0, 0

    async def ask(number: int, text: str) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        for _ in range(200):  # rounds of the event loop
            await asyncio.sleep(0)
        open_now -= 1

    running = load.Load("http://127.0.0.1:1", load.Known(known), 1e9, io.StringIO())
    monkeypatch.setattr(running, "ask", ask)
    asyncio.run(running.run(seconds=1e6, requests=300))
    assert most == load.MOST_AT_ONCE
    defaults = yaml.safe_load((PROJECT / "roles/nginx/defaults/main.yml").read_text())
    assert defaults["nginx_connections_per_client"] > load.MOST_AT_ONCE
