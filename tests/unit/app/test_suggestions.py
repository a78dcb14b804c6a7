"""Suggested scores: stored where that is switched on, obeying doNotStore, bounded, exported."""

from __future__ import annotations

import csv
import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bson
import pytest
from database_server import DatabaseServer
from fake_database import FakeDatabase
from flask.testing import FlaskClient
from pymongo import MongoClient

from tox_com_det.http.routes import create_app
from tox_com_det.perspective.errors import GoogleError
from tox_com_det.perspective.messages import read_suggest
from tox_com_det.perspective.settings import PerspectiveSettings
from tox_com_det.settings import Settings
from tox_com_det.suggestions import __main__ as command
from tox_com_det.suggestions import collection, store
from tox_com_det.suggestions.document import MOST_BYTES_BESIDE_TEXT, document_of
from tox_com_det.suggestions.store import SuggestionStore, SuggestionsUnavailable
from tox_com_det.suggestions.table import Table

URL = "/v1alpha1/comments:suggestscore"
COMMENT = "you are an idiot, nobody likes you here, zyxwvut"
REQUEST: dict[str, Any] = {
    "comment": {"text": COMMENT},
    "attributeScores": {
        "TOXICITY": {"summaryScore": {"value": 1}},
        "INSULT": {"spanScores": [{"begin": 0, "end": 3, "score": {"value": 0.5}}]},
    },
    "languages": ["en"],
    "communityId": "Coral:test",
    "clientToken": "comment:7",
}
AT = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
Documents = Any
Make = Callable[..., FlaskClient]


@pytest.fixture
def stored(server: DatabaseServer) -> Iterator[Documents]:
    """The collection of suggestions, empty at first."""
    with MongoClient(server.uri) as client:
        client.drop_database(collection.DATABASE)
        yield collection.collection_of(client)


@pytest.fixture
def make(
    model: Path, database: FakeDatabase, server: DatabaseServer, stored: Documents
) -> Iterator[Make]:
    """Clients of services that store suggestions."""
    with ExitStack() as opened:

        def make(uri: str = "", timeout_ms: int = 6000, **changes: Any) -> FlaskClient:
            settings = Settings(
                model=model,
                mongodb_uri=uri or server.uri,
                mongodb_timeout_ms=timeout_ms,
                perspective=PerspectiveSettings(**{"store_suggestions": True, **changes}),
            )
            suggestions = store.store_of(settings)
            if suggestions is not None:
                opened.enter_context(closing(suggestions))
            return create_app(settings, database, suggestions).test_client()

        yield make


def suggest(client: FlaskClient, **changes: Any) -> Any:
    return client.post(URL, json={**REQUEST, **changes})


# --- the service ---------------------------------------------------------------------------------


def test_nothing_is_stored_unless_it_is_switched_on(make: Make, stored: Documents):
    response = suggest(make(store_suggestions=False))
    assert response.get_json()["clientToken"] == "comment:7"
    assert stored.count_documents({}) == 0


def test_a_suggestion_is_stored_with_what_was_sent(make: Make, stored: Documents):
    before = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)
    response = suggest(make())
    assert response.get_json() == {
        "clientToken": "comment:7",
        "requestedLanguages": ["en"],
        "detectedLanguages": ["en"],
    }
    (document,) = stored.find({}, {"_id": 0})
    assert document.pop("at") >= before
    assert document == {
        "text": COMMENT,
        "scores": [
            {
                "attribute": "TOXICITY",
                "summary": {"value": 1.0, "type": "PROBABILITY"},
                "spans": [],
            },
            {
                "attribute": "INSULT",
                "spans": [{"begin": 0, "end": 3, "value": 0.5, "type": "PROBABILITY"}],
            },
        ],
        "languages": ["en"],
        "detected": ["en"],
        "community_id": "Coral:test",
        "client_token": "comment:7",
    }


@pytest.mark.parametrize(
    "asked",
    [{"doNotStore": True}, {"do_not_store": True}, {"doNotStore": "true"}],
    ids=["camel", "snake", "text"],
)
def test_do_not_store_stores_nothing_at_all(make: Make, stored: Documents, asked: dict[str, Any]):
    response = suggest(make(), **asked)
    assert response.status_code == 200
    assert response.get_json()["clientToken"] == "comment:7"
    assert stored.database.list_collection_names() == []


@pytest.mark.parametrize("changes", [{"attributeScores": {}}, {"comment": {"text": " "}}])
def test_a_refused_suggestion_is_not_stored(make: Make, stored: Documents, changes: dict[str, Any]):
    assert suggest(make(), **changes).status_code == 400
    assert stored.count_documents({}) == 0


def test_analyzed_comments_are_never_stored(make: Make, stored: Documents):
    body = {"comment": {"text": COMMENT}, "requestedAttributes": {"TOXICITY": {}}}
    assert make().post("/v1alpha1/comments:analyze", json=body).status_code == 200
    assert stored.database.list_collection_names() == []


