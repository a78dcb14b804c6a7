"""Suggested scores on a server: stored once it is switched on, exported, cleared, doNotStore."""

from __future__ import annotations

import csv
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from test_edge import laptop
from waiting import until

SUGGEST = "/v1alpha1/comments:suggestscore"
APP_ENV = "/etc/tox_com_det/app.env"
STORE = "SLOT_PERSPECTIVE_STORE_SUGGESTIONS"


@pytest.fixture
def storing(host) -> Iterator[None]:
    """The live slot stores suggestions; afterwards it is as before, and none is left."""
    kept = "/root/app.env.kept"
    with host.sudo():
        host.check_output(f"cp -a {APP_ENV} {kept}")
    try:
        with host.sudo():
            host.check_output(f"sed -i 's/^{STORE}=0$/{STORE}=1/' {APP_ENV}")
            assert host.check_output(f"grep -c {STORE}=1 {APP_ENV}") == "1"
            host.check_output("toxctl activate --force")
        yield
    finally:
        with host.sudo():
            host.check_output(f"mv {kept} {APP_ENV}")
            # Each whatever becomes of the other.
            done = [
                host.run(f"toxctl {verb}") for verb in ("activate --force", "suggestions --clear")
            ]
        assert [one.rc for one in done] == [0, 0], done


def suggest(http: requests.Session, url: str, text: str, **more: Any) -> requests.Response:
    scores = {"TOXICITY": {"summaryScore": {"value": 1}}}
    body = {"comment": {"text": text}, "attributeScores": scores, "clientToken": "t", **more}
    return http.post(url + SUGGEST, json=body)


def exported(path: Path, *options: str) -> list[dict[str, str]]:
    done = laptop("fab", "export-suggestions", "--out", str(path), *options)
    assert done.returncode == 0, done.stdout + done.stderr
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_switched_off_nothing_is_stored(http, url, tmp_path):
    assert suggest(http, url, "you are great").json()["clientToken"] == "t"
    done = laptop("fab", "export-suggestions", "--out", str(tmp_path / "out.csv"))
    assert done.returncode == 1
    assert "set flask_app_perspective_store_suggestions to true" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("storing")
def test_suggestions_are_stored_exported_and_cleared(host, http, url, database, tmp_path):
    word = "canary" + secrets.token_hex(8)
    text = f'you are "{word}",\nand more'
    assert suggest(http, url, text).status_code == 200
    assert suggest(http, url, f"not stored {word}", doNotStore=True).status_code == 200
    out = tmp_path / "out.csv"
    (row,) = exported(out)
    assert [row[name] for name in ("comment_text", "toxic", "insult")] == [text, "1", ""]
    assert [row[name] for name in ("client_token", "community_id")] == ["t", ""]
    with host.sudo():
        host.check_output(f"systemctl stop {database}")
    try:
        refused = suggest(http, url, f"while it is down {word}")
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "1"
        assert refused.json()["error"]["status"] == "UNAVAILABLE"
        assert suggest(http, url, "not stored", doNotStore=True).status_code == 200
    finally:
        with host.sudo():
            host.check_output(f"systemctl start {database}")
    until(lambda: suggest(http, url, f"again {word}").status_code == 200)
    assert "exists: name another --out" in laptop(
        "fab", "export-suggestions", "--out", str(out)
    ).stderr  # fmt: skip
    found = exported(out, "--force")
    assert [one["comment_text"] for one in found] == [text, f"again {word}"]
    with host.sudo():
        # A command that contained the word would find itself in sudo's own line of the journal.
        pattern = f"[{word[0]}]{word[1:]}"
        logs = "/var/log /tmp /run"
        assert host.run(f"grep -rlaE '{pattern}' {logs} 2>/dev/null").stdout == ""
    done = laptop("fab", "clear-suggestions", "--yes")
    assert "2 suggestions removed" in done.stdout
    with host.sudo():
        assert "0 stored" in host.check_output("toxctl suggestions")
