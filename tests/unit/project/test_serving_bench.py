"""bench/serving: its load, its ratios, and the page that it writes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.serving import BenchError, usage
from bench.serving.goals import GOALS
from bench.serving.load import request, send
from bench.serving.nanode import working_set
from bench.serving.programs import Server as Measured
from bench.serving.ratios import Spread, beside_head, difference, ratio, times_faster
from bench.serving.report import SHAPES, TITLES, render, title_of
from bench.serving.rounds import Case, of_load, run
from bench.serving.texts import LONG_WORDS, Texts

ROOT = Path(__file__).resolve().parents[3]
FIGURES = ROOT / "bench/serving/figures.json"


class Server(ThreadingHTTPServer):
    """Keeps the bodies that it got."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[bytes] = []


class Handler(BaseHTTPRequestHandler):
    """Answers with what it got; closes the connection where the path says so."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, Server)
        self.server.seen.append(body)
        self.send_response(503 if self.path == "/busy" else 200)
        self.send_header("Content-Length", str(len(body)))
        if self.path == "/close":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize("path", ["/keep", "/close"])
@pytest.mark.parametrize("connections", [1, 3])
def test_a_load_ends_after_so_many_requests(server: Server, path: str, connections: int):
    requests = [request(path, body) for body in (b"one", b"two")]
    load = send(server.server_address[1], requests, connections, seconds=30, most=7)
    assert len(load.times) == len(server.seen) == 7
    assert sorted(server.seen) == [b"one"] * 4 + [b"two"] * 3
    assert load.last in (b"one", b"two")


def test_a_load_ends_after_its_time(server: Server):
    load = send(server.server_address[1], [request("/keep", b"x")], 2, seconds=0.2)
    assert load.times
    assert load.seconds >= 0.2


def test_an_answer_that_is_not_200_ends_the_bench(server: Server):
    with pytest.raises(BenchError, match=r"answered HTTP/1\.1 503"):
        send(server.server_address[1], [request("/busy", b"x")], 1, seconds=5)


def test_figures_of_a_load_are_per_second_and_per_core(server: Server):
    load = send(server.server_address[1], [request("/keep", b"x")], 1, seconds=30, most=10)
    figures = of_load(load, used=0.5)
    assert figures["per_core"] == 20
    assert figures["count"] == 10
    assert figures["p50"] <= figures["p99"] <= max(load.times)
    assert of_load(load, used=0.0)["per_core"] == 0


def test_every_case_is_measured_in_every_round():
    calls: list[str] = []

    def case(name: str) -> Case:
        def measure(seconds: float) -> dict[str, float]:
            calls.append(name)
            return {"p50": float(len(calls))}

        return Case(name, measure)

    found = run([case("a"), case("b"), case("c")], 4, 1.0, lambda line: None)
    assert {name: len(one) for name, one in found.items()} == {"a": 4, "b": 4, "c": 4}
    assert all(set(calls[start : start + 3]) == {"a", "b", "c"} for start in range(0, 12, 3))


def test_a_ratio_is_taken_within_a_round():
    rounds = {
        "a": [{"p50": 2.0, "rate": 10.0}, {"p50": 8.0, "rate": 20.0}],
        "b": [{"p50": 1.0, "rate": 5.0}, {"p50": 2.0, "rate": 5.0}],
        "c": [{"p50": 1.0}, {"p50": 2.0}],
    }
    assert ratio("", "a", ("b", "c"), 1.5).spread(rounds) == Spread(1.5, 1.0, 2.0)
    assert difference("", "a", "b", 1.0).spread(rounds) == Spread(3.5, 1.0, 6.0)
    assert times_faster("", "b", "a", 2.0).spread(rounds) == Spread(3.0, 2.0, 4.0)
    assert times_faster("", "a", "b", 2.0, "rate").spread(rounds) == Spread(3.0, 2.0, 4.0)
    assert ratio("", "a", ("d",), 1.0).spread(rounds) is None
    three = {"o": [{"p50": 2.0}], "l": [{"p50": 5.0}], "h": [{"p50": 1.0}]}
    assert beside_head("", "o", "l", "h", 1 / 3).spread(three) == Spread(0.25, 0.25, 0.25)


def test_a_goal_is_reached_from_its_side():
    at_most, at_least = ratio("", "a", ("b",), 2.0), times_faster("", "a", "b", 2.0)
    assert at_most.is_reached(Spread(2.0, 1, 3))
    assert not at_most.is_reached(Spread(2.1, 1, 3))
    assert at_least.is_reached(Spread(2.0, 1, 3))
    assert not at_least.is_reached(Spread(1.9, 1, 3))
    assert ratio("", "a", ("b",)).is_reached(Spread(9.0, 1, 10))


def test_cold_words_occur_once():
    words = [f"word{number}" for number in range(2000 + 3 * LONG_WORDS + 5)]
    texts = Texts(words)
    assert texts.short == Texts(words).short
    cold = [*texts.cold(2), *texts.cold(2)]
    assert [len(text.split()) for text in cold] == [LONG_WORDS] * 3
    asked = " ".join(cold).split()
    assert len(set(asked)) == len(asked)
    assert not set(asked) & set(" ".join([*texts.short, *texts.long]).split())


def test_memory_and_time_are_those_of_a_process_and_its_children():
    program = """import os, time
