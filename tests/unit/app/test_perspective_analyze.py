"""POST /v1alpha1/comments:analyze: what clients of Google's Perspective API send and read."""

from __future__ import annotations

import gzip
import json
import random
import re
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tox_com_det.perspective.errors import ERROR_TYPE
from tox_com_det.perspective.languages import Languages
from tox_com_det.perspective.messages import MOST_ATTRIBUTES, MOST_LANGUAGES
from tox_com_det.perspective.settings import PerspectiveSettings
from tox_com_det.perspective.spans import Span, sentences

ANALYZE = "/v1alpha1/comments:analyze"
TEXT = "you are awful"


def body(text: str = TEXT, *attributes: str, **more: Any) -> dict[str, Any]:
    requested = {name: {} for name in attributes or ("TOXICITY",)}
    return {"comment": {"text": text}, "requestedAttributes": requested, **more}


def analyze(client: FlaskClient, *arguments: Any, path: str = ANALYZE, **more: Any) -> TestResponse:
    return client.post(path, json=body(*arguments, **more))


def error_of(response: TestResponse) -> dict[str, Any]:
    error = response.get_json()["error"]
    assert error["code"] == response.status_code
    return error


def predicted(client: FlaskClient, text: str) -> dict[str, float]:
    return client.post("/predict", json={"text": text}).get_json()["scores"]


# --- scores --------------------------------------------------------------------------------------


def test_scores_are_those_of_predict(client: FlaskClient):
    names = {
        "TOXICITY": "toxic",
        "SEVERE_TOXICITY": "severe_toxic",
        "PROFANITY": "obscene",
        "OBSCENE": "obscene",
        "THREAT": "threat",
        "INSULT": "insult",
        "IDENTITY_ATTACK": "identity_hate",
    }
    found = analyze(client, TEXT, *names).get_json()
    expected = predicted(client, TEXT)
    assert list(found["attributeScores"]) == list(names)
    for name, label in names.items():
        score = {"value": expected[label], "type": "PROBABILITY"}
        assert found["attributeScores"][name] == {
            "spanScores": [{"begin": 0, "end": len(TEXT), "score": score}],
            "summaryScore": score,
        }
    assert found["languages"] == ["en"]


def test_a_span_over_the_whole_text_comes_unasked_in_utf16_units(client: FlaskClient):
    found = analyze(client, "you 😀 are").get_json()["attributeScores"]["TOXICITY"]
    assert [(one["begin"], one["end"]) for one in found["spanScores"]] == [(0, 10)]


def test_sentences_have_spans_of_their_own(client: FlaskClient):
    text = "😀 You are great!  \n\nMy work? (Awful.) 日本。naïve"
    found = analyze(client, text, spanAnnotations=True).get_json()["attributeScores"]["TOXICITY"]
    units = text.encode("utf-16-le")
    sentences = [
        units[2 * one["begin"] : 2 * one["end"]].decode("utf-16-le") for one in found["spanScores"]
    ]
    assert sentences == ["😀 You are great!", "My work?", "(Awful.)", "日本。", "naïve"]
    for sentence, span in zip(sentences, found["spanScores"], strict=True):
        assert span["score"]["value"] == pytest.approx(
            predicted(client, sentence)["toxic"], abs=1e-6
        )
    assert found["summaryScore"]["value"] == pytest.approx(
        predicted(client, text)["toxic"], abs=1e-6
    )


def test_many_sentences_share_a_bounded_number_of_spans(client: FlaskClient):
    text = "you. " * 1000
    found = analyze(client, text, spanAnnotations=True).get_json()["attributeScores"]["TOXICITY"]
    spans = [(one["begin"], one["end"]) for one in found["spanScores"]]
    assert 100 < len(spans) <= 128
    assert spans[0][0] == 0
    assert spans[-1][1] == len(text.rstrip())
    assert all(before[1] < after[0] for before, after in pairwise(spans))


