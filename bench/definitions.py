"""Compare libraries whose definitions validate bodies and make a schema: msgspec and pydantic.

    PYTHONPATH=app:server .venv/bin/python bench/definitions.py [--runs N]

Each run is a process of its own that has imported what a worker has anyway (Flask, NumPy, ONNX
Runtime, PyMongo). Columns: memory that the library and a definition of /v1/predict's body add
(private), the time to import them, and the time from the bytes of a body to checked texts, and from
an answer to its bytes. `own` is `http.body`, which makes no schema, with Python's JSON. pydantic is
not locked: where it is not installed, its row is left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

LIBRARIES = ("own", "msgspec", "pydantic")
BODY = json.dumps({"texts": ["You are an idiot and nobody likes you."] * 16}).encode()
SCORES = dict.fromkeys(("toxic", "severe", "obscene", "threat", "insult", "hate"), 0.123456789)
CALLS = 2000

Both = tuple[Callable[[], Any], Callable[[], Any]]


def private() -> int:
    """Bytes that are private to this process."""
    total = 0
    for line in Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith(("Private_Clean", "Private_Dirty")):
            total += int(line.split()[1]) * 1024
    return total


def own() -> Both:
    """This project's own reader, and Python's `json`."""
    from tox_com_det.http.body import parse_predict

    answer = {"results": [{"scores": SCORES}] * 16}
    return (
        lambda: parse_predict(BODY, "application/json", None, 32, 20_000),
        lambda: json.dumps(answer).encode(),
    )


def with_msgspec() -> Both:
    """As /v1 does it: strict JSON first, so that a key that occurs twice is refused."""
    import msgspec

    from tox_com_det.http.body import parse_json
    from tox_com_det.http.forms import predict_request, validated

    form = predict_request(32, 20_000)
    result = msgspec.defstruct("Result", [("scores", dict[str, float])])
    answer = msgspec.defstruct("Answer", [("results", list[result])])  # type: ignore[valid-type]  # made at run time
    made = answer([result(SCORES)] * 16)
    return (
        lambda: validated(parse_json(BODY, "application/json", None), form),
        lambda: msgspec.json.encode(made),
    )


def with_pydantic() -> Both:
    """The same definition in pydantic, which reads the bytes itself."""
    from pydantic import StringConstraints, create_model

    text = Annotated[
        str, StringConstraints(strict=True, min_length=1, max_length=20_000, pattern=r"\S")
    ]

    body: Any = create_model(
        "Body",
        __config__={"extra": "forbid"},
        text=(text | None, None),
        texts=(list[text] | None, None),  # type: ignore[valid-type]  # made at run time
        explain=(bool, False),
    )

    result: Any = create_model("Result", scores=(dict[str, float], ...))
    answer: Any = create_model("Answer", results=(list[result], ...))
    made = answer(results=[result(scores=SCORES)] * 16)
    return lambda: body.model_validate_json(BODY), lambda: made.model_dump_json().encode()


def measure(name: str) -> dict[str, float]:
    """One library in this process: bytes, seconds."""
    import flask  # noqa: F401 (what a worker holds anyway)
    import numpy  # noqa: F401 (the same)
    import onnxruntime  # noqa: F401 (the same)
    import pymongo  # noqa: F401 (the same)

    import tox_com_det.http.errors  # noqa: F401 (the same)

    before, start = private(), time.perf_counter()
    made = {"own": own, "msgspec": with_msgspec, "pydantic": with_pydantic}[name]()
    found = {"import": time.perf_counter() - start}
    for what, call in zip(("read", "write"), made, strict=True):
        call()
        start = time.perf_counter()
        for _ in range(CALLS):
            call()
        found[what] = (time.perf_counter() - start) / CALLS
    return {**found, "memory": private() - before}


def main() -> None:
    """Measure each library in processes of its own, alternating, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--one", choices=LIBRARIES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return
    names = [name for name in LIBRARIES if name == "own" or importlib.util.find_spec(name)]
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(arguments.runs):
        for name in names:
            command = [sys.executable, __file__, "--one", name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 (words of this file)
            runs[name].append(json.loads(done.stdout))
    print("| definitions | memory | import | reading 16 texts | writing 16 results |")
    print("|---|---|---|---|---|")
    for name, found in runs.items():
        middle = {key: statistics.median(one[key] for one in found) for key in found[0]}
        print(
            f"| {name} | {middle['memory'] / 1e6:.1f} MB | {1e3 * middle['import']:.0f} ms"
            f" | {1e6 * middle['read']:.0f} us | {1e6 * middle['write']:.0f} us |"
        )


if __name__ == "__main__":
    main()
