"""What the routes answer that have no definition of their own: for the document, and its tests."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from tox_com_det.http.errors import TITLES
from tox_com_det.http.forms import Count, Score, Version


class ErrorPart(Struct, frozen=True):
    """What is wrong: `code` is for programs, `message` for people."""

    status: Annotated[int, Meta(ge=400, le=599)]
    code: Annotated[str, Meta(extra_json_schema={"enum": list(TITLES)})]
    message: str


class Error(Struct, frozen=True):
    """An error in this project's own form."""

    error: ErrorPart


class ProblemPart(Struct, frozen=True):
    """A part of the body that is wrong; `pointer` is a JSON pointer (RFC 6901) to it."""

    detail: str
    pointer: str


class Problem(Struct, frozen=True):
    """An error in the form of RFC 9457, for `Accept: application/problem+json`."""

    type: Annotated[str, Meta(extra_json_schema={"format": "uri"})]
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: str
    code: Annotated[str, Meta(extra_json_schema={"enum": list(TITLES)})]
    errors: list[ProblemPart] | UnsetType = UNSET


class CountedWords(Struct, frozen=True):
    """Counts of a text's words; `cut` where some were beyond the length that the model reads."""

    known: Count
    unknown: Count
    used: Count
    cut: Count | UnsetType = UNSET


class Scored(Struct, frozen=True):
    """One text of several in an answer of /predict."""

    scores: dict[str, Score]
    words: CountedWords


class PredictOne(Struct, frozen=True):
    """The answer of /predict to `text`."""

    model: Version
    scores: dict[str, Score]
    words: CountedWords


class PredictMany(Struct, frozen=True):
    """The answer of /predict to `texts`."""

    model: Version
    results: list[Scored]


class Limits(Struct, frozen=True):
    """What a request may hold; the last three where nginx is in front of the service."""

    texts: Count
    characters_per_text: Count
    body_bytes: Count
    unknown_words: Count
    attributes: Count
    batch_requests: Count
    batch_response_bytes: Count
    requests_per_second: Count | UnsetType = UNSET
    burst: Count | UnsetType = UNSET
    connections: Count | UnsetType = UNSET


class Live(Struct, frozen=True):
    """The process answers."""

    status: Literal["live"]
    slot: str


class Ready(Struct, frozen=True):
    """Whether predictions are possible: every check in order, `ok` or what is wrong."""

    status: Literal["ready", "not ready"]
    model: Version
    checks: dict[str, str]
    app: str
    warnings: list[str] | UnsetType = UNSET
    error: ErrorPart | UnsetType = UNSET


class Greeting(Struct, frozen=True):
    """The article's greeting."""

    hello: Literal["there"]
