"""The form in which a suggestion is stored."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import bson

from tox_com_det.perspective.errors import invalid
from tox_com_det.perspective.messages import SuggestRequest

# Beside the text: names, scores of spans, tokens. A document stays far below MongoDB's 16 MB.
MOST_BYTES_BESIDE_TEXT = 64 * 1024

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

Document = dict[str, Any]


@dataclass(frozen=True)
class Suggestion:
    """What one suggestscore request gets, and what is stored of it; None: nothing."""

    answer: dict[str, Any]
    document: Document | None


def document_of(request: SuggestRequest, detected: Sequence[str], at: datetime) -> Document:
    """The document of a suggestion: text, scores, languages, tokens and time.

    Args:
        request: must not ask that nothing is stored.
        detected: languages of the text.
        at: when it came in, UTC.

    Raises:
        GoogleError: 400, there is more beside the text than a suggestion has.
    """
    document: Document = {
        "at": at,
        "text": _text(request.text),
        # Not by their names as keys: a name may contain what a key must not.
        "scores": [
            {
                "attribute": _text(name),
                **{key: _score(one) for key, one in suggested.items() if key == "summary"},
                "spans": [_score(span) for span in suggested["spans"]],
            }
            for name, suggested in request.scores.items()
        ],
        "languages": [_text(one) for one in request.languages],
        "detected": list(detected),
    }
    if request.community_id is not None:
        document["community_id"] = _text(request.community_id)
    if request.client_token is not None:
        document["client_token"] = _text(request.client_token)
    size = len(bson.encode(document)) - len(document["text"].encode())
    if size > MOST_BYTES_BESIDE_TEXT:
        raise invalid(
            f"The suggestion has too many scores, names or tokens. Value ({size}) exceeded limit"
            f" ({MOST_BYTES_BESIDE_TEXT})."
        )
    return document


def _score(score: dict[str, Any]) -> dict[str, Any]:
    return {**score, "type": _text(score["type"])}


def _text(text: str) -> str:
    """Half of a surrogate pair has no UTF-8, which BSON needs."""
    return _LONE_SURROGATE.sub("\ufffd", text)
