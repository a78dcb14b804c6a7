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

HEAD, HEAD_BATCH = "head 1", "head 16"
EMPTY = "empty"
OTHERS = {"litserve": "LitServe", "bentoml": "BentoML"}

GOALS: tuple[Goal, ...] = (
    ratio("`/predict`, to an empty route and the bare head", "ours single 1", (EMPTY, HEAD), 1.25),
    ratio("`comments:analyze`, to the same", "ours analyze 1", (EMPTY, HEAD), 1.5),
    ratio("16 texts, to the bare head's", "ours batch 1", (HEAD_BATCH,), 1.15),
    difference(
        "40 words that nobody asked for before, more than 40 known ones",
        "ours cold 1",
        "ours long 1",
        5.0,
    ),
    *(
        beside_head(
            f"time beside the head, to {title}'s", "ours single 1", f"{name} single 1", HEAD, 1 / 3
        )
        for name, title in OTHERS.items()
    ),
    *(
        times_faster(
            f"requests per core, to {title}'s", "ours single 4", f"{name} single 4", 2.0, "per_core"
        )
        for name, title in OTHERS.items()
    ),
    times_faster(
        "a request of the article's stack, to ours", "ours single 1", "article single 1", 100.0
    ),
    beside_own_heads(
        "time beside its own head with 400,000 x 300, to that with 78,000 x 100",
        ("large single 1", "large_head 1"),
        ("ours single 1", HEAD),
        1.1,
    ),
)
