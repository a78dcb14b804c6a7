"""POST /batch: many requests in one multipart/mixed body."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tox_com_det.model.predictor import Predictor
from tox_com_det.perspective.batch import Part, read_batch
from tox_com_det.perspective.errors import GoogleError
from tox_com_det.perspective.lenient_json import PartsUnpacker

MIXED = "multipart/mixed; boundary=b"


def part(text: str = "you are", number: str = "1", line: str = "", **more: Any) -> str:
    request = {"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}, **more}
    line = line or "POST /v1alpha1/comments:analyze?key=AIza&alt=json HTTP/1.1"
    return (
        "--b\nContent-Type: application/http\nMIME-Version: 1.0\n"
        f"Content-Transfer-Encoding: binary\nContent-ID: <uuid + {number}>\n\n"
        f"{line}\nContent-Type: application/json\nhost: x\n\n{json.dumps(request)}\n"
    )


def send(client: FlaskClient, *parts: str, content_type: str = MIXED) -> TestResponse:
    body = "".join(parts) + "--b--\n"
    return client.post("/batch", data=body.encode(), content_type=content_type)


def responses(response: TestResponse) -> list[tuple[str, int, Any]]:
    """Content-ID, status and content of each part."""
    assert response.status_code == 200, response.text
    boundary = response.content_type.partition("boundary=")[2]
    found = []
    for one in response.text.split(f"--{boundary}")[1:-1]:
        outer, inner, content = one.strip().split("\r\n\r\n", 2)
        content_id = next(line for line in outer.split("\r\n") if line.startswith("Content-ID: "))
        status = int(inner.split()[1])
        found.append((content_id.partition(": ")[2], status, json.loads(content)))
    return found


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_part_has_a_response_in_order(client: FlaskClient, end: str):
    texts = ["you are", "great", ""]
    parts = [part(text, str(number)).replace("\n", end) for number, text in enumerate(texts)]
    found = responses(send(client, *parts))
    assert [(name, status) for name, status, _ in found] == [
        ("<response-uuid + 0>", 200),
        ("<response-uuid + 1>", 200),
        ("<response-uuid + 2>", 400),
    ]
    assert found[2][2]["error"]["message"] == "Comment must be non-empty."
    for text, (_, _, content) in zip(texts[:2], found, strict=False):
        expected = client.post("/predict", json={"text": text}).get_json()["scores"]["toxic"]
        score = content["attributeScores"]["TOXICITY"]["summaryScore"]["value"]
        assert score == pytest.approx(expected, abs=1e-6)


def test_parts_are_scored_together(client: FlaskClient, monkeypatch: pytest.MonkeyPatch):
    sizes: list[int] = []
    predict = Predictor.predict

    def counted(predictor: Predictor, texts: list[str], most: int) -> Any:
        sizes.append(len(texts))
        return predict(predictor, texts, most)

    monkeypatch.setattr(Predictor, "predict", counted)
    texts = [f"you are {number}" for number in range(100)]
    assert len(responses(send(client, *(part(text) for text in texts)))) == 100
    assert sizes == [64, 36]


def test_a_long_content_id_is_unfolded(client: FlaskClient):
    name = "x" * 60_000 + "\n y"
    ((content_id, status, _),) = responses(send(client, part(number=name)))
    assert (content_id, status) == (f"<response-uuid + {'x' * 60_000} y>", 200)


def test_a_content_id_beyond_ascii_comes_back_as_it_was(client: FlaskClient):
    ((content_id, status, _),) = responses(send(client, part(number="\u00fc \U0001f600")))
    assert (content_id, status) == ("<response-uuid + \u00fc \U0001f600>", 200)


def test_an_answer_is_indented_where_its_request_asks_for_it(client: FlaskClient):
    line = "POST /v1alpha1/comments:analyze?prettyPrint=true HTTP/1.1"
    assert b'\n  "attributeScores"' in send(client, part(line=line)).data
    assert b'{"attributeScores":{"TOXICITY":{' in send(client, part()).data


def test_a_content_id_adds_no_header(client: FlaskClient):
    response = send(client, part(number="1>\r\n X-Other: 1\r\n <"))
    assert "\r\nX-Other" not in response.text
    assert len(responses(response)) == 1


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (part(line="nothing"), 400),
        (part(line="GET /v1alpha1/comments:analyze HTTP/1.1"), 405),
        (part(line="POST /v1alpha1/comments:nothing HTTP/1.1"), 404),
        (part(line="POST /batch HTTP/1.1"), 404),
        (part(line="POST /v1alpha1/comments:analyze?fields=a( HTTP/1.1"), 400),
        (part(line="POST http:///v1alpha1 HTTP/1.1"), 404),
        (part(requestedAttributes={"SPAM": {}}), 400),
        (part().replace("application/http", "text/plain"), 400),
        (part().replace("application/json\n", "application/json\nContent-Encoding: br\n"), 415),
    ],
)
def test_a_wrong_part_has_an_error_of_its_own(client: FlaskClient, wrong: str, code: int):
    found = responses(send(client, wrong, part(), wrong))
    assert [status for _, status, _ in found] == [code, 200, code]
    assert found[0][2]["error"]["code"] == code


def test_a_suggestion_may_be_a_part(client: FlaskClient):
    line = "POST /v1alpha1/comments:suggestscore?prettyPrint=false HTTP/1.1"
    scores = {"TOXICITY": {"summaryScore": {"value": 1}}}
    ((_, status, content),) = responses(
        send(client, part(line=line, attributeScores=scores, clientToken="x"))
    )
    assert status == 200
    assert content["clientToken"] == "x"


def test_too_many_unknown_words_are_the_error_of_their_part(
    make_client: Callable[..., FlaskClient],
):
    client = make_client(max_unknown_words=3)
    found = responses(send(client, part(), part("a b c d e"), part("great")))
    assert [status for _, status, _ in found] == [200, 400, 200]


def test_sentences_of_a_batch_are_bounded(client: FlaskClient):
    many = [part("you. " * 128, spanAnnotations=True) for _ in range(2)]
    different = [
        part(" ".join(f"{number}{letter}." for letter in range(128)), spanAnnotations=True)
        for number in range(40)
    ]
    found = responses(send(client, *many, *different))
    statuses = [status for _, status, _ in found]
    assert statuses[0] == 200
    assert statuses[-1] == 429


def test_scores_of_a_batch_are_bounded(client: FlaskClient):
    # Two texts each: one sentence, 128 times.
    versions = {f"TOXICITY@{number}": {} for number in range(100)}
    many = part("you. " * 128, spanAnnotations=True, requestedAttributes=versions)
    response = send(client, *[many] * 300)
    statuses = [status for _, status, _ in responses(response)]
    assert (statuses[0], statuses[-1]) == (200, 429)
    assert [status for _, status, _ in responses(send(client, many))] == [200]


def packed(content: bytes) -> bytes:
    head = b"--b\nContent-Type: application/http\n\nPOST /v1alpha1/comments:analyze\n"
    return head + b"Content-Encoding: gzip\n\n" + content + b"\n"


def test_packed_parts_have_the_limit_of_one_body_together(make_client: Callable[..., FlaskClient]):
    request = {"comment": {"text": "you"}, "requestedAttributes": {"TOXICITY": {}}}
    content = gzip.compress(json.dumps({**request, "unread": "x" * 40_000}).encode())
    body = packed(content) * 5 + part().encode() + b"--b--\n"
    response = make_client(max_body_bytes=100_000).post("/batch", data=body, content_type=MIXED)
    found = responses(response)
    assert [status for _, status, _ in found] == [200, 200, 413, 413, 413, 200]
    assert found[2][2]["error"]["message"] == (
        "The unpacked parts are larger than 100000 bytes: send fewer"
    )


def test_a_packed_part_that_fails_counts_as_well():
    unpack = PartsUnpacker(100_000)
    good, wrong = gzip.compress(b"x" * 1000), gzip.compress(b"x" * 90_000)[:-1]
    assert unpack(good, "gzip") == b"x" * 1000
    with pytest.raises(GoogleError, match="truncated"):
        unpack(wrong, "gzip")
    with pytest.raises(GoogleError, match="send gzip or none"):
        unpack(good, "br")
    with pytest.raises(GoogleError, match="unpacked parts are larger"):
        unpack(good, "gzip")
    assert unpack(b"x", "identity") == b"x"


@pytest.mark.parametrize(
    ("parts", "content_type"),
    [
        ([part()], "application/json"),
        ([part()], "multipart/mixed"),
        ([part()], "multipart/mixed; boundary=other"),
        ([part()], "multipart/form-data; boundary=b"),
        ([], MIXED),
        ([part()] * 1001, MIXED),
        ([part(number="x" * 1_000_001)], MIXED),
    ],
)
def test_what_is_no_batch_is_an_error(client: FlaskClient, parts: list[str], content_type: str):
    response = send(client, *parts, content_type=content_type)
    assert response.status_code == 400
    assert response.get_json()["error"]["status"] == "INVALID_ARGUMENT"


def nested(depth: int, lines: int) -> bytes:
    """A part that is a multipart in a multipart, and so on."""
    levels = (
        b"Content-Type: multipart/mixed; boundary=n%d\n\n--n%d\n" % (n, n) for n in range(depth)
    )
    return b"--b\n" + b"".join(levels) + b"a\n" * lines + b"--b--\n"


def test_a_multipart_inside_a_part_is_not_followed(client: FlaskClient):
    response = client.post("/batch", data=nested(1500, 10), content_type=MIXED)
    assert [status for _, status, _ in responses(response)] == [400]


def test_time_grows_as_the_levels_and_lines_do():
    def seconds(size: int) -> float:
        body = nested(size, 50 * size)
        begin = time.thread_time()
        read_batch(MIXED, body)
        return time.thread_time() - begin

    # 16 times of both: 16 times the time, or 256 if each level read all lines again. What lies
    # between them is for a machine that is quicker at one moment than at another.
    assert min(seconds(1600) for _ in range(3)) < 100 * min(seconds(100) for _ in range(3))


def contents(body: str, content_type: str = MIXED) -> list[tuple[str, bytes]]:
    parts: list[Part] = read_batch(content_type, body.encode())
    return [(one.target, one.body) for one in parts]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_batch_is_split_at_its_boundary_as_rfc_2046_says(end: str):
    one = "Content-Type: application/http\n\nPOST /1\n\nx --b\n--bc\n --b\n\n"
    two = "Content-Type: application/http\n\nPOST /2\n\ny\n"
    body = f"before\n--b \t\n{one}--b\n--b\n{two}--b-- \nbehind\n--b\n{two}".replace("\n", end)
    # The line end in front of a boundary belongs to it.
    expected = [("/1", "x --b\n--bc\n --b\n".replace("\n", end).encode()), ("/2", b"y")]
    assert contents(body) == expected
    assert contents(body, 'Multipart/Mixed; charset=x; boundary="b"') == expected


def test_a_last_part_without_an_end_is_one():
    part_of_two = "--b\nContent-Type: application/http\n\nPOST /1\n\n"
    assert contents(f"{part_of_two}x\n{part_of_two}y") == [("/1", b"x"), ("/1", b"y")]
    assert contents(f"{part_of_two}x\n--b\n") == [("/1", b"x")]
