"""docs/migrating-from-perspective.md: its command and its snippet do what it says."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from controller.local_serve.plan import PREFERRED_PORT
from controller.ports import LOOPBACK

GUIDE = Path(__file__).parents[3] / "docs/migrating-from-perspective.md"
ROOT = GUIDE.parents[1]
ADDRESS = f"http://{LOOPBACK}:{PREFERRED_PORT}"


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
    assert curl.url.startswith(f"{ADDRESS}/")
    headers = dict(line.split(": ", 1) for line in curl.H)
    response = client.post(curl.url.removeprefix(ADDRESS), data=curl.data, headers=headers)
    assert response.status_code == 200
    assert "summaryScore" in response.get_json()["attributeScores"]["TOXICITY"]


@pytest.mark.parametrize(
    "file",
    [
        "README.md",
        "docs/api.md",
        *(f"scripts/{name}" for name in ("test-clients", "test-api", "screenshot")),
    ],
)
def test_addresses_of_make_serve_have_its_port(file: str):
    found = re.findall(rf"http://{LOOPBACK}:\d+", (ROOT / file).read_text(encoding="utf-8"))
    assert set(found) == {ADDRESS}