@pytest.mark.parametrize("pieces", ["!", ".", "!)", "!\u3002", ["!)"], ["! "], ["a\n"]])
def test_time_grows_as_the_marks_do(pieces: Sequence[str]):
    def seconds(marks: int) -> float:
        text = "".join(piece * (marks // len(pieces)) for piece in pieces) + "a"
        begin = time.thread_time()
        sentences(text, 128)
        return time.thread_time() - begin

    # 16 times the marks: 16 times the time, or 256 if each one looked at all others. What lies
    # between them is for a machine that is quicker at one moment than at another.
    assert min(seconds(80_000) for _ in range(3)) < 100 * min(seconds(5_000) for _ in range(3))


def test_the_sentences_are_those_of_a_try_at_each_mark(monkeypatch: pytest.MonkeyPatch):
    each = re.compile(r"[.!?\u2026]+[\"'\u2019\u201d)\]]*(?=\s)|[\u3002\uff01\uff1f]+|[\r\n]+")
    draw = random.Random(1)  # noqa: S311 (not a secret)
    texts = [
        "a" + "".join(draw.choices(".!?\u2026)\"' \na\u3002", k=draw.randrange(14)))
        for _ in range(5_000)
    ]
    found = [sentences(text, 128) for text in texts]
    monkeypatch.setattr("tox_com_det.perspective.spans._END", each)
    assert found == [sentences(text, 128) for text in texts]
    assert sentences("a!!) b", 128) == [Span(0, 4, "a!!)"), Span(5, 6, "b")]


def test_the_spans_of_a_comment_are_one_batch(client: FlaskClient, monkeypatch: pytest.MonkeyPatch):
    from tox_com_det.model.head import Head

    sizes: list[int] = []
    run = Head.run

    def counted(head: Head, inputs: Any) -> Any:
        sizes.append(len(inputs["vectors"]))
        return run(head, inputs)

    monkeypatch.setattr(Head, "run", counted)
    analyze(client, "you. are. great.", spanAnnotations=True)
    assert sizes == [4]


@pytest.mark.parametrize(
    ("threshold", "kept"), [(0, True), ("0.0", True), (1, False), ("1", False)]
)
def test_a_score_below_the_threshold_is_left_out(client: FlaskClient, threshold: Any, kept: int):
    wanted = {"TOXICITY": {"scoreThreshold": threshold}}
    found = client.post(ANALYZE, json={**body(), "requestedAttributes": wanted}).get_json()
    assert len(found["attributeScores"]) == kept


def test_the_client_token_and_the_requested_languages_come_back(client: FlaskClient):
    found = analyze(client, clientToken="a-1", languages=["en"]).get_json()
    assert (found["clientToken"], found["languages"]) == ("a-1", ["en"])
    assert "clientToken" not in analyze(client).get_json()


def test_a_version_of_an_attribute_keeps_its_name(client: FlaskClient):
    assert list(analyze(client, TEXT, "TOXICITY@6").get_json()["attributeScores"]) == ["TOXICITY@6"]


# --- what a strict server would refuse -----------------------------------------------------------

QUICKSTART = """{comment: {text: "you are awful"},
       languages: ["en"],
       requestedAttributes: {TOXICITY:{},} }"""


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        (QUICKSTART, "application/json"),
        (json.dumps(body()), None),
        (json.dumps(body()), "text/plain;charset=UTF-8"),
        (json.dumps(body()), "application/x-www-form-urlencoded"),
        ("\ufeff" + json.dumps(body()), "application/json"),
        (json.dumps(body(languages="en")), "application/json"),
        (json.dumps(body(languages=["en-US"])), "application/json"),
        (json.dumps({**body(), "requestedAttributes": {"TOXICITY": None}}), "application/json"),
        (
            json.dumps({**body(), "context": None, "sessionId": None, "new": [1]}),
            "application/json",
        ),
        (
            '{"comment": {"text": "you are awful", "type": "PLAIN_TEXT"}, "do_not_store": true,'
            ' "requested_attributes": {"TOXICITY": {"score_type": "PROBABILITY",'
            ' "score_threshold": "0"}}, "client_token": "x", "session_id": "s",'
            ' "community_id": "c", "span_annotations": false,'
            ' "context": {"article_and_parent_comment": {"parent_comment": {"text": "x"}}}}',
            "application/json",
        ),
    ],
)
def test_bodies_as_clients_send_them(client: FlaskClient, data: str, content_type: str | None):
    response = client.post(ANALYZE, data=data.encode(), content_type=content_type)
    assert response.status_code == 200, response.text
    (score,) = response.get_json()["attributeScores"].values()
    assert score["summaryScore"]["value"] == predicted(client, TEXT)["toxic"]


def test_predict_stays_strict(client: FlaskClient):
    response = client.post("/predict", data='{text: "x"}', content_type="application/json")
    assert response.status_code == 400


