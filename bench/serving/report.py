"""docs/performance.md: a run's figures, and what was found by hand beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.serving.goals import GOALS
from bench.serving.ratios import Rounds, Spread

TITLES = {
    "ours": "this service",
    "large": "this service, 400,000 x 300",
    "litserve": "LitServe",
    "bentoml": "BentoML",
    "workers": "this service, 2 workers on 2 processors",
    "nanode": "this service behind nginx, in the local Nanode",
    "litserve_large": "LitServe, 400,000 x 300",
    "bentoml_large": "BentoML, 400,000 x 300",
    "article": "the article's stack",
    "ours database": "its stand-in database, SecantusDB",
    "large database": "the database of 400,000 x 300",
    "article_large": "the article's stack with 400,000 x 300",
    "nanode database": "its stand-in database",
    "large_head": "the bare head of 300 numbers",
    "large_head_least": "the bare head of 300 numbers with the least padding",
    "head": "the bare head",
    "head_least": "the bare head with the least padding",
    "empty": "an empty route (`GET /test`)",
}
SHAPES = {
    "single": "one text",
    "analyze": "`comments:analyze`",
    "batch": "16 texts",
    "long": "40 known words",
    "cold": "40 words, each for the first time",
    "empty": "an empty route",
}
_INTRO = """# Performance

This page is written by the command below, from one run: change `bench/serving/report.py`.

```
make bench-serving
```

It starts this service as `make serve` does (uWSGI with a server's settings and packages, no nginx)
and the others beside it, on loopback, with the same model, texts and scores, and a local Nanode of
its own, where nginx is in front. What is measured runs on one
processor, as on a small server, the client and the database on another. Every round measures each
case once, in another order; a ratio is taken within a round, so other work on the machine changes
it less than the times. Each cell has the middle of the rounds, and their smallest and largest in
brackets.
"""
_NOTES = """## What is compared

- **this service**: a connection per request, because uWSGI closes it; nginx is not in between. The
  words of the texts are cached, but for "each for the first time".
- **behind nginx, in the local Nanode**: Debian 12 in a container of 1 GiB with all of `site.yml`,
  asked at its own address. Connections stay open, and the limits of requests are raised. Its
  working set is its memory without the cache of files that the kernel can drop at once.
- **2 workers**: `flask_app_processes: 2`. They have all processors, which the client needs as well.
- **an empty route**: `GET /test` of the same worker. **The bare head**: ONNX Runtime with the
  service's settings, in a loop of its own, so its data stays in the processor's caches, which it
  cannot when anything else runs between two requests. The head gets sequences with all their
  padding, as the model defines them. The service, LitServe and BentoML run it with **the least
  padding** that gives the same scores, so that is what their time beside the head is counted from.
- **LitServe, BentoML**: this project's own predictor with all vectors in memory (no database), in
  one worker, as their documentation says. Their connections stay open.
- **400,000 x 300**: the sample model with more words and longer vectors, all seeded, which scores
  the same. Its bare head takes longer, so what is beside the head is compared.
{article}- **Openspective** is not measured: its weights, Detoxify's, are not at hand.
  [openspective.md](openspective.md) compares it by its source.
- Requests of one core: by the processor time of the server's processes, without the database's.
"""
_LEFT = """## What is left

Found by hand on 2026-11-26 and 27, beside this run.

- After a run of the head the processor's caches hold nothing else: the steps beside it take 60 us
  in a loop of their own, and 200 us between two runs.
- Handing a request to the thread that runs the head takes 0.05 ms on a quiet machine, and saves
  100 MB.
- Of the worker's memory, 45 MB are what it imports (Flask and Werkzeug 9, ONNX Runtime 8, PyMongo
  7, numpy 7), 19 MB ONNX Runtime's library, 12 MB the 20,000 cached words, and 10 MB its 320
  threads, which wait for turns (with 8 threads it takes 81 MB instead of 91).
- Without glibc's caches of threads (`GLIBC_TUNABLES=glibc.malloc.tcache_count=0`) it takes 2 MB
  less. Whether requests take longer then was not measured.
"""
_ARTICLE = """\
- **the article's stack**: Flask in gunicorn, one `find_one` per word without an index on the word,
  and `model.predict` of Keras on the whole `.h5`, as the article builds it.
