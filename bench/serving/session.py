"""One run: start the systems, compare their scores, measure in rounds, look at their memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.serving import BenchError, cases, large, models, ours
from bench.serving.head import BareHead
from bench.serving.models import ServedModel
from bench.serving.nanode import nanode
from bench.serving.others import KEEPING, OTHERS, Setting, whole_model
from bench.serving.processors import CLIENT, give_priority
from bench.serving.programs import Program, Server, start, start_times
from bench.serving.rounds import Case, memory_of, run
from bench.serving.texts import BATCH, single
from bench.serving.usage import group as group_of
from controller.local_serve.processes import Group

# Of another model than the sample: the systems that are given the larger one too.
LARGE = "_large"
SYSTEMS = ("ours", "workers", "nanode", "large", *OTHERS, *(f"{name}{LARGE}" for name in KEEPING))
WORKERS = 2
STARTS = 3
# Between the scores of two systems for the same text; Keras adds in another order.
TOLERANCE = 1e-4

Say = Callable[[str], None]
_CASES = {
    "ours": cases.of_ours,
    "large": cases.of_ours,
    "workers": cases.of_workers,
    "nanode": cases.of_nginx,
    "article": cases.of_article,
}


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
    os.sched_setaffinity(0, CLIENT)
    if options.priority:
        give_priority(os.getpid())
    with ExitStack() as stack:
        group = stack.enter_context(Group())
        own = _models(options, group, say)
        sample = own["ours"]
        programs, versions = _programs(options, own, say)
        probe = single("/predict", sample.texts.short)[0]
        servers, starts = [], {}
        for program in programs:
            say(f"start {program.name} {STARTS} times")
            times = start_times(program, logs, probe, STARTS - 1, options.priority)
            servers.append(start(program, group, logs, probe, options.priority))
            starts[program.name] = [*times, servers[-1].ready]
        box = None
        if "nanode" in options.systems:
            arguments = options.checkout, options.state, sample.places.bundle, probe, say
            box = stack.enter_context(nanode(*arguments))
            servers.append(box.server)
        _compare(servers)
        leaders = {f"{name} database": model.database for name, model in own.items()}
        if box:
            leaders["nanode database"] = box.database
        if options.priority:
            # Those that began a session of their own since.
            chosen = [*leaders.values(), *(server.leader for server in servers)]
            for process in (one for leader in chosen for one in group_of(leader)):
                give_priority(process)
        look = box.look if box else None
        measured = run(_cases(servers, own), options.rounds, options.seconds, say, look)
        group.check()
        memory = memory_of({server.name: server.processes() for server in servers})
        memory |= memory_of({name: group_of(leader) for name, leader in leaders.items()})
        if {"article", "large"} <= set(options.systems):
            say("start the article's stack with the larger model")
            with Group() as whole:
                program = whole_model(_setting(options, sample), own["large"].h5)
                server = start(program, whole, logs, probe, options.priority)
                memory |= memory_of({program.name: server.processes()})
                starts[program.name] = [server.ready]
    return {
        "cases": measured,
        "memory": memory,
        "starts": starts,
        "versions": versions,
        "working_set": box.working_set if box else None,
    }


def _models(options: Options, group: Group, say: Say) -> dict[str, ServedModel]:
    """The sample model, and the larger one if a system is measured with it."""
    say("the sample model and its database")
    found = {"ours": models.sample(group, options.checkout, options.state)}
    if any(name.endswith("large") for name in options.systems):
        say(f"a model of {large.WORDS} words and its database")
        found["large"] = models.large(group, options.checkout, options.state)
    return found


def _programs(
    options: Options, own: Mapping[str, ServedModel], say: Say
) -> tuple[list[Program], dict[str, str]]:
    """The servers to start, and the versions of what is compared."""
    programs: list[Program] = []
    versions: dict[str, str] = {}
    for name, served in own.items():
        if name in options.systems:
            programs.append(ours.program(served.places, served.database_port, options.state))
    if "workers" in options.systems:
        sample = own["ours"]
        arguments = sample.places, sample.database_port, options.state, WORKERS
        programs.append(ours.program(*arguments))
    for suffix, model in (("", own["ours"]), (LARGE, own.get("large"))):
        for name, other in OTHERS.items():
            if model and f"{name}{suffix}" in options.systems:
                say(f"prepare {name}{suffix}")
                program, found = other(_setting(options, model, suffix))
                programs.append(program)
                versions |= found
    return programs, versions


def _setting(options: Options, model: ServedModel, suffix: str = "") -> Setting:
    return Setting(
        options.checkout,
        options.state,
        model.places.bundle,
        model.h5,
        model.word_index,
        model.uri,
        suffix,
    )


def _cases(servers: Sequence[Server], own: Mapping[str, ServedModel]) -> list[Case]:
    found = []
    for name, model in own.items():
        head = BareHead(model.places.bundle, model.texts.short, model.lookup(), BATCH)
        found += cases.of_head(head, "head" if name == "ours" else "large_head")
    for server in servers:
        of = _CASES.get(server.name, cases.of_other)
        found += of(server, own["large" if server.name == "large" else "ours"].texts)
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
