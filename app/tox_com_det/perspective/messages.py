"""Requests of the API, read as leniently as Google reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sized
from dataclasses import dataclass
from typing import Any

from tox_com_det.perspective.errors import GoogleError, bad_field, invalid
from tox_com_det.perspective.fields import (
    read_boolean,
    read_integer,
    read_number,
    read_object,
    read_string,
)

# Of one request. Versions make names without end (`TOXICITY@1`, `TOXICITY@2`).
MOST_ATTRIBUTES = 100
MOST_LANGUAGES = 100
# Of what the response repeats: characters of a language, bytes of clientToken.
_MOST_LANGUAGE = 64
MOST_TOKEN_BYTES = 16 * 1024
_MAX_CONTEXT_BYTES = 1024 * 1024
_PLAIN = ("", "PLAIN_TEXT", "TEXT_TYPE_UNSPECIFIED")
_UNSET_SCORE_TYPE = ("", "SCORE_TYPE_UNSPECIFIED")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN = 64


@dataclass(frozen=True)
class Wanted:
    """A requested attribute: its name, its score type and the score below which it is left out."""

    name: str
    score_type: str
    threshold: float | None


@dataclass(frozen=True)
class AnalyzeRequest:
    """A request for the scores of one comment.

    `text` has half of a surrogate pair, as a client that cuts text sends it, replaced by U+FFFD.
    """

    text: str
    wanted: tuple[Wanted, ...]
    languages: tuple[str, ...]
    by_sentence: bool
    drop_unsupported: bool
    client_token: str | None


@dataclass(frozen=True)
class SuggestRequest:
    """A client's own judgement of a comment.

    `scores`: attribute -> {"summary": {"value", "type"}, "spans": [{"begin", "end", "value",
    "type"}]}, of which at least one is there.
    """

    text: str
    scores: Mapping[str, Any]
    languages: tuple[str, ...]
    do_not_store: bool
    community_id: str | None
    client_token: str | None


def read_analyze(data: Any, max_bytes: int) -> AnalyzeRequest:
    """Read an AnalyzeCommentRequest.

    Args:
        data: parsed JSON.
        max_bytes: of the comment, in UTF-8.

    Raises:
        GoogleError: 400, a field has the wrong type, or the request cannot be answered.
    """
    message = read_object(data, "")
    text = _comment(message, max_bytes)
    _check_context(message)
    requested = read_object(message.get("requestedAttributes"), "requestedAttributes", names=False)
    if not requested:
        raise invalid("Missing requested_attributes", "NO_REQUESTED_ATTRIBUTES")
    _check_number("requestedAttributes", requested, MOST_ATTRIBUTES)
    return AnalyzeRequest(
        text=text,
        wanted=tuple(_wanted(name, parameters) for name, parameters in requested.items()),
        languages=_languages(message),
        by_sentence=read_boolean(message, "spanAnnotations"),
        drop_unsupported=read_boolean(message, "dropUnsupportedAttributes"),
        client_token=_token(message),
    )


def read_suggest(data: Any, max_bytes: int) -> SuggestRequest:
    """Read a SuggestCommentScoreRequest.

    Raises:
        GoogleError: 400, see `read_analyze`.
    """
    message = read_object(data, "")
    text = _comment(message, max_bytes)
    _check_context(message)
    scores = read_object(message.get("attributeScores"), "attributeScores", names=False)
    if not scores:
        raise invalid("Missing attribute_scores", "NO_ATTRIBUTE_SCORES")
    _check_number("attributeScores", scores, MOST_ATTRIBUTES)
    return SuggestRequest(
        text=text,
        scores={name: _suggested(name, value) for name, value in scores.items()},
        languages=_languages(message),
        do_not_store=read_boolean(message, "doNotStore"),
        community_id=read_string(message, "communityId"),
        client_token=_token(message),
    )


def _comment(message: Mapping[str, Any], max_bytes: int) -> str:
    text = _entry(message.get("comment"), "comment")
    if not text.strip():
        raise invalid("Comment must be non-empty.", "COMMENT_EMPTY")
    size = len(text.encode("utf-8"))
    if size > max_bytes:
        raise invalid(
            f"Comment text was too many bytes. Value ({size}) exceeded limit ({max_bytes}).",
            "COMMENT_TOO_LONG",
        )
    return text


def _entry(value: Any, name: str) -> str:
    """The text of a TextEntry."""
    entry = read_object(value, name)
    if (read_string(entry, "type") or "") not in _PLAIN:
        raise invalid("Currently, only 'PLAIN_TEXT' comments are supported")
    return _LONE_SURROGATE.sub("\ufffd", read_string(entry, "text") or "")


def _check_context(message: Mapping[str, Any]) -> None:
    context = read_object(message.get("context"), "context")
    entries, article = context.get("entries"), context.get("articleAndParentComment")
    if entries and article:
        raise invalid(
            "Context can have either entries or article_and_parent_comment, but both fields were"
            " populated."
        )
    if not isinstance(entries, list | None):
        raise bad_field("context.entries", "an array")
    both = read_object(article, "context.articleAndParentComment")
    texts = [_entry(entry, "context.entries") for entry in entries or ()]
    texts += [_entry(both.get(name), f"context.{name}") for name in ("article", "parentComment")]
    for text in texts:
        size = len(text.encode("utf-8"))
        if size > _MAX_CONTEXT_BYTES:
            raise invalid(
                f"Context entry was too many bytes. Value ({size}) exceeded limit"
                f" ({_MAX_CONTEXT_BYTES})."
            )


def _languages(message: Mapping[str, Any]) -> tuple[str, ...]:
    value = message.get("languages")
    languages = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(languages, list) or not all(isinstance(one, str) for one in languages):
        raise bad_field("languages", "an array of TYPE_STRING")
    _check_number("languages", languages, MOST_LANGUAGES)
    if any(len(one) > _MOST_LANGUAGE for one in languages):
        raise bad_field("languages", f"{_MOST_LANGUAGE} characters at most")
    return tuple(filter(None, languages))


def _token(message: Mapping[str, Any]) -> str | None:
    token = read_string(message, "clientToken")
    size = 0 if token is None else len(token.encode("utf-8", "surrogatepass"))
    if size > MOST_TOKEN_BYTES:
        raise invalid(
            f"Client token was too many bytes. Value ({size}) exceeded limit ({MOST_TOKEN_BYTES})."
        )
    return token


def _check_number(field: str, items: Sized, most: int) -> None:
    if len(items) > most:
        raise invalid(f"Too many items in '{field}'. Value ({len(items)}) exceeded limit ({most}).")


def _wanted(name: str, value: Any) -> Wanted:
    parameters = read_object(value, f"requestedAttributes[{name[:_SHOWN]}]")
    score_type = read_string(parameters, "scoreType") or ""
    path = f"requestedAttributes[{name[:_SHOWN]}].scoreThreshold"
    return Wanted(
        name,
        "PROBABILITY" if score_type in _UNSET_SCORE_TYPE else score_type,
        read_number(parameters.get("scoreThreshold"), path),
    )


def _suggested(name: str, value: Any) -> dict[str, Any]:
    path = f"attributeScores[{name[:_SHOWN]}]"
    scores = read_object(value, path)
    spans = [] if scores.get("spanScores") is None else scores["spanScores"]
    if not isinstance(spans, list):
        raise bad_field(f"{path}.spanScores", "an array")
    result: dict[str, Any] = {}
    if scores.get("summaryScore") is not None:
        result["summary"] = _score(scores["summaryScore"], f"{path}.summaryScore")
    result["spans"] = [_suggested_span(span, f"{path}.spanScores") for span in spans]
    if not result["spans"] and "summary" not in result:
        raise invalid(f"Attribute {name[:_SHOWN]} has neither summary_score nor span_scores")
    return result


def _suggested_span(value: Any, path: str) -> dict[str, Any]:
    span = read_object(value, path)
    begin, end = (
        read_integer(span, "begin", f"{path}.begin"),
        read_integer(span, "end", f"{path}.end"),
    )
    if begin is None or end is None:
        raise invalid("Span scores must have begin and end")
    return {"begin": begin, "end": end, **_score(span.get("score"), f"{path}.score")}


def _score(value: Any, path: str) -> dict[str, Any]:
    score = read_object(value, path)
    number = read_number(score.get("value"), f"{path}.value")
    if number is None:
        raise GoogleError(400, f"Invalid value at '{path}': a score must have a value")
    return {"value": number, "type": read_string(score, "type") or "PROBABILITY"}
