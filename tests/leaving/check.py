"""What scripts/test-leaving checks between the steps.

Usage: python tests/leaving/check.py VERB WORDS

suggest HOST NUMBER: send suggested scores to it, as a client of the Perspective API does.
load REPORT: no request was lost, and no score changed.
kept OLD NEW: the new server has the old one's model, keys and suggestions.
gone HOST: nothing of the service is left there.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests
from leaving_hosts import MINE, fab, run, variables

HANG_SECONDS = 300.0
LEAST = 20  # answers of each server under load
KEYS = "cat /etc/tox_com_det/keys.json"
LEFT = """
for path in /etc /opt /srv /var/lib; do
    for name in tox_com_det secantusdb miniconda mongo; do
        # With the packages stays what was there before them.
        [ ! -e "$path/$name" ] || [ "$(ls "$path/$name")" = before ] || echo "$path/$name"
    done
done
"""


def suggest(host: str, number: str) -> None:
    """Send them; the host's address is that of its service."""
    url = variables(MINE / f"{host}.yml")["nginx_public_url"]
    for one in range(int(number)):
        body = {
            "comment": {"text": f"{uuid.uuid4().hex} you are great"},
            "attributeScores": {"TOXICITY": {"summaryScore": {"value": one % 2}}},
        }
        answer = requests.post(
            f"{url}/v1alpha1/comments:suggestscore", json=body, timeout=HANG_SECONDS
        )
        assert answer.status_code == 200, answer.text


def load(report: str) -> None:
    """Read what tests/leaving/load.py wrote."""
    found = json.loads(Path(report).read_text(encoding="utf-8"))
    print(f"answers: {found['answers']}, wrong or lost: {len(found['wrong'])}")
    assert isinstance(found["expected"], list), found["expected"]
    assert found["wrong"] == [], found["wrong"][:5]
    assert len(found["answers"]) == 2
    assert min(found["answers"].values()) >= LEAST


def suggestions(host: str) -> list[dict[str, str]]:
    """Export them."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory, "out.csv")
        fab("export-suggestions", "--limit", host, "--out", str(out))
        with out.open(encoding="utf-8", newline="") as file:
            return sorted(csv.DictReader(file), key=lambda row: json.dumps(row))


def state(host: str) -> dict[str, Any]:
    """Return what must not be lost."""
    file = MINE / f"{host}.yml"
    asked = "/usr/local/sbin/toxctl --json status --quick"
    confirmed = json.loads(run(file, asked).splitlines()[-1])["result"]["confirmed"]
    return {
        "model": Path(confirmed["model"]).name,
        "keys": json.loads(run(file, KEYS))["keys"],
        "suggestions": suggestions(host),
    }


def kept(old: str, new: str) -> None:
    """Compare both servers."""
    before, after = state(old), state(new)
    for name, value in before.items():
        assert value, f"{old} has no {name}"
        assert after[name] == value, f"{name} differ: {value} and {after[name]}"
    print(f"equal: model, keys and {len(before['suggestions'])} suggestions")


def gone(host: str) -> None:
    """Look at the files."""
    left = run(MINE / f"{host}.yml", LEFT)
    assert not left, left


VERBS: dict[str, Callable[..., None]] = {
    "suggest": suggest, "load": load, "kept": kept, "gone": gone,
}  # fmt: skip

if __name__ == "__main__":
    VERBS[sys.argv[1]](*sys.argv[2:])
