"""Parses JSON bodies, and checks the one of POST /predict."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tox_com_det import strict_json
from tox_com_det.http.errors import ApiError

MEDIA_TYPE = "application/json"
_SHOWN_NAME = 40


@dataclass(frozen=True)
class PredictRequest:
    """The texts of a request; `single` for `{"text": ...}`."""

    texts: tuple[str, ...]
    single: bool


def parse_predict(
    body: bytes, media_type: str, charset: str | None, max_texts: int, max_chars: int
) -> PredictRequest:
    """Parse a body of POST /predict.

    Args:
        body: the raw bytes.
        media_type: Content-Type without parameters, in lower case.
        charset: the parameter `charset` of Content-Type, or None.
        max_texts: texts per request.
        max_chars: characters per text.

    Raises:
        ApiError: 415 unsupported_media_type, 400 bad_json, wrong_type, missing_field,
            unknown_field, empty_text, 413 text_too_long, too_many_texts.
    """
    data = parse_json(body, media_type, charset)
    if not isinstance(data, dict):
        raise ApiError(
            400,
            "wrong_type",
            f"the body is {_json_type(data)}, expected an object with text or texts",
        )
    unknown = sorted(data.keys() - {"text", "texts"})
    if unknown:
        raise ApiError(
            400, "unknown_field", f"unknown field {unknown[0][:_SHOWN_NAME]!r}: send text or texts"
        )
    if len(data) != 1:
        code = "unknown_field" if data else "missing_field"
        problem = "both text and texts are set" if data else "the object is empty"
        raise ApiError(400, code, f"{problem}: send either text or texts")
    if "text" in data:
        return PredictRequest((_text(data["text"], "text", max_chars),), single=True)
    texts = data["texts"]
    if not isinstance(texts, list):
        raise ApiError(
            400, "wrong_type", f"texts is {_json_type(texts)}, expected an array of strings"
        )
    if not texts:
        raise ApiError(400, "empty_text", "texts is empty: send at least one text")
    if len(texts) > max_texts:
        raise ApiError(
            413, "too_many_texts", f"texts has {len(texts)} items, the limit is {max_texts}"
        )
    return PredictRequest(
        tuple(_text(text, f"texts[{number}]", max_chars) for number, text in enumerate(texts)),
        single=False,
    )


def parse_json(body: bytes, media_type: str, charset: str | None) -> Any:
    """Parse a body as JSON; the arguments are those of `parse_predict`.

    Raises:
        ApiError: 415 unsupported_media_type, 400 bad_json.
    """
    if media_type != MEDIA_TYPE:
        raise ApiError(415, "unsupported_media_type", f"send Content-Type: {MEDIA_TYPE}")
    if charset is not None and charset.lower() not in ("utf-8", "utf8"):
        raise ApiError(415, "unsupported_media_type", "send JSON in UTF-8")
    if not body:
        raise ApiError(400, "bad_json", 'the body is empty, expected JSON such as {"text": "..."}')
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ApiError(400, "bad_json", f"the body is not UTF-8 (byte {error.start})") from error
    try:
        return strict_json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ApiError(400, "bad_json", f"the body is not JSON: {error.msg} ({where})") from error
    except (ValueError, RecursionError) as error:
        # Too many digits, too deeply nested, or a key twice.
        reason = "too deeply nested" if isinstance(error, RecursionError) else str(error)
        raise ApiError(400, "bad_json", f"the body cannot be read: {reason}") from error


def _text(value: Any, name: str, max_chars: int) -> str:
    if not isinstance(value, str):
        raise ApiError(400, "wrong_type", f"{name} is {_json_type(value)}, expected a string")
    if len(value) > max_chars:
        raise ApiError(
            413,
            "text_too_long",
            f"{name} has {len(value)} characters, the limit is {max_chars}",
        )
    if not value.strip():
        raise ApiError(400, "empty_text", f"{name} is empty")
    return value


def _json_type(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "a string", type(None): "null"}
    if isinstance(value, bool):
        return "a boolean"
    return names.get(type(value), "a number")