def test_half_a_surrogate_pair_a_nul_and_names_with_dots_are_stored(make: Make, stored: Documents):
    body = json.dumps(REQUEST).replace("Coral:test", "\\ud83d\\u0000")
    body = body.replace(COMMENT, "a \\ud83d\\u0000 b").replace('"TOXICITY"', '"$a.\\ud83d\\u0000"')
    response = make().post(URL, data=body, content_type="application/json")
    assert response.status_code == 200, response.text
    (document,) = stored.find()
    assert document["text"] == "a \ufffd\0 b"
    assert document["community_id"] == "\ufffd\0"
    assert document["scores"][0]["attribute"] == "$a.\ufffd\0"


def test_a_batch_stores_its_suggestions_and_says_which_were_not(make: Make, stored: Documents):
    def part(body: dict[str, Any], number: int) -> str:
        return (
            f"--b\nContent-Type: application/http\nContent-ID: <{number}>\n\n"
            f"POST {URL} HTTP/1.1\n\n{json.dumps(body)}\n"
        )

    bodies = [{**REQUEST, "clientToken": f"t{number}"} for number in range(150)]
    bodies[3]["doNotStore"] = True
    bodies[4]["attributeScores"] = {}
    response = make().post(
        "/batch",
        data="".join(map(part, bodies, range(150))) + "--b--\n",
        headers={"Content-Type": "multipart/mixed; boundary=b"},
    )
    assert response.text.count("HTTP/1.1 200") == 149
    assert response.text.count("HTTP/1.1 400") == 1
    tokens = [one["client_token"] for one in stored.find()]
    assert tokens == [f"t{number}" for number in range(150) if number not in (3, 4)]


def test_without_the_database_a_suggestion_is_not_acknowledged(
    make: Make, caplog: pytest.LogCaptureFixture
):
    client = make(uri="mongodb://127.0.0.1:9", timeout_ms=200)
    response = suggest(client)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
    error = response.get_json()["error"]
    assert error["status"] == "UNAVAILABLE"
    assert error["message"] == "The suggestion could not be stored: retry in a second"
    assert suggest(client, doNotStore=True).status_code == 200
    assert "SuggestionsUnavailable" in caplog.text
    assert "zyxwvut" not in caplog.text
    part = f"--b\nContent-Type: application/http\n\nPOST {URL} HTTP/1.1\n\n{json.dumps(REQUEST)}\n"
    headers = {"Content-Type": "multipart/mixed; boundary=b"}
    answer = client.post("/batch", data=part + "--b--\n", headers=headers)
    assert answer.status_code == 200
    assert "HTTP/1.1 503" in answer.text


def test_it_stores_again_when_the_database_is_back(
    make: Make, tmp_path: Path, model: Path, database: FakeDatabase
):
    server = DatabaseServer(tmp_path / "db")
    server.start()
    try:
        client = make(uri=server.uri, timeout_ms=3000)
        assert suggest(client).status_code == 200
        server.stop()
        assert suggest(client).status_code == 503
        server.start()
        while suggest(client).status_code == 503:
            pass
        with MongoClient(server.uri) as connection:
            assert collection.collection_of(connection).count_documents({}) == 2
    finally:
        server.stop()


# --- limits --------------------------------------------------------------------------------------