def test_half_of_a_surrogate_pair_is_scored(client: FlaskClient):
    data = '{"comment": {"text": "you \\ud83d"}, "requestedAttributes": {"TOXICITY": {}}}'
    response = client.post(ANALYZE, data=data)
    (span,) = response.get_json()["attributeScores"]["TOXICITY"]["spanScores"]
    assert (span["begin"], span["end"]) == (0, 5)


def test_gzip_is_unpacked_up_to_a_limit(client: FlaskClient):
    def post(data: bytes, encoding: str = "gzip") -> TestResponse:
        return client.post(ANALYZE, data=data, headers={"Content-Encoding": encoding})

    packed = gzip.compress(json.dumps(body()).encode())
    assert post(packed).status_code == 200
    assert error_of(post(gzip.compress(b" " * 50_000_000)))["code"] == 413
    assert error_of(post(packed[:-9]))["code"] == 400
    assert error_of(post(b"{}"))["code"] == 400
    assert error_of(post(packed, "br"))["code"] == 415


@pytest.mark.parametrize(
    "path",
    ["//v1alpha1/comments:analyze", "/v1alpha1/comments:analyze/", "//v1alpha1//comments:analyze"],
)
def test_paths_as_clients_spell_them(client: FlaskClient, path: str):
    response = client.post(ANALYZE, json=body(), environ_overrides={"PATH_INFO": path})
    assert response.status_code == 200
    assert analyze(client, path="/v1alpha1/comments%3Aanalyze?key=AIza").status_code == 200


@pytest.mark.parametrize("headers", [{"x-goog-api-key": "AIza"}, {"Authorization": "Bearer AIza"}])
def test_without_keys_of_its_own_the_server_takes_any(client: FlaskClient, headers: dict[str, str]):
    assert client.post(ANALYZE, json=body(), headers=headers).status_code == 200
    assert analyze(client, path=f"{ANALYZE}?access_token=x").status_code == 200


# --- query parameters and CORS -------------------------------------------------------------------


def test_a_response_is_indented_unless_asked_otherwise(client: FlaskClient):
    assert analyze(client).text.startswith('{\n  "attributeScores": {\n')
    assert analyze(client, path=f"{ANALYZE}?prettyPrint=false").text.startswith(
        '{"attributeScores":{'
    )


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ("languages", {"languages": ["en"]}),
        ("attributeScores/TOXICITY/summaryScore/type", "PROBABILITY"),
        ("attributeScores/*/summaryScore(type)", "PROBABILITY"),
        ("attributeScores(TOXICITY(summaryScore/type))", "PROBABILITY"),
        ("nothing", {}),
    ],
)
def test_fields_selects_parts(client: FlaskClient, mask: str, expected: Any):
    found = client.post(ANALYZE, json=body(), query_string={"fields": mask}).get_json()
    if expected == "PROBABILITY":
        expected = {"attributeScores": {"TOXICITY": {"summaryScore": {"type": "PROBABILITY"}}}}
    assert found == expected


@pytest.mark.parametrize("mask", ["a(", "a)", ",", "a//b", "(" * 500, "a/" * 500 + "a", "a b"])
def test_a_wrong_mask_is_an_error(client: FlaskClient, mask: str):
    response = client.post(ANALYZE, json=body(), query_string={"fields": mask})
    assert error_of(response)["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize("query", ["alt=proto", "alt=media", "callback=f"])
def test_other_formats_are_refused(client: FlaskClient, query: str):
    assert error_of(analyze(client, path=f"{ANALYZE}?{query}"))["code"] == 400


def test_pages_may_send_requests(client: FlaskClient):
    headers = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    response = client.options(ANALYZE, headers=headers)
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    allowed = response.headers["Access-Control-Allow-Headers"]
    assert {"content-type", "x-goog-api-key"} <= set(allowed.split(", "))
    assert analyze(client).headers["Access-Control-Allow-Origin"] == "*"


def test_only_listed_pages_may_send_requests(make_client: Callable[..., FlaskClient]):
    client = make_client(perspective=PerspectiveSettings(origins=("https://a.example",)))
    for origin, allowed in (("https://a.example", True), ("https://b.example", False)):
        response = client.post(ANALYZE, json=body(), headers={"Origin": origin})
        assert (response.headers.get("Access-Control-Allow-Origin") == origin) is allowed


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_body", "message", "error_type"),
    [
        (body(""), "Comment must be non-empty.", "COMMENT_EMPTY"),
        (body(" \n"), "Comment must be non-empty.", "COMMENT_EMPTY"),
        ({"requestedAttributes": {"TOXICITY": {}}}, "Comment must be non-empty.", "COMMENT_EMPTY"),
        (
            body("é" * 11_684),
            "Comment text was too many bytes. Value (23368) exceeded limit (20480).",
            "COMMENT_TOO_LONG",
        ),
        ({"comment": {"text": "x"}}, "Missing requested_attributes", "NO_REQUESTED_ATTRIBUTES"),
        (body("x", "SPAM"), "Unknown requested attribute: SPAM", "INVALID_REQUEST"),
        (
            {**body(), "requestedAttributes": {"TOXICITY": {"scoreType": "RAW"}}},
            "Requested score type RAW is not supported by attribute TOXICITY",
            "INVALID_REQUEST",
        ),
        (
            {**body(), "comment": {"text": "x", "type": "HTML"}},
            "Currently, only 'PLAIN_TEXT' comments are supported",
            "INVALID_REQUEST",
        ),
        (
            body(
                context={
                    "entries": [{"text": "a"}],
                    "articleAndParentComment": {"article": {"text": "b"}},
                }
            ),
            "Context can have either entries or article_and_parent_comment, but both fields were"
            " populated.",
            "INVALID_REQUEST",
        ),
    ],
)
def test_errors_have_googles_words(
    client: FlaskClient, request_body: dict[str, Any], message: str, error_type: str
):
    error = error_of(client.post(ANALYZE, json=request_body))
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["message"] == message
    assert error["details"] == [{"@type": ERROR_TYPE, "errorType": error_type}]