"""


def render(figures: Mapping[str, Any]) -> str:
    """The page of a run's figures."""
    rounds: Rounds = figures["cases"]
    article = _ARTICLE if any(name.startswith("article") for name in rounds) else ""
    parts = [
        _INTRO,
        "## Goals\n\n" + "\n".join([*_goals(rounds), *_sizes(figures)]),
        "## Figures\n\n" + "\n".join(_cases(rounds)),
        "## Memory and start\n\n" + "\n".join(_memory(figures)),
        _NOTES.format(article=article).rstrip(),
        _LEFT.rstrip(),
        "## The run\n\n" + _run(figures),
    ]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _goals(rounds: Rounds) -> Iterator[str]:
    yield "| ratio | measured | goal | |"
    yield "|---|---|---|---|"
    for goal in GOALS:
        spread = goal.spread(rounds)
        limit = verdict = ""
        if goal.limit is not None:
            limit = f"{'at least' if goal.at_least else 'at most'} {_number(goal.limit)}{goal.unit}"
        if spread is None:
            yield f"| {goal.words} | not measured | {limit} | |"
            continue
        if goal.limit is not None:
            verdict = "reached" if goal.is_reached(spread) else "**not reached**"
        yield f"| {goal.words} | {_spread(spread, goal.unit)} | {limit} | {verdict} |"


def _sizes(figures: Mapping[str, Any]) -> Iterator[str]:
    """The goals of memory and of the start."""
    # All of a server, and its worker shares no file with other workers of this bench.
    where = "nanode" if figures["memory"].get("nanode") else "ours"
    sizes = [one["pss"] for one in figures["memory"].get(where, ())]
    starts = figures["starts"].get("ours")
    if sizes:
        yield _size("PSS of the worker, after all loads", max(sizes), 90, " MB")
        yield _size("PSS of everything but the database", sum(sizes), 200, " MB")
    if where == "nanode":
        words = "working set of the container of 1 GiB, with the database, largest after a round"
        yield f"| {words} | {_number(figures['working_set'])} MB | | |"
    whole = [one["peak"] for one in figures["memory"].get("article_large", ())]
    if whole:
        fits = "**it fits**" if sum(whole) <= 1024 else "reached"
        words = "peak of the article's stack with 400,000 x 300, in a server of 1 GiB"
        yield f"| {words} | {_number(sum(whole))} MB | does not fit | {fits} |"
    if starts:
        yield _size("start to the first answer", Spread.of(starts).middle, 1.0, " s")


def _size(words: str, value: float, limit: float, unit: str) -> str:
    verdict = "reached" if value <= limit else "**not reached**"
    return f"| {words} | {_number(value)}{unit} | at most {_number(limit)}{unit} | {verdict} |"


def _cases(rounds: Rounds) -> Iterator[str]:
    yield "| | connections | ms: p50 | p99 | requests/s | requests/s of one core |"
    yield "|---|---|---|---|---|---|"
    for name, measured in rounds.items():
        if measured:
            title, connections = title_of(name)
            cells = (_column(measured, figure) for figure in ("p50", "p99", "rate", "per_core"))
            yield f"| {title} | {connections} | " + " | ".join(cells) + " |"


def _column(measured: Sequence[Mapping[str, float]], figure: str) -> str:
    values = [one[figure] for one in measured if one.get(figure)]
    return _spread(Spread.of(values), "") if values else ""


def title_of(name: str) -> tuple[str, str]:
    """Words for a case, and its connections."""
    system, *others = name.split()
    title = TITLES[system]
    if "head" in system:
        return f"{title}, {'one text' if others == ['1'] else others[0] + ' texts'}", ""
    if not others:
        return title, "1"
    shape = others[0]
    return f"{title}: {SHAPES[shape]}", others[1] if len(others) > 1 else "1"


def _memory(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "| | processes: PSS (peak) in MB | PSS in all | start to the first answer |"
    yield "|---|---|---|---|"
    for name, processes in figures["memory"].items():
        each = ", ".join(f"{one['name']} {one['pss']:.0f} ({one['peak']:.0f})" for one in processes)
        total = sum(one["pss"] for one in processes)
        starts = figures["starts"].get(name)
        ready = _spread(Spread.of(starts), " s") if starts else ""
        yield f"| {TITLES.get(name, name)} | {each} | {total:.0f} MB | {ready} |"


def _run(figures: Mapping[str, Any]) -> str:
    run = figures["run"]
    went = ", which its processes went before (`--priority`)" if run["priority"] else ""
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    return (
        f"{run['date']}: {run['rounds']} rounds of {_number(run['seconds'])} s for each case;"
        f" {run['processors']} processors, {run['system']}, load {run['load']}"
        f" at the start{went}.\n"
        f"{versions}.\n"
    )


def _spread(spread: Spread, unit: str) -> str:
    low, high = _number(spread.low), _number(spread.high)
    return f"{_number(spread.middle)}{unit} ({low} to {high})"


def _number(value: float) -> str:
    """Three significant digits, without an exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