def test_a_full_collection_acknowledges_without_storing_and_says_so(
    make: Make,
    stored: Documents,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    # Each request measures anew.
    monkeypatch.setattr(store, "_MEASURE_SECONDS_WHILE_FULL", 0.0)
    monkeypatch.setattr(store, "_MEASURE_SECONDS", 0.0)
    caplog.set_level(logging.WARNING)
    client = make(suggestions_max_mb=1, max_bytes=1_000_000)
    assert "warnings" not in client.get("/readyz").get_json()
    large = {"comment": {"text": f"{COMMENT} " + "a " * 240_000}}
    statuses = [suggest(client, **large).status_code for _ in range(4)]
    assert statuses == [200] * 4
    assert stored.count_documents({}) == 2
    full = [one.getMessage() for one in caplog.records if "suggestions are" in one.getMessage()]
    assert len(full) == 1
    assert (
        "acknowledged and not stored: 1 MB of flask_app_perspective_suggestions_max_mb" in full[0]
    )
    assert "zyxwvut" not in caplog.text
    (warning,) = client.get("/readyz").get_json()["warnings"]
    assert warning == full[0]
    # A smaller one still fits.
    assert suggest(client).status_code == 200
    assert stored.count_documents({}) == 3


def test_one_that_is_larger_than_all_the_room_is_forgotten(
    server: DatabaseServer, stored: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_MEASURE_SECONDS_WHILE_FULL", 0.0)
    with closing(SuggestionStore(server.uri, 6000, 1_000_000, 0)) as suggestions:
        assert suggestions.add([{"text": "a" * 1_000_001}]) == 0
        assert suggestions.problem() == ""
        assert suggestions.add([{"text": "a"}]) == 1


def test_room_that_was_made_is_noticed(
    make: Make, stored: Documents, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store, "_MEASURE_SECONDS_WHILE_FULL", 0.0)
    client = make(suggestions_max_mb=1, max_bytes=1_000_000)
    large = {"comment": {"text": "a " * 300_000}}
    for _ in range(2):
        suggest(client, **large)
    assert stored.count_documents({}) == 1
    stored.delete_many({})
    suggest(client, **large)
    assert stored.count_documents({}) == 1
    assert "warnings" not in client.get("/readyz").get_json()


def test_another_process_counts_what_is_stored_already(server: DatabaseServer, stored: Documents):
    stored.insert_one({"text": "a" * 900_000})
    with closing(SuggestionStore(server.uri, 6000, 1_000_000, 0)) as suggestions:
        assert suggestions.add([{"text": "b" * 200_000}, {"text": "c"}]) == 1
    assert stored.count_documents({"text": "c"}) == 1


def test_many_scores_or_long_names_are_refused():
    scores = {"A": {"spanScores": [{"begin": 0, "end": 1, "score": {"value": 1}}] * 2000}}
    request = read_suggest({**REQUEST, "attributeScores": scores}, 100)
    with pytest.raises(GoogleError, match="too many scores, names or tokens") as caught:
        document_of(request, (), AT)
    assert caught.value.code == 400
    text = "a" * 1_000_000
    request = read_suggest({**REQUEST, "comment": {"text": text}}, 1_000_000)
    assert len(bson.encode(document_of(request, ("en",), AT))) < len(text) + 1000
    token = "x" * (MOST_BYTES_BESIDE_TEXT + 1)
    with pytest.raises(GoogleError):
        document_of(read_suggest({**REQUEST, "clientToken": token}, 100), (), AT)


# --- retention -----------------------------------------------------------------------------------


def ends_after(stored: Documents) -> int:
    (index,) = [one for one in stored.list_indexes() if one["name"] == "at_1"]
    return int(index["expireAfterSeconds"])


def test_documents_end_after_the_days_that_are_set_and_a_change_is_taken_over_by_readyz(
    make: Make, stored: Documents
):
    assert make().get("/readyz").status_code == 200
    assert ends_after(stored) == 2**31 - 1
    assert make(suggestions_days=30).get("/readyz").status_code == 200
    assert ends_after(stored) == 30 * 86400
    suggest(make(suggestions_days=0))
    assert ends_after(stored) == 2**31 - 1


def test_readyz_warns_where_the_database_refuses(server: DatabaseServer, make: Make):
    client = make(uri="mongodb://127.0.0.1:9", timeout_ms=200)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    (warning,) = answer.get_json()["warnings"]
    assert warning.startswith("suggestions are not stored: MongoDB at 127.0.0.1:9 does not answer")


# --- export and clear ----------------------------------------------------------------------------

LABELS = ["toxic", "obscene", "insult"]
MAPPING = {"TOXICITY": "toxic", "PROFANITY": "obscene", "OBSCENE": "obscene", "INSULT": "insult"}


def row_of(scores: dict[str, Any], **changes: Any) -> dict[str, str]:
    request = read_suggest({**REQUEST, "attributeScores": scores, **changes}, 1000)
    table = Table(LABELS, MAPPING)
    row = table.row(document_of(request, ("en", "de"), AT))
    return dict(zip(table.columns, row, strict=True))


def summary(value: float, score_type: str = "PROBABILITY") -> dict[str, Any]:
    return {"summaryScore": {"value": value, "type": score_type}}


def span(value: float) -> dict[str, Any]:
    return {"begin": 0, "end": 1, "score": {"value": value}}


def test_a_row_has_the_probabilities_of_the_labels():
    row = row_of({"TOXICITY@6": summary(1), "OBSCENE": summary(0.25), "PROFANITY": summary(0.5)})
    assert row == {
        "comment_text": COMMENT,
        "toxic": "1",
        "obscene": "0.5",
        "insult": "",
        "other_scores": "",
        "languages": "en",
        "detected_languages": "en de",
        "community_id": "Coral:test",
        "client_token": "comment:7",
        "suggested_at": "2026-11-26T09:30:00Z",
    }


def test_spans_count_as_their_largest_and_the_summary_goes_first():
    scores = {
        "TOXICITY": {"spanScores": [span(0.2), span(0.9)]},
        "INSULT": {**summary(0.1), "spanScores": [span(0.8)]},
    }
    row = row_of(scores)
    assert (row["toxic"], row["insult"]) == ("0.9", "0.1")


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("FLIRTATION", summary(0.5)),
        ("TOXICITY", summary(0.5, "PERCENTILE")),
        ("TOXICITY", summary(1.5)),
        ("TOXICITY", summary(-1)),
    ],
)
def test_what_is_no_probability_of_a_label_is_in_other_scores(name: str, score: dict[str, Any]):
    row = row_of({name: score})
    assert [row[label] for label in LABELS] == ["", "", ""]
    wanted = score["summaryScore"]
    assert json.loads(row["other_scores"]) == {name: {"summary": wanted}}