os.fork()
while time.process_time() < 0.1:  # some ticks, however fast the machine is
    pass
print(flush=True)
time.sleep(60)"""
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 (no shell)
        try:
            assert process.stdout is not None
            process.stdout.readline()
            process.stdout.readline()
            found = usage.group(process.pid)
            assert len(found) == 2
            assert found[0] == process.pid
            assert usage.processor_seconds(found) > 0
            memory = usage.memory(process.pid)
            assert 0 < memory.pss <= memory.peak
        finally:
            for one in reversed(usage.group(process.pid)):
                os.kill(one, signal.SIGKILL)


def test_the_database_of_a_container_does_not_count_as_the_service():
    command = ["sh", "-c", "sleep 60 & exec cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:  # noqa: S603 (no shell of ours)
        try:
            while {usage.name(one) for one in usage.group(process.pid)} != {"cat", "sleep"}:
                pass
            whole = Measured("x", 1, process.pid, 0.0, {})
            part = Measured("x", 1, process.pid, 0.0, {}, beside=("sleep",))
            assert len(whole.processes()) == 2
            assert part.processes() == [process.pid]
        finally:
            for one in reversed(usage.group(process.pid)):
                os.kill(one, signal.SIGKILL)


@pytest.mark.parametrize(
    ("line", "directory", "file", "statistic"),
    [
        ("0::/pod.scope/init.scope", "pod.scope", "memory.current", "inactive_file"),
        (
            "4:memory:/pods/pod/init.scope",
            "memory/pods/pod",
            "memory.usage_in_bytes",
            "total_inactive_file",
        ),
    ],
)
def test_the_working_set_is_the_memory_that_cannot_be_dropped(
    tmp_path: Path, line: str, directory: str, file: str, statistic: str
):
    (tmp_path / "7").mkdir()
    (tmp_path / "7/cgroup").write_text(f"8:pids:/other\n{line}\n")
    with pytest.raises(BenchError, match="not found"):
        working_set(7, tmp_path, tmp_path)
    group = tmp_path / directory
    group.mkdir(parents=True)
    (group / file).write_text(f"{300 * 2**20}\n")
    (group / "memory.stat").write_text(f"anon 1\n{statistic} {100 * 2**20}\n")
    assert working_set(7, tmp_path, tmp_path) == 200


def test_every_goal_and_every_case_has_words():
    for goal in GOALS:
        for name in goal.needs:
            title, _ = title_of(name)
            assert title
    assert set(TITLES) & set(SHAPES) == {"empty"}


def test_the_page_is_the_one_of_the_last_run():
    page = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    assert page == render(json.loads(FIGURES.read_text(encoding="utf-8")))
