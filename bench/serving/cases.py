"""The cases of each system: which requests, how many connections at once."""

from __future__ import annotations

from bench.serving.head import BareHead
from bench.serving.load import request
from bench.serving.programs import Server
from bench.serving.rounds import Case, load_case, of_times
from bench.serving.texts import BATCH, Texts, analyses, batches, single
from tox_com_det.model.encode import Inputs

CONNECTIONS = (1, 4, 16)
# Requests of cold words in a round: the vocabulary must be enough for all rounds.
_COLD = 100


def of_ours(server: Server, texts: Texts) -> list[Case]:
    """This service: warm and cold words, single and batch, both of its APIs, an empty route."""
    path = "/predict"
    warm, many = single(path, texts.short), batches(path, texts.short)
    long, analyzed = single(path, texts.long), analyses(texts.short)
    name = server.name
    empty = [request("/test")]
    return [
        *(load_case(f"{name} single {n}", server, lambda: warm, n) for n in CONNECTIONS),
        *(load_case(f"{name} analyze {n}", server, lambda: analyzed, n) for n in CONNECTIONS[:2]),
        *(load_case(f"{name} batch {n}", server, lambda: many, n) for n in CONNECTIONS[:2]),
        load_case(f"{name} long 1", server, lambda: long, 1),
        load_case(
            f"{name} cold 1", server, lambda: single(path, texts.cold(_COLD)) or long[:1], 1, _COLD
        ),
        load_case("empty" if name == "ours" else f"{name} empty", server, lambda: empty, 1),
    ]


def of_nginx(server: Server, texts: Texts) -> list[Case]:
    """This service behind nginx in the local Nanode: both of its APIs, and an empty route."""
    path, name = "/predict", server.name
    warm, many = single(path, texts.short), batches(path, texts.short)
    analyzed, empty = analyses(texts.short), [request("/test")]
    return [
        *(load_case(f"{name} single {n}", server, lambda: warm, n) for n in CONNECTIONS),
        *(load_case(f"{name} analyze {n}", server, lambda: analyzed, n) for n in CONNECTIONS[:2]),
        load_case(f"{name} batch 1", server, lambda: many, 1),
        load_case(f"{name} empty", server, lambda: empty, 1),
    ]


def of_workers(server: Server, texts: Texts) -> list[Case]:
    """This service with more than one worker: what several connections get."""
    warm, many = single("/predict", texts.short), batches("/predict", texts.short)
    name = server.name
    return [
        *(load_case(f"{name} single {n}", server, lambda: warm, n) for n in CONNECTIONS),
        load_case(f"{name} batch 4", server, lambda: many, 4),
    ]


def of_other(server: Server, texts: Texts) -> list[Case]:
    """Another system: single and batch."""
    warm, many = single("/predict", texts.short), batches("/predict", texts.short)
    name = server.name
    return [
        *(load_case(f"{name} single {n}", server, lambda: warm, n) for n in CONNECTIONS),
        *(load_case(f"{name} batch {n}", server, lambda: many, n) for n in CONNECTIONS[:2]),
    ]


def of_article(server: Server, texts: Texts) -> list[Case]:
    """The article's stack, which takes seconds for a text: one connection."""
    warm = single("/predict", texts.short)
    return [load_case(f"{server.name} single 1", server, lambda: warm, 1)]


def of_head(head: BareHead, name: str) -> list[Case]:
    """The bare head of a model, one text and a batch, with all padding and with the least."""

    def case(title: str, inputs: Inputs) -> Case:
        return Case(title, lambda seconds: of_times(head.times(inputs, seconds)))

    kinds = {name: head.whole, f"{name}_least": head.least}
    return [
        case(f"{kind} {count}", inputs)
        for kind, both in kinds.items()
        for count, inputs in zip((1, BATCH), both, strict=True)
    ]
