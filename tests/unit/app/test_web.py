"""The HTTP API, through Flask's client, with a fake database that records lookups."""

import io
import json
import re

import numpy as np
import pytest
from tiny_bundle import LABELS

from tox_com_det.http import turns
from tox_com_det.store.documents import Row


def post(client, data, **headers):
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return client.post("/predict", data=body, **({"content_type": "application/json"} | headers))


def error_of(response):
    assert response.mimetype == "application/json"
    assert set(response.json) == {"error"}
    error = response.json["error"]
    assert set(error) == {"status", "code", "message"}
    assert error["status"] == response.status_code
    assert error["message"]
    return response.status_code, error["code"], error["message"]


def test_one_text_gives_its_scores_in_the_order_of_the_labels(client, bundle):
    response = post(client, {"text": "You are GREAT, zork"})
    assert response.status_code == 200
    assert set(response.json) == {"model", "scores", "words"}
    assert response.json["model"] == bundle.load().model_version
    assert response.json["words"] == {"known": 3, "unknown": 1, "used": 3}
    assert re.findall(r'"(\w+)":0\.', response.text) == list(LABELS)
    wanted = bundle.scores(["you", "are", "great"])
    assert list(response.json["scores"].values()) == pytest.approx(wanted, abs=1e-6)


def test_several_texts_give_their_results_in_order_with_one_lookup(client, bundle, database):
    response = post(client, {"texts": ["awful", "zork", "great work"]})
    assert set(response.json) == {"model", "results"}
    assert [one["words"]["known"] for one in response.json["results"]] == [1, 0, 2]
    found = response.json["results"][2]["scores"]["toxic"]
    assert found == pytest.approx(bundle.scores(["great", "work"])[0], abs=1e-6)
    assert len(database.asked) == 1


def test_words_that_were_cut_off_are_counted_and_not_looked_up(client, database):
    response = post(client, {"text": "zork and you are great and my work"})
    assert response.json["words"] == {"known": 6, "unknown": 0, "used": 6, "cut": 2}
    assert database.asked == [["you", "are", "great", "and", "my", "work"]]


def test_a_request_of_many_unknown_words_is_413_and_says_what_to_do(make_client, database):
    client = make_client(max_unknown_words=3000)
    texts = [" ".join(f"{k}z{n}" for n in range(2500)) for k in range(32)]
    status, code, message = error_of(post(client, {"texts": texts}))
    assert (status, code) == (413, "too_many_unknown_words")
    assert message.startswith("the request has more than 3000 different words")
    assert "send fewer or shorter texts" in message
    assert sum(map(len, database.asked)) <= 4000


def test_a_request_that_cannot_wait_is_503_busy(make_client, monkeypatch):
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(turns, "RUNNING", 0)
    client = make_client()
    response = post(client, {"text": "you"})
    assert error_of(response)[:2] == (503, "busy")
    assert response.headers["Retry-After"] == "1"
    assert client.get("/readyz").status_code == 503
    assert client.get("/livez").status_code == 200
    probe = {"X-Tox-Com-Det-Client": "probe"}
    assert client.get("/readyz", headers=probe).status_code == 200


def test_limits_are_in_limits_and_on_the_page(make_client):
    client = make_client(max_texts=7, max_chars=8, max_body_bytes=900, max_unknown_words=10)
    own = {"texts": 7, "characters_per_text": 8, "body_bytes": 900, "unknown_words": 10}
    own |= {"attributes": 100, "batch_requests": 1000, "batch_response_bytes": 4_000_000}
    assert client.get("/limits").json == own
    page = " ".join(client.get("/").text.split())
    assert "at most 7 texts" in page
    assert "of 8 characters each, 900 bytes, and 10 different words" in page
    assert "requests a second" not in page
    headers = {"X-Tox-Com-Det-Limits": "requests_per_second=50 burst=200 connections=50"}
    server = {"requests_per_second": 50, "burst": 200, "connections": 50}
    assert client.get("/limits", headers=headers).json == own | server
    page = " ".join(client.get("/", headers=headers).text.split())
    assert "50 requests a second, 200 at once on top of that, over 50 connections" in page


@pytest.mark.parametrize(
    "given", ["", "burst=<b>", "requests_per_second=-1 x", "burst=" + "9" * 99]
)
def test_limits_of_a_server_that_are_no_numbers_are_left_out(client, given):
    assert "burst" not in client.get("/limits", headers={"X-Tox-Com-Det-Limits": given}).json


def test_a_chunked_body_whose_length_the_server_states_is_read(client):
    body = json.dumps({"text": "you are great"}).encode()
    headers = {"Transfer-Encoding": "chunked", "Content-Length": str(len(body))}
    response = post(client, body, headers=headers)
    assert response.status_code == 200, response.text
    assert response.json["words"]["known"] == 3


