"""What must not be lost with a server, as a client and an administrator see it.

Usage: python tests/dead_server/kept.py FILE | --suggest NUMBER

Writes FILE: the confirmed model, the scores of all its golden outputs over HTTP, the hashes of the
API keys, the suggestions. With --suggest it sends suggestions.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import requests
from machines import INVENTORY, Machine

from controller.deploy.paths import ROOT

PAUSE_SECONDS = 60  # that a request may wait; nginx's limit makes it come again
KEYS = "/etc/tox_com_det/keys.json"
CONFIRMED = "/var/lib/tox_com_det/confirmed.json"


def url() -> str:
    """Return where the server of the inventory answers."""
    text = (INVENTORY / "hosts.yml").read_text(encoding="utf-8")
    document = json.loads("\n".join(text.splitlines()[1:]))
    (host,) = document["tox_com_det"]["hosts"].values()
    return str(host["nginx_public_url"])


def live() -> Machine:
    """Return the server of the inventory: A while it lives, then B."""
    hosts = (INVENTORY / "hosts.yml").read_text(encoding="utf-8")
    return Machine("b" if "dead-b" in hosts else "a")


def golden_scores(model: dict[str, Any]) -> list[Any]:
    """Ask for the scores of the golden outputs of a model, whose manifest is given."""
    texts = [case["text"] for case in model["golden_outputs"]["cases"]]
    answer = requests.post(f"{url()}/predict", json={"texts": texts}, timeout=PAUSE_SECONDS)
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    return [[text, one["scores"]] for text, one in zip(texts, results, strict=True)]


def suggestions() -> list[dict[str, str]]:
    """Export what clients suggested."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory, "out.csv")
        command = ["fab", "export-suggestions", "--out", str(out)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 (words of the tests)
        assert done.returncode == 0, done.stdout + done.stderr
        with out.open(encoding="utf-8", newline="") as file:
            return sorted(csv.DictReader(file), key=lambda row: json.dumps(row))


def kept() -> dict[str, Any]:
    """Return all of it; AssertionError if a part is missing."""
    server = live()
    confirmed = json.loads(server.run(f"cat {CONFIRMED}"))
    found = {
        "model": Path(confirmed["model"]).name,
        "scores": golden_scores(json.loads(server.run(f"cat {confirmed['model']}/manifest.json"))),
        "keys": json.loads(server.run(f"cat {KEYS}"))["keys"],
        "suggestions": suggestions(),
    }
    for name, value in found.items():
        assert value, f"the server has no {name}"
    return found


def suggest(number: int) -> None:
    """Send suggestions, as a client of the Perspective API does."""
    for one in range(number):
        body = {
            "comment": {"text": f"comment {one}: you are great"},
            "attributeScores": {"TOXICITY": {"summaryScore": {"value": one % 2}}},
            "clientToken": f"token {one}",
        }
        address = f"{url()}/v1alpha1/comments:suggestscore"
        answer = requests.post(address, json=body, timeout=PAUSE_SECONDS)
        assert answer.status_code == 200, answer.text
    assert len(suggestions()) == number


if __name__ == "__main__":
    if sys.argv[1] == "--suggest":
        suggest(int(sys.argv[2]))
    else:
        Path(sys.argv[1]).write_text(json.dumps(kept(), indent=1, sort_keys=True), encoding="utf-8")
