"""The page at `/`, as a browser without JavaScript uses it."""

import base64
import hashlib
import html
import json
import re
import shlex
from dataclasses import replace

import pytest
from test_windows import windowed
from tiny_bundle import LABELS, TinyBundle

from tox_com_det.http import turns, v1
from tox_com_det.http.forms import ExplainedWord
from tox_com_det.http.page import CONTENT_SECURITY_POLICY
from tox_com_det.http.page_content import EXAMPLES, facts, parts
from tox_com_det.http.routes import create_app
from tox_com_det.settings import Settings


def send(client, text=None, **fields):
    return client.post("/", data={**({} if text is None else {"text": text}), **fields})


def status_of(response):
    return html.unescape(re.search(r'<p id="status".*?>(.*?)</p>', response.text)[1])


def cells(response):
    return re.findall(r'<td class="score">(.*?)</td>', response.text)


def test_a_comment_gets_the_scores_and_bars_of_v1(client):
    scores = client.post("/v1/predict", json={"text": "you are great"}).json["results"][0]["scores"]
    response = send(client, "you are great")
    assert (response.status_code, response.mimetype) == (200, "text/html")
    assert cells(response) == [f"{score:.3f}" for score in scores.values()]
    bars = re.findall(r'<rect height="100%" width="(.*?)%"/>', response.text)
    assert bars == [f"{100 * score:.1f}" for score in scores.values()]
    highest = max(scores, key=scores.get)
    assert status_of(response).startswith(f"Highest: {highest}, {scores[highest]:.3f}. 3 known")


def test_before_a_comment_the_bars_are_empty(client):
    response = client.get("/")
    assert cells(response) == ["-"] * len(LABELS)
    assert "<blockquote>" not in response.text


def test_the_comment_is_shown_as_it_was_written_with_its_words_marked(client):
    text = 'Awful <b>"you"</b> zork\nare'
    quote = re.search(r"<blockquote>(.*?)</blockquote>", send(client, text).text, re.DOTALL)[1]
    seen = re.sub(r'<span class="hidden">.*?</span>', "", quote)
    assert html.unescape(re.sub(r"</?mark.*?>", "", seen)) == text
    marked = re.findall(r'<mark class="(\w+)">(\w+)<span class="hidden"> \((\w+) ', quote)
    assert {word for _, word, _ in marked} <= {"Awful", "you", "b", "are"}
    assert marked
    for kind, _, verb in marked:
        assert verb == ("lowers" if kind == "down" else "raises")


def test_the_text_stays_in_the_form_and_its_first_line_as_well(client):
    area = re.search(r"<textarea.*?>(.*?)</textarea>", send(client, "\nyou</textarea>").text, re.S)
    # A browser drops one line end at the start.
    assert html.unescape(area[1]) == "\n\nyou</textarea>"


def test_an_example_is_scored_instead_of_the_text(client):
    response = send(client, "awful", example="1")
    assert EXAMPLES[1] in html.unescape(response.text)
    assert status_of(response).startswith("Highest")
    for number in ("9", "-1", "\u0663", "x", "9" * 5000, ""):
        response = send(client, "awful", example=number)
        assert response.status_code == 400
        assert status_of(response) == "Example is a number from 0 to 3"


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [("", 400, "Write a comment first"), (" \r\n", 400, "Write a"), ("x" * 21, 413, "is 20")],
)
def test_what_is_wrong_is_said_in_the_page(make_client, text, status, words):
    response = send(make_client(max_chars=20), text)
    assert (response.status_code, response.mimetype) == (status, "text/html")
    assert words in status_of(response)
    assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


def test_a_text_that_is_too_long_is_refused_beside_an_example_as_well(make_client):
    assert send(make_client(max_chars=20), "x" * 21, example="0").status_code == 413


def test_an_example_needs_no_text(client):
    assert send(client, "", example="0").status_code == 200
    assert send(client, example="0").status_code == 200


def test_a_line_end_counts_as_one_character_as_in_the_browser(make_client):
    assert send(make_client(max_chars=3), "a\r\nb").status_code == 200


def test_the_errors_of_the_service_are_in_the_page_too(client, database):
    database.away = True
    response = send(client, "you")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
    assert status_of(response) == "The word vectors are unavailable: retry in a second"


def test_a_comment_waits_for_its_turn_as_other_requests_do(make_client, monkeypatch):
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(turns, "RUNNING", 0)
    assert "requests wait already" in status_of(send(make_client(), "you"))


def test_a_form_is_read_within_a_turn(make_client, monkeypatch):
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(turns, "RUNNING", 0)
    monkeypatch.setattr("tox_com_det.http.page.parse_qs", lambda *_, **__: pytest.fail("was read"))
    response = send(make_client(), "you")
    assert response.status_code == 503
    assert "requests wait already" in status_of(response)


def test_a_form_larger_than_any_comment_is_refused_unread(client, monkeypatch):
    monkeypatch.setattr("tox_com_det.http.page.parse_qs", lambda *_, **__: pytest.fail("was read"))
    body = b"text=" + b"%41" * 90_000
    response = client.post("/", data=body, content_type="application/x-www-form-urlencoded")
    assert (response.status_code, response.mimetype) == (413, "text/html")
    assert status_of(response) == "The body is larger than 241024 bytes"


def test_the_longest_comment_of_any_characters_is_no_form_too_large(client):
    response = send(client, "\U0001f600" * 20_000, key="toxcomdet_" + "x" * 32)
    assert response.status_code == 200


