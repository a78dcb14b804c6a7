"""Rounds: every case once in each, in another order, so that what disturbs one disturbs all."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.serving import usage
from bench.serving.load import Load, send
from bench.serving.programs import Server
from bench.serving.texts import SEED

Figures = dict[str, float]


@dataclass(frozen=True)
class Case:
    """What is measured once in every round.

    Attributes:
        name: its key in the figures, such as `ours single 4`.
        measure: takes the seconds to measure for, returns the figures.
    """

    name: str
    measure: Callable[[float], Figures]


def load_case(
    name: str,
    server: Server,
    requests: Callable[[], Sequence[bytes]],
    connections: int,
    most: int = 1_000_000,
) -> Case:
    """A load on a server.

    Args:
        name: see `Case`.
        server: that answers.
        requests: those of one round, sent again and again in order.
        connections: at once.
        most: requests of a round.
    """

    def measure(seconds: float) -> Figures:
        sent = requests()
        processes = server.processes()
        before = usage.processor_seconds(processes)
        load = send(server.port, sent, connections, seconds, most, server.address)
        used = usage.processor_seconds(processes) - before
        return of_load(load, used)

    return Case(name, measure)


def of_load(load: Load, used: float) -> Figures:
    """The figures of a load; `used`: seconds of the processor in the server's processes."""
    count = len(load.times)
    return {
        **of_times(load.times),
        "rate": count / load.seconds,
        # Below one tick of the kernel's clock nothing is known.
        "per_core": count / used if used > 0.05 else 0.0,
    }


def of_times(times: Sequence[float]) -> Figures:
    """p50 and p99 in ms, and how many times there are."""
    ordered = sorted(times)
    last = len(ordered) - 1
    return {
        "p50": statistics.median(ordered),
        "p99": ordered[min(last, int(0.99 * len(ordered)))],
        "count": float(len(ordered)),
    }


def run(
    cases: Sequence[Case],
    rounds: int,
    seconds: float,
    say: Callable[[str], None],
    after: Callable[[], None] | None = None,
) -> dict[str, list[Figures]]:
    """The figures of each case by its name, one for each round; `after` is called after each."""
    found: dict[str, list[Figures]] = {case.name: [] for case in cases}
    order = random.Random(SEED)  # noqa: S311 (an order, not a secret)
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        for case in order.sample(list(cases), len(cases)):
            found[case.name].append(case.measure(seconds))
        if after:
            after()
    return found


def memory_of(servers: Mapping[str, Sequence[int]]) -> dict[str, list[dict[str, Any]]]:
    """Memory of each process of servers, by the server's name; `servers`: name -> processes."""
    return {
        name: [asdict(usage.memory(process)) for process in processes]
        for name, processes in servers.items()
    }