def test_a_chunked_body_that_the_server_did_not_decode_is_411(client):
    environ = {"CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": "Chunked"}
    response = client.post("/predict", content_type="application/json", environ_overrides=environ)
    assert error_of(response)[:2] == (411, "length_required")


def test_no_message_is_pythons_own(client):
    for body in (b'{"text": ' + b"1" * 5000 + b"}", b'{"text": -' + b"1" * 5000 + b"}"):
        message = error_of(post(client, body))[2]
        assert "a number has 500" in message
        assert "the limit is 4300" in message
        assert "sys." not in message
    assert "utf-8-sig" not in error_of(post(client, b'\xef\xbb\xbf{"text": "you"}'))[2]


def test_a_list_of_one_text_gets_a_list(client):
    assert len(post(client, {"texts": ["you"]}).json["results"]) == 1


@pytest.mark.parametrize(
    "text", ["zork", "!!!", "a\x00b you", "\ud800 you", "\u200b", "😀" * 100, "x" * 20000]
)
def test_texts_without_known_words_or_with_odd_characters_are_scored(client, text):
    assert post(client, {"text": text}).status_code == 200


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"", "bad_json", "empty"),
        (b"{", "bad_json", "line 1, column 2"),
        (b"text=you", "bad_json", "not JSON"),
        (b'{"text": "you"} x', "bad_json", "Extra data"),
        (b'\xef\xbb\xbf{"text": "you"}', "bad_json", "BOM"),
        (b'{"text": "\xff"}', "bad_json", "not UTF-8 (byte 10)"),
        ('{"text": "you"}'.encode("utf-16"), "bad_json", "not UTF-8"),
        (b'{"text": "a", "text": "b"}', "bad_json", "occurs twice"),
        (b'{"text": NaN}', "bad_json", "NaN"),
        (b'{"text": ' + b"1" * 5000 + b"}", "bad_json", "cannot be read"),
        (b"[" * 200_000, "bad_json", "nested"),
        (b"null", "wrong_type", "null"),
        (b"[]", "wrong_type", "an array"),
        (b'"you"', "wrong_type", "a string"),
        (b'{"text": true}', "wrong_type", "text is a boolean"),
        (b'{"text": 1.5}', "wrong_type", "text is a number"),
        (b'{"text": null}', "wrong_type", "text is null"),
        (b'{"text": ["you"]}', "wrong_type", "text is an array"),
        (b'{"text": {"text": "you"}}', "wrong_type", "text is an object"),
        (b'{"texts": "you"}', "wrong_type", "texts is a string"),
        (b'{"texts": ["you", 1]}', "wrong_type", "texts[1] is a number"),
        (b'{"texts": ["you", ["a"]]}', "wrong_type", "texts[1] is an array"),
        (b"{}", "missing_field", "text or texts"),
        (b'{"txt": "you"}', "unknown_field", "'txt'"),
        (b'{"text": "you", "lang": "en"}', "unknown_field", "'lang'"),
        (b'{"text": "a", "texts": ["b"]}', "unknown_field", "both"),
        (b'{"\\ud800": 1}', "unknown_field", "unknown field"),
        (b'{"text": ""}', "empty_text", "text is empty"),
        (b'{"text": " \\t\\n\\u00a0"}', "empty_text", "text is empty"),
        (b'{"texts": []}', "empty_text", "at least one"),
        (b'{"texts": ["you", ""]}', "empty_text", "texts[1] is empty"),
    ],
)
def test_an_invalid_body_is_400_and_names_the_problem(client, body, code, words):
    status, found, message = error_of(post(client, body))
    assert (status, found) == (400, code)
    assert words in message


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application/jsonp",
    ],
)
def test_other_media_types_are_415(client, content_type):
    response = post(client, {"text": "you"}, content_type=content_type)
    assert error_of(response)[:2] == (415, "unsupported_media_type")


def test_charset_utf8_is_accepted(client):
    for content_type in ("application/json; charset=utf-8", "Application/JSON; charset=UTF-8"):
        assert post(client, {"text": "you"}, content_type=content_type).status_code == 200


def test_sizes_up_to_the_limit_are_accepted_and_above_it_413(make_client):
    client = make_client(max_texts=2, max_chars=5)
    assert post(client, {"texts": ["12345", "12345"]}).status_code == 200
    assert error_of(post(client, {"text": "123456"}))[:2] == (413, "text_too_long")
    assert error_of(post(client, {"texts": ["a", "b", "c"]}))[:2] == (413, "too_many_texts")
    status, code, message = error_of(post(client, {"texts": ["a", "123456"]}))
    assert (status, code) == (413, "text_too_long")
    assert message.startswith("texts[1] has 6 characters")