def test_a_language_that_the_model_was_not_trained_for(client: FlaskClient):
    error = error_of(analyze(client, languages=["en", "de", "fr"]))
    assert error["message"] == "Attribute TOXICITY does not support request languages: de, fr"
    (detail,) = error["details"]
    assert detail["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    assert detail["languageNotSupportedByAttributeError"] == {
        "requestedLanguages": ["en", "de", "fr"],
        "attribute": "TOXICITY",
    }


def test_what_the_model_lacks_is_dropped_where_asked(
    client: FlaskClient, make_client: Callable[..., FlaskClient]
):
    response = analyze(client, TEXT, "TOXICITY", "SPAM", dropUnsupportedAttributes=True)
    assert list(response.get_json()["attributeScores"]) == ["TOXICITY"]
    dropping = make_client(perspective=PerspectiveSettings(drop_unsupported=True))
    assert list(analyze(dropping, TEXT, "SPAM").get_json()["attributeScores"]) == []


def test_attributes_languages_and_length_are_configured(make_client: Callable[..., FlaskClient]):
    settings = PerspectiveSettings({"TOXICITY_EXPERIMENTAL": "toxic"}, ("de",), max_bytes=100_000)
    client = make_client(perspective=settings)
    response = analyze(client, "you " * 20_000, "TOXICITY_EXPERIMENTAL", languages=["de"])
    assert response.status_code == 200
    assert error_of(analyze(client, TEXT, "TOXICITY"))["code"] == 400


@pytest.mark.parametrize(
    "data",
    [
        "",
        "null",
        "[]",
        '"x"',
        "{",
        "[" * 100_000,
        "{a:" * 1000,
        '{"comment": "x"}',
        '{"comment": {"text": 5}}',
        '{"comment": {"text": "x"}, "requestedAttributes": []}',
        '{"comment": {"text": "x"}, "requestedAttributes": {"TOXICITY": 5}}',
        '{"comment": {"text": "x"}, "requestedAttributes": {"TOXICITY": {"scoreThreshold": "x"}}}',
        '{"comment": {"text": "x"}, "requestedAttributes": {"TOXICITY": {"scoreThreshold": NaN}}}',
        '{"comment": {"text": "x"}, "requestedAttributes": {"TOXICITY": {"scoreThreshold": true}}}',
        '{"comment": {"text": "x"}, "requestedAttributes": {"TOXICITY": {}}, "languages": [5]}',
        '{"comment": {"text": "x"}, "requestedAttributes": {"TOXICITY": {}}, "clientToken": 5}',
        '{"comment": {"text": "x"}, "context": {"entries": 5}}',
        '{"comment": {"text": "x"}, "n": ' + "9" * 5000 + "}",
        b"\xff\xfe",
    ],
)
def test_wrong_bodies_are_errors_in_googles_form(client: FlaskClient, data: str | bytes):
    error = error_of(client.post(ANALYZE, data=data))
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert "set_int_max_str_digits" not in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", ANALYZE, 405),
        ("DELETE", ANALYZE, 405),
        ("POST", "/v1alpha1/comments:nothing", 404),
        ("GET", "/v1alpha1", 404),
        ("POST", "/$discovery/rest", 405),
        ("GET", "/batch", 405),
    ],
)
def test_other_methods_and_paths_have_googles_form(
    client: FlaskClient, method: str, path: str, code: int
):
    assert error_of(client.open(path, method=method))["code"] == code


