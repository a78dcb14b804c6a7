"""The goals of docs/performance.md, each with the cases that it compares."""

from __future__ import annotations

from bench.serving.ratios import (
    Goal,
    beside_head,
    beside_own_heads,
    difference,
    ratio,
    times_faster,
)

# The heads as the model defines them, and as the service runs them.
HEAD, HEAD_BATCH = "head 1", "head 16"
LEAST, LEAST_BATCH = "head_least 1", "head_least 16"
LARGE_LEAST = "large_head_least 1"
EMPTY = "empty"
OTHERS = {"litserve": "LitServe", "bentoml": "BentoML"}
# Our system, the suffix of the others', words, and the head that all of them run.
MODELS = (("ours", "", "", LEAST), ("large", "_large", ", 400,000 x 300", LARGE_LEAST))

GOALS: tuple[Goal, ...] = (
    ratio("`/predict`, to an empty route and the bare head", "ours single 1", (EMPTY, HEAD), 1.25),
    ratio("`comments:analyze`, to the same", "ours analyze 1", (EMPTY, HEAD), 1.5),
    ratio("16 texts, to the bare head's", "ours batch 1", (HEAD_BATCH,), 1.15),
    ratio(
        "`/predict`, with the head as it runs, without needless padding",
        "ours single 1",
        (EMPTY, LEAST),
    ),
    ratio("`comments:analyze`, with the same head", "ours analyze 1", (EMPTY, LEAST)),
    ratio("16 texts, to the same head's", "ours batch 1", (LEAST_BATCH,)),
    ratio(
        "`/predict` through nginx, to an empty route through nginx and the bare head",
        "nanode single 1",
        ("nanode empty", HEAD),
    ),
    difference(
        "40 words that nobody asked for before, more than 40 known ones",
        "ours cold 1",
        "ours long 1",
        5.0,
    ),
    *(
        beside_head(
            f"time beside the head, to {title}'s{model}",
            f"{ours} single 1",
            f"{name}{suffix} single 1",
            head,
            1 / 3,
        )
        for ours, suffix, model, head in MODELS
        for name, title in OTHERS.items()
    ),
    *(
        times_faster(
            f"requests per core, to {title}'s{model}",
            f"{ours} single 4",
            f"{name}{suffix} single 4",
            2.0,
            "per_core",
        )
        for ours, suffix, model, _ in MODELS
        for name, title in OTHERS.items()
    ),
    times_faster(
        "16 connections: 2 workers on 2 processors, the client's too, to 1 worker",
        "workers single 16",
        "ours single 16",
        None,
        "rate",
    ),
    times_faster(
        "a request of the article's stack, to ours", "ours single 1", "article single 1", 100.0
    ),
    beside_own_heads(
        "time beside its own head with 400,000 x 300, to that with 78,000 x 100",
        ("large single 1", LARGE_LEAST),
        ("ours single 1", LEAST),
        1.1,
    ),
)