def test_a_server_without_a_burst_tells_its_rate_and_connections(client):
    given = {"X-Tox-Com-Det-Limits": "requests_per_second=50 burst=0 connections=40"}
    shown = client.get("/", headers=given).text
    assert "One address may send 50 requests a second, over 40 connections." in shown


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"text=you", "text/plain", 415),
        (b"text=\xff", "application/x-www-form-urlencoded", 400),
        (b"a=1&" * 50, "application/x-www-form-urlencoded", 400),
        (b"text=you&a=1", "application/x-www-form-urlencoded", 400),
        (b"text=you&text=are", "application/x-www-form-urlencoded", 400),
        (b'{"text": "you"}', "application/json", 415),
    ],
)
def test_what_is_no_form_is_refused(client, body, content_type, status):
    assert client.post("/", data=body, content_type=content_type).status_code == status


def test_a_file_in_a_form_is_refused_and_so_never_stored(client):
    response = client.post("/", data={"text": "you"}, content_type="multipart/form-data")
    assert response.status_code == 415


def test_a_comment_with_too_many_words_to_explain_is_scored_without(client, monkeypatch):
    monkeypatch.setattr(v1, "MOST_EXPLAINED", 1)
    response = send(client, "you are great")
    assert response.status_code == 200
    assert "<blockquote>" not in response.text
    assert status_of(response).startswith("Highest")


def test_a_key_is_asked_for_only_where_the_server_requires_one(make_client, client):
    assert 'name="key"' not in client.get("/").text
    assert "KEY" not in client.get("/").text
    closed = make_client(require_key=True)
    page = closed.get("/").text
    assert '<label for="key">' in page
    assert "Authorization: Bearer KEY" in page
    response = send(closed, "you")
    assert response.status_code == 401
    assert "a key is required" in status_of(response).lower()
    assert send(closed, "you", key="wrong").status_code == 401


def test_the_page_is_self_contained_and_its_policy_allows_only_its_own_code(client, bundle):
    response = client.get("/")
    assert (response.status_code, response.mimetype) == (200, "text/html")
    assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    links = set(re.findall(r'\b(?:src|href)="(.*?)"', response.text))
    assert links == {"docs", "openapi.json", "limits", "readyz", "load-model"}
    for link in links:
        assert client.get(f"/{link}").status_code == 200
    outside = re.sub(r"<(script|style)>.*?</\1>", "", response.text, flags=re.DOTALL)
    assert not re.search(r"<[^>]*\son\w+=|<[^>]*\sstyle=", outside)
    assert '<html lang="en">' in response.text
    assert 'aria-live="polite"' in response.text
    assert bundle.load().model_version in response.text


def test_the_page_is_small_even_with_a_long_comment(client):
    assert len(client.get("/").data) < 20_000
    assert len(send(client, "you are great awful zork " * 20).data) < 50_000


@pytest.mark.parametrize("tag", ["style", "script"])
def test_the_policy_of_the_page_has_the_hash_of_its_inline_code(client, tag):
    response = client.get("/")
    (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert f"{tag}-src 'sha256-{digest}'" in response.headers["Content-Security-Policy"]


def test_the_page_shows_a_command_that_can_be_pasted_with_the_port_of_the_browser(client):
    page = client.get("/", headers={"Host": "example.org:8081"}).text
    command = html.unescape(re.search(r"<code id=.command.*?>(curl .*?)</code>", page)[1])
    words = shlex.split(command)
    assert words[:4] == [
        *["curl", "http://example.org:8081/v1/predict", "-H", "Content-Type: application/json"],
    ]
    body = words[words.index("-d") + 1]
    assert client.post("/v1/predict", data=body, content_type="application/json").status_code == 200


def test_the_page_escapes_values_of_the_bundle_and_of_the_request(tmp_path, database):
    model = TinyBundle(labels=("<script>alert(1)</script>", "b")).write(tmp_path / "odd")
    client = create_app(Settings(model=model), database).test_client()
    assert "<script>alert" not in client.get("/").text
    assert "<script>alert" not in send(client, "you are <script>alert(1)").text
    assert "<script>alert" not in client.get("/", headers={"Host": '"><script>alert(1)'}).text


def test_words_without_places_are_shown_as_the_model_read_them():
    word = ExplainedWord("bad", True, [], {"a": 0.5})
    assert [part.text for part in parts("b-a-d", [word])] == ["bad", " "]


def test_words_that_share_a_place_are_marked_once_by_the_one_that_changes_most():
    words = [
        ExplainedWord("don", True, [(0, 5)], {"a": 0.01, "b": 0.0}),
        ExplainedWord("t", True, [(0, 5)], {"a": 0.0, "b": -0.2}),
    ]
    found = parts("don't go", words)
    assert [(part.text, part.kind) for part in found] == [
        ("", ""),
        ("don't", "down"),
        (" go", ""),
    ]
    assert found[1].says == "lowers b by 0.20"


def test_the_facts_are_those_of_the_manifest():
    manifest = windowed(4, 3).load()
    found = dict(facts(manifest))
    assert found["Reads"].startswith("6 words; longer comments in up to 4 windows, 3 words apart")
    assert "highest" in found["Reads"]
    golden = replace(manifest.golden_outputs, reference_max_difference=2e-7)
    assert "2.0e-07" in dict(facts(replace(manifest, golden_outputs=golden)))["Checked by"]
    assert dict(facts(TinyBundle().load()))["Reads"] == "6 words"


def test_the_figures_of_the_card_are_shown_as_text(bundle, tmp_path, database):
    model = bundle.write(tmp_path / "with-figures")
    content = json.loads((model / "manifest.json").read_text())
    content["built_with"]["figures"] = "Natural: toxic 0.971 <b>"
    (model / "manifest.json").write_text(json.dumps(content))
    page = create_app(Settings(model=model), database).test_client().get("/").text
    assert "<dd>Natural: toxic 0.971 &lt;b&gt;</dd>" in page
