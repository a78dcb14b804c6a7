"""What went wrong in answering a request, in Google's form."""

from __future__ import annotations

import logging
import traceback

from werkzeug.exceptions import HTTPException

from tox_com_det.http.errors import ApiError
from tox_com_det.http.turns import Busy
from tox_com_det.keys.access import AccessRefused
from tox_com_det.model.usable_words import TooManyUnknownWords
from tox_com_det.perspective.errors import GoogleError
from tox_com_det.perspective.refusals import refusal
from tox_com_det.store.errors import DatabaseUnavailable, EmbeddingNotReady
from tox_com_det.suggestions.store import SuggestionsUnavailable

LOG = logging.getLogger("tox_com_det")

_RETRY = {"Retry-After": "1"}
_KNOWN: dict[type[Exception], GoogleError] = {
    Busy: GoogleError(503, "The server is busy: retry in a second", headers=_RETRY),
    DatabaseUnavailable: GoogleError(
        503, "The word vectors are unavailable: retry in a second", headers=_RETRY
    ),
    EmbeddingNotReady: GoogleError(503, "The word vectors are not ready: see the server's log"),
    SuggestionsUnavailable: GoogleError(
        503, "The suggestion could not be stored: retry in a second", headers=_RETRY
    ),
    TooManyUnknownWords: GoogleError(
        400, "The comment has too many words that the model does not know: send a shorter one"
    ),
}


def as_google_error(error: Exception) -> GoogleError:
    """The response to an error. What nobody expected is logged, without the request's content."""
    if isinstance(error, GoogleError):
        return error
    if isinstance(error, ApiError):
        return GoogleError(error.status, error.message)
    if isinstance(error, AccessRefused):
        return refusal(error)
    for kind, answer in _KNOWN.items():
        if isinstance(error, kind):
            LOG.warning("perspective: %s", kind.__name__)
            return answer
    if isinstance(error, HTTPException) and 400 <= (error.code or 500) < 500:
        return GoogleError(error.code or 400, f"The request cannot be answered: {error.name}")
    # Without the error's own words, which may repeat the comment.
    frames = "".join(traceback.format_tb(error.__traceback__))
    LOG.error("perspective: %s\n%s", type(error).__name__, frames)
    return GoogleError(500, "Internal error encountered.")
