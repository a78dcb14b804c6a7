"""Ask for scores where a file says that the service is, until SIGTERM; every answer is checked.

Usage: python tests/leaving/load.py ADDRESS_FILE REPORT

ADDRESS_FILE has the base URL, as a name in DNS leads to an address; it is read for each request.
REPORT becomes JSON: how many answers each address gave, and every one that was not as the first.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import requests

TEXTS = ["what a lovely day", "You are an idiot and nobody likes you."]
PAUSE_SECONDS = 0.2
HANG_SECONDS = 300.0
DIGITS = 5


def ask(url: str) -> Any:
    """Return the scores of TEXTS, or what came in place of them."""
    try:
        answer = requests.post(f"{url}/predict", json={"texts": TEXTS}, timeout=HANG_SECONDS)
        if answer.status_code != 200:
            return f"{answer.status_code} {answer.text[:200]}"
        results = answer.json()["results"]
    except (requests.RequestException, ValueError, KeyError) as error:
        return f"{type(error).__name__}: {error}"
    return [
        {name: round(score, DIGITS) for name, score in one["scores"].items()} for one in results
    ]


def main(address: Path, report: Path) -> None:
    """Ask until SIGTERM, then write the report."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    answers: Counter[str] = Counter()
    wrong: list[Any] = []
    expected = ask(address.read_text(encoding="utf-8").strip())
    while not over.wait(PAUSE_SECONDS):
        url = address.read_text(encoding="utf-8").strip()
        found = ask(url)
        answers[url] += 1
        if found != expected:
            wrong.append({"url": url, "answer": found})
    found = {"expected": expected, "answers": dict(answers), "wrong": wrong}
    report.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
