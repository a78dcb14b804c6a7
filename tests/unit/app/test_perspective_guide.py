"""docs/migrating-from-perspective.md: its command and its snippet do what it says."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

from flask.testing import FlaskClient

GUIDE = Path(__file__).parents[3] / "docs/migrating-from-perspective.md"
ADDRESS = "http://127.0.0.1:8081"


def block(language: str) -> str:
    """The only code block of a language."""
    text = GUIDE.read_text(encoding="utf-8")
    (found,) = re.findall(rf"^```{language}\n(.+?)^```$", text, re.MULTILINE | re.DOTALL)
    return found


def test_the_quickstart_is_answered(client: FlaskClient):
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("-H", action="append")
    parser.add_argument("--data")
    parser.add_argument("url")
    curl = parser.parse_args(shlex.split(block("sh").replace("\\\n", "")))
    assert curl.program == "curl"
    headers = dict(line.split(": ", 1) for line in curl.H)
    response = client.post(curl.url.removeprefix(ADDRESS), data=curl.data, headers=headers)
    assert response.status_code == 200
    assert "summaryScore" in response.get_json()["attributeScores"]["TOXICITY"]
