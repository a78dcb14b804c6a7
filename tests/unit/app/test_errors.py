"""The two forms of an error, and the codes of those that only have a status."""

import re
from pathlib import Path

import pytest
import werkzeug.exceptions
from test_web import error_of

import tox_com_det
from tox_com_det.http.errors import TITLES, code_of

PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("accept", "is_problem"),
    [
        (None, False),
        ("*/*", False),
        ("application/*", False),
        ("application/json", False),
        (PROBLEM, True),
        (f"application/json, {PROBLEM}", True),
        (f"application/json, {PROBLEM};q=0.5", False),
        (f"application/json;q=0.1, {PROBLEM};q=0.5", True),
        (f"{PROBLEM};q=0", False),
        ("not a media type;;;", False),
    ],
)
@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/predict", 415, "unsupported_media_type"),
        ("GET", "/nope", 404, "not_found"),
        ("GET", "/v1/predict", 405, "method_not_allowed"),
    ],
)
def test_accept_decides_about_the_form(client, accept, is_problem, method, path, status, code):
    headers = {} if accept is None else {"Accept": accept}
    response = client.open(path, method=method, headers=headers)
    assert response.headers["Vary"] == "Accept"
    if not is_problem:
        assert error_of(response)[:2] == (status, code)
        return
    assert (response.status_code, response.mimetype) == (status, PROBLEM)
    assert set(response.json) == {"type", "title", "status", "detail", "code"}
    assert response.json["type"] == f"http://localhost/docs#error-{code}"
    assert response.json["title"] == TITLES[code]
    assert (response.json["status"], response.json["code"]) == (status, code)


def test_a_missing_key_is_a_problem_as_well(make_client):
    client = make_client(require_key=True)
    response = client.post("/predict", json={"text": "a"}, headers={"Accept": PROBLEM})
    assert response.json["code"] == "key_required"
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_every_status_has_a_code_of_its_own():
    codes = {status: code_of(status) for status in range(400, 500)}
    assert "bad_json" not in codes.values()
    for status, code in [(400, "bad_request"), (404, "not_found"), (406, "not_acceptable")]:
        assert codes[status] == code
    assert (codes[408], codes[410], codes[499]) == ("request_timeout", "gone", "bad_request")
    assert (code_of(500), code_of(502), code_of(599)) == ("internal", "unavailable", "internal")


def test_every_error_of_werkzeug_gets_its_code(client):
    for error in werkzeug.exceptions.default_exceptions.values():
        if 400 <= (error.code or 0) < 500:
            client.application.view_functions["test"] = raising(error)
            status, code, _ = error_of(client.get("/test"))
            assert (status, code) == (error.code, code_of(error.code))


def raising(error):
    def view():
        raise error

    return view


def test_every_code_in_the_source_has_a_title():
    source = "\n".join(
        path.read_text() for path in Path(tox_com_det.__file__).parent.rglob("http/*.py")
    )
    used = set(re.findall(r'ApiError\(\s*\d+,\s*"(\w+)"', source))
    used |= set(re.findall(r'_retry\("(\w+)"', source)) | set(re.findall(r'\d, "(\w+)", ', source))
    assert len(used) > 10
    assert used <= TITLES.keys()
