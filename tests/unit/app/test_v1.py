"""POST /v1/predict through Flask's client."""

import json
import re

import pytest
from test_web import error_of
from tiny_bundle import LABELS

from tox_com_det.http import v1
from tox_com_det.http.forms import NOT_BLANK


def post(client, data, **headers):
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return client.post("/v1/predict", data=body, **({"content_type": "application/json"} | headers))


def test_the_answer_has_model_scores_and_words(client, bundle):
    response = post(client, {"text": "You are GREAT, zork zork"})
    assert (response.status_code, response.mimetype) == (200, "application/json")
    assert set(response.json) == {"model", "results"}
    assert response.json["model"] == {"name": "tiny", "version": bundle.load().model_version}
    (result,) = response.json["results"]
    assert set(result) == {"scores", "words"}
    assert list(result["scores"]) == list(LABELS)
    wanted = bundle.scores(["you", "are", "great"])
    assert list(result["scores"].values()) == pytest.approx(wanted, abs=1e-6)
    counts = {"known": 3, "unknown": 2, "used": 3, "cut": 0}
    assert result["words"] == counts | {"unknown_words": ["zork"]}


def test_scores_are_those_of_predict(client):
    texts = ["you are great", "awful work", "zork and you are great and my work"]
    old = client.post("/predict", json={"texts": texts}).json["results"]
    new = post(client, {"texts": texts, "explain": False}).json["results"]
    assert [one["scores"] for one in new] == [one["scores"] for one in old]
    for one, other in zip(new, old, strict=True):
        del one["words"]["unknown_words"]
        assert one["words"] == {"cut": 0} | other["words"]


def test_an_explanation_has_words_places_and_contributions(client, database):
    body = {"texts": ["Awful, zork you!", "zork"], "explain": True}
    first, second = post(client, body).json["results"]
    assert len(database.asked) == 1
    awful, you = first["explanation"]
    assert (awful["word"], awful["known"], awful["places"]) == ("awful", True, [[0, 5]])
    assert you["places"] == [[12, 15]]
    rest = post(client, {"text": "you"}).json["results"][0]["scores"]
    for label in LABELS:
        difference = first["scores"][label] - rest[label]
        assert awful["contributions"][label] == pytest.approx(difference, abs=1e-5)
    assert second["explanation"] == []


def test_too_much_to_explain_is_413_and_says_what_to_do(client, monkeypatch):
    monkeypatch.setattr(v1, "MOST_EXPLAINED", 2)
    body = {"text": "you are great"}
    assert post(client, body).status_code == 200
    status, code, message = error_of(post(client, body | {"explain": True}))
    assert (status, code) == (413, "too_many_words_to_explain")
    assert "leave out explain" in message


def test_half_of_a_surrogate_pair_becomes_the_replacement_character(client):
    result = post(client, b'{"text": "you \\ud800"}').json["results"][0]
    assert result["words"]["unknown_words"] == ["\ufffd"]


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({}, "", "either `text` or `texts`"),
        ({"text": "a", "texts": ["a"]}, "", "either `text` or `texts`"),
        ({"text": 1}, "/text", "must be a string"),
        ({"text": None}, "/text", "must be a string"),
        ({"text": ""}, "/text", "must not be empty"),
        ({"text": " \n"}, "/text", "must not be empty"),
        ({"text": "123456"}, "/text", "must have at most 5 characters"),
        ({"texts": []}, "/texts", "must not be empty"),
        ({"texts": ["a", "b", "c"]}, "/texts", "must have at most 2 items"),
        ({"texts": "a"}, "/texts", "must be an array"),
        ({"texts": ["a", 5]}, "/texts/1", "must be a string"),
        ({"text": "a", "explain": 1}, "/explain", "must be true or false"),
        ({"text": "a", "sort": 1}, "", "unknown field `sort`"),
        ([], "", "must be an object"),
        (b'{"\\ud800": "you"}', "", "unknown field"),
        (b'{"text": "a", "\\udfff": 1}', "", "unknown field"),
    ],
)
def test_a_body_of_another_form_is_422_and_points_to_the_part(make_client, body, pointer, words):
    client = make_client(max_texts=2, max_chars=5)
    headers = {"Accept": "application/problem+json"}
    response = post(client, body, headers=headers)
    assert (response.status_code, response.mimetype) == (422, "application/problem+json")
    assert response.json["code"] == "invalid_request"
    detail = response.json["detail"]
    assert words in detail
    assert not {"Expected", "Object", "regex"} & set(detail.split())
    wanted = {"detail": detail, "pointer": f"#{pointer}"}
    assert response.json["errors"] == [wanted]
    assert error_of(post(client, body))[:2] == (422, "invalid_request")


def test_the_pattern_of_a_text_is_the_one_of_strip():
    for number in range(0x110000):
        assert bool(re.search(NOT_BLANK, chr(number))) is bool(chr(number).strip()), hex(number)


@pytest.mark.parametrize("body", [b"", b"{", b'{"text": "a", "text": "b"}', b"\xff", b"NaN"])
def test_what_is_not_json_is_400_bad_json(client, body):
    assert error_of(post(client, body))[:2] == (400, "bad_json")


def test_another_media_type_is_415(client):
    response = post(client, {"text": "a"}, content_type="text/plain")
    assert error_of(response)[:2] == (415, "unsupported_media_type")


def test_a_key_is_required_where_predict_requires_one(make_client):
    client = make_client(require_key=True)
    assert error_of(post(client, {"text": "a"}))[:2] == (401, "key_required")