def test_a_label_with_the_name_of_another_column_keeps_it():
    columns = Table(["languages", "comment_text"], {}).columns
    assert columns[:3] == ["comment_text", "languages", "comment_text_"]
    assert "languages_" in columns
    assert len(set(columns)) == len(columns)


@pytest.fixture
def environment(server: DatabaseServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOX_COM_DET_MONGODB_URI", server.uri)
    monkeypatch.setenv("SLOT_PERSPECTIVE_STORE_SUGGESTIONS", "1")
    monkeypatch.setenv("SLOT_PERSPECTIVE_ATTRIBUTES", "TOXICITY=toxic,INSULT=toxic")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert command.main(arguments) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.usefixtures("environment")
def test_the_command_counts_exports_and_clears(
    make: Make, stored: Documents, model: Path, capsys: pytest.CaptureFixture[str]
):
    (empty,) = run(capsys)
    assert empty == {
        "stored": 0, "bytes": 0, "oldest": None, "on": True, "max_mb": 200, "days": 0,
    }  # fmt: skip
    client = make()
    for text in ('first, "quoted"', "second\r\nline", "third\ttab"):
        suggest(client, comment={"text": text})
    (found,) = run(capsys)
    assert found["stored"] == 3
    assert found["bytes"] > 300
    assert found["oldest"].startswith("20")
    columns, *rows, end = run(capsys, "--export", str(model))
    assert columns["columns"][0] == "comment_text"
    assert end == {"rows": 3}
    out = io.StringIO(newline="")
    csv.writer(out).writerows([columns["columns"], *(one["row"] for one in rows)])
    read = list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))
    assert [one["comment_text"] for one in read] == [
        "first, \"quoted\"", "second\r\nline", "third\ttab",
    ]  # fmt: skip
    assert [one["toxic"] for one in read] == ["1"] * 3
    assert run(capsys, "--clear") == [{"cleared": 3}]
    assert stored.count_documents({}) == 0
    assert ends_after(stored) == 2**31 - 1
    assert suggest(client).status_code == 200
    assert stored.count_documents({}) == 1


@pytest.mark.usefixtures("environment")
def test_clearing_while_it_is_switched_off_leaves_no_collection(
    stored: Documents, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("SLOT_PERSPECTIVE_STORE_SUGGESTIONS", "0")
    stored.insert_one({"at": AT, "text": "a"})
    (found,) = run(capsys)
    assert (found["on"], found["stored"]) == (False, 1)
    assert run(capsys, "--clear") == [{"cleared": 1}]
    assert stored.database.list_collection_names() == []


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("name", "value", "kind", "words"),
    [
        ("TOX_COM_DET_MONGODB_URI", "mongodb://u:secret@127.0.0.1:9", "database", "127.0.0.1:9"),
        ("TOX_COM_DET_MONGODB_URI", "localhost", "other", "does not start with mongodb://"),
        ("SLOT_PERSPECTIVE_SUGGESTIONS_DAYS", "x", "other", "expected 0 to 20000"),
    ],
)
def test_a_failure_of_the_command_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    kind: str,
    words: str,
):
    monkeypatch.setattr("tox_com_det.store.maintenance.CONNECT_MS", 200)
    monkeypatch.setenv(name, value)
    assert command.main([]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    answer = json.loads(line)
    assert answer["kind"] == kind
    assert words in answer["error"]
    assert "secret" not in line


@pytest.mark.usefixtures("environment")
def test_an_export_for_a_model_that_is_missing_is_one_line(tmp_path: Path):
    done = subprocess.run(  # noqa: S603 - this interpreter, with words of the test
        [sys.executable, "-m", "tox_com_det.suggestions", "--export", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == ""
    assert "manifest.json" in json.loads(done.stdout)["error"]


def test_the_store_names_what_the_database_refused(server: DatabaseServer, stored: Documents):
    stored.insert_one({"_id": 1})
    with closing(SuggestionStore(server.uri, 6000, 1_000_000, 0)) as suggestions:
        with pytest.raises(SuggestionsUnavailable) as caught:
            suggestions.add([{"_id": 1, "text": COMMENT}])
        assert "refused" in str(caught.value)
        assert "zyxwvut" not in str(caught.value)