def test_a_body_that_is_too_large_is_413_before_it_is_read(make_client):
    response = post(make_client(max_body_bytes=100), b" " * 101)
    assert error_of(response) == (413, "body_too_large", "the body is larger than 100 bytes")


@pytest.mark.parametrize("path", ["/nope", "/predict/", "/static/x", "/%00", "/..%2fetc", "/é"])
def test_unknown_paths_are_404(client, path):
    assert error_of(client.get(path))[:2] == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/predict", "POST"), ("PUT", "/predict", "POST"), ("POST", "/livez", "GET")],
)
def test_other_methods_are_405_and_name_the_allowed_one(client, method, path, allowed):
    response = client.open(path, method=method)
    message = f"method not allowed; use {allowed}"
    assert error_of(response) == (405, "method_not_allowed", message)
    assert allowed in response.headers["Allow"]


def test_predictions_are_503_only_while_the_database_is_down(client, database):
    database.away = True
    response = post(client, {"text": "you"})
    assert error_of(response)[:2] == (503, "database_unavailable")
    assert response.headers["Retry-After"] == "1"
    assert "27017" not in response.text
    database.away = False
    assert post(client, {"text": "you"}).status_code == 200


def test_predictions_are_503_not_ready_without_the_right_collection(client, database):
    database.problem = "word_embeddings.x is not restored: run `fab restore-embeddings`"
    status, code, message = error_of(post(client, {"text": "you"}))
    assert (status, code) == (503, "not_ready")
    assert "fab restore-embeddings" in message


def test_a_score_that_is_not_a_number_is_500(client, bundle, database):
    nan = np.full(bundle.dimension, np.nan, "<f4").tobytes()
    database.rows["you"] = Row("you", 1, nan)
    response = post(client, {"texts": ["are", "you"]})
    assert error_of(response)[:2] == (500, "internal")
    assert "NaN" not in response.text


def test_an_unexpected_error_is_500_in_the_same_form(client, database, caplog):
    def broken(words):
        raise RuntimeError("secret detail")

    database.find = broken
    response = post(client, {"text": "you"})
    assert error_of(response)[:2] == (500, "internal")
    assert "secret" not in response.text
    assert "builtins.RuntimeError" in caplog.text
    assert "in broken" in caplog.text


def test_an_unexpected_error_is_logged_without_the_words_of_a_comment(client, database, caplog):
    """Libraries quote what they were given, and so do the causes of an exception."""

    def broken(words):
        try:
            raise KeyError(words[0])
        except KeyError as error:
            raise ValueError(f"cannot encode {words}") from error

    database.find = broken
    assert error_of(post(client, {"text": "canary"}))[:2] == (500, "internal")
    assert "builtins.KeyError" in caplog.text
    assert "builtins.ValueError" in caplog.text
    assert "canary" not in caplog.text


def test_the_articles_routes_exist(client, bundle):
    assert client.get("/test").json == {"hello": "there"}
    assert client.get("/load-model").json == bundle.manifest()["architecture"]


def test_livez_names_the_slot_and_does_not_use_the_database(client, database):
    database.away = True
    response = client.get("/livez")
    assert (response.status_code, response.json) == (200, {"status": "live", "slot": "blue"})
    assert database.asked == []


def test_every_response_names_model_and_slot(client, bundle):
    for path in ("/", "/livez", "/nope"):
        headers = client.get(path).headers
        assert headers["X-Tox-Com-Det-Model"] == bundle.load().model_version
        assert headers["X-Tox-Com-Det-Slot"] == "blue"
        assert headers["Cache-Control"] == "no-store"


class Input(io.BytesIO):
    """The body as a server passes it on."""


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/nope", 404), ("PUT", "/predict", 405), ("POST", "/predict", 415)],
)
def test_a_body_that_nobody_wants_is_read_to_its_end(client, method, path, status):
    """Otherwise uWSGI closes the connection under nginx, and the response is lost."""
    body = Input(b"x" * 300_000)
    environ = {"wsgi.input": body, "CONTENT_LENGTH": "300000"}
    response = client.open(path, method=method, environ_overrides=environ)
    assert response.status_code == status
    assert body.tell() == 300_000


def test_a_client_that_went_away_while_its_body_was_read_is_no_error(client):
    class Broken(Input):
        def read(self, size=-1):
            raise OSError("timeout during read")

    environ = {"wsgi.input": Broken(), "CONTENT_LENGTH": "10"}
    assert client.post("/nope", environ_overrides=environ).status_code == 404