def test_a_body_that_is_too_large_has_googles_form(make_client: Callable[..., FlaskClient]):
    assert error_of(analyze(make_client(max_body_bytes=1000), "x" * 2000))["code"] == 413


def test_a_database_that_is_away_has_googles_form(client: FlaskClient, database: Any):
    database.away = True
    response = analyze(client, "you are new here")
    assert error_of(response)["status"] == "UNAVAILABLE"
    assert response.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("field", "most", "made"),
    [
        ("requestedAttributes", MOST_ATTRIBUTES, lambda n: {f"TOXICITY@{i}": {} for i in range(n)}),
        ("languages", MOST_LANGUAGES, lambda n: ["en"] * n),
    ],
)
def test_attributes_and_languages_are_bounded(
    client: FlaskClient, field: str, most: int, made: Callable[[int], Any]
):
    assert client.post(ANALYZE, json={**body(), field: made(most)}).status_code == 200
    error = error_of(client.post(ANALYZE, json={**body(), field: made(most + 1)}))
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["message"] == (
        f"Too many items in '{field}'. Value ({most + 1}) exceeded limit ({most})."
    )


def test_the_languages_of_a_request_are_checked_once(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
):
    checked: list[str] = []
    reads = Languages._reads

    def counted(languages: Languages, language: str) -> bool:
        checked.append(language)
        return reads(languages, language)

    monkeypatch.setattr(Languages, "_reads", counted)
    names = [f"TOXICITY@{number}" for number in range(10)]
    assert analyze(client, TEXT, *names, languages=["en", "de"]).status_code == 400
    dropped = analyze(client, TEXT, *names, languages=["de"], dropUnsupportedAttributes=True)
    assert dropped.get_json()["attributeScores"] == {}
    assert checked == ["en", "de", "de"]


# --- suggestscore --------------------------------------------------------------------------------


def test_a_suggestion_is_acknowledged(client: FlaskClient):
    response = client.post(
        "/v1alpha1/comments:suggestscore?key=AIza",
        json={
            "comment": {"text": TEXT},
            "attributeScores": {
                "TOXICITY": {"summaryScore": {"value": 1}},
                "INSULT": {"spanScores": [{"begin": 0, "end": 3, "score": {"value": 0.5}}]},
            },
            "languages": ["en"],
            "communityId": "Coral:test",
            "clientToken": "comment:7",
        },
    )
    assert response.get_json() == {
        "clientToken": "comment:7",
        "requestedLanguages": ["en"],
        "detectedLanguages": ["en"],
    }


@pytest.mark.parametrize(
    "scores",
    [
        None,
        {},
        {"TOXICITY": {}},
        {"TOXICITY": {"summaryScore": {}}},
        {"TOXICITY": {"summaryScore": {"value": "x"}}},
        {"TOXICITY": {"spanScores": [{"begin": 0, "score": {"value": 1}}]}},
        {"TOXICITY": {"spanScores": {"begin": 0}}},
        {f"TOXICITY@{number}": {"summaryScore": {"value": 1}} for number in range(101)},
    ],
)
def test_a_suggestion_without_scores_is_an_error(client: FlaskClient, scores: Any):
    response = client.post(
        "/v1alpha1/comments:suggestscore",
        json={"comment": {"text": TEXT}, "attributeScores": scores},
    )
    assert error_of(response)["code"] == 400


@pytest.mark.parametrize("path", ["/v1alpha1/comments:analyze", "/batch", "/v1alpha1"])
def test_a_method_that_nobody_knows_is_refused_in_googles_form(client: FlaskClient, path: str):
    response = client.open(path, method="FOO", headers={"Origin": "https://example.org"})
    assert response.status_code == 405
    assert response.json["error"]["status"] == "UNIMPLEMENTED"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert client.open("/predict", method="FOO").json["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("value", [{}, 0, False, [1], {"en": 1}])
def test_languages_of_another_type_are_refused(client: FlaskClient, value: object):
    error = error_of(analyze(client, languages=value))
    assert error["message"] == "Invalid value at 'languages' (an array of TYPE_STRING)"
