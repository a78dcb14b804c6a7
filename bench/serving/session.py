"""One run: start the systems, compare their scores, measure in rounds, look at their memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.serving import BenchError, cases, large, models, ours
from bench.serving.head import BareHead
from bench.serving.models import ServedModel
from bench.serving.others import OTHERS, Setting, whole_model
from bench.serving.processors import CLIENT, give_priority
from bench.serving.programs import Server, start, start_times
from bench.serving.rounds import Case, memory_of, run
from bench.serving.texts import BATCH, single
from bench.serving.usage import group as group_of
from controller.local_serve.processes import Group

SYSTEMS = ("ours", "large", *OTHERS)
STARTS = 3
# Between the scores of two systems for the same text; Keras adds in another order.
TOLERANCE = 1e-4

Say = Callable[[str], None]
_CASES = {"ours": cases.of_ours, "large": cases.of_ours, "article": cases.of_article}


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        checkout: this one.
        state: directory for everything that is kept or written meanwhile.
        systems: of SYSTEMS.
        rounds: of all cases.
        seconds: of a case in a round.
        priority: whether its processes go before others of this machine.
    """

    checkout: Path
    state: Path
    systems: tuple[str, ...]
    rounds: int
    seconds: float
    priority: bool


def measure(options: Options, say: Say) -> dict[str, Any]:
    """All figures, ready for JSON.

    Raises:
        BenchError, BuildError, ServeError: a system cannot be measured.
    """
    logs = options.state / "log"
    versions: dict[str, str] = {}
    starts: dict[str, list[float]] = {}
    os.sched_setaffinity(0, CLIENT)
    if options.priority:
        give_priority(os.getpid())
    with Group() as group:
        say("the sample model and its database")
        sample = models.sample(group, options.checkout, options.state)
        own = [sample] if "ours" in options.systems else []
        if "large" in options.systems:
            say(f"a model of {large.WORDS} words and its database")
            own.append(models.large(group, options.checkout, options.state))
        programs = [ours.program(one.places, one.database_port) for one in own]
        setting = Setting(
            options.checkout,
            options.state,
            sample.places.bundle,
            sample.h5,
            sample.word_index,
            sample.uri,
        )
        for name, other in OTHERS.items():
            if name in options.systems:
                say(f"prepare {name}")
                program, found = other(setting)
                programs.append(program)
                versions |= found
        probe = single("/predict", sample.texts.short)[0]
        servers = []
        for program in programs:
            say(f"start {program.name} {STARTS} times")
            times = start_times(program, logs, probe, STARTS - 1, options.priority)
            servers.append(start(program, group, logs, probe, options.priority))
            starts[program.name] = [*times, servers[-1].ready]
        _compare(servers)
        leaders = {server.name: server.leader for server in servers}
        leaders |= {f"{one.places.state.name} database": one.database for one in own}
        if options.priority:
            # Those that began a session of their own since.
            for process in (one for leader in leaders.values() for one in group_of(leader)):
                give_priority(process)
        measured = run(_cases(servers, sample, own), options.rounds, options.seconds, say)
        group.check()
        memory = memory_of(leaders)
        if {"article", "large"} <= set(options.systems):
            say("start the article's stack with the larger model")
            with Group() as whole:
                program = whole_model(setting, own[-1].h5)
                server = start(program, whole, logs, probe, options.priority)
                memory |= memory_of({program.name: server.leader})
                starts[program.name] = [server.ready]
    return {"cases": measured, "memory": memory, "starts": starts, "versions": versions}


def _cases(
    servers: Sequence[Server], sample: ServedModel, own: Sequence[ServedModel]
) -> list[Case]:
    texts = {one.places.state.name: one.texts for one in own}
    found = []
    for model in own:
        head = BareHead(model.places.bundle, model.texts.short, model.lookup(), BATCH)
        found += cases.of_head(head, "head" if model is sample else "large_head")
    for server in servers:
        of = _CASES.get(server.name, cases.of_other)
        found += of(server, texts.get(server.name, sample.texts))
    return found


def _compare(servers: Sequence[Server]) -> None:
    """Raises BenchError: two systems have different scores for the same text."""
    expected: dict[str, float] = {}
    for server in servers:
        body = server.first
        scores: dict[str, float] = (body["results"][0] if "results" in body else body)["scores"]
        expected = expected or scores
        worst = max(abs(value - scores[label]) for label, value in expected.items())
        if worst > TOLERANCE:
            raise BenchError(f"{server.name} and {servers[0].name} differ by {worst:.1e}")
