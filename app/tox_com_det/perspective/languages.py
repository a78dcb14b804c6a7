"""Languages: what a request names, what is detected, and what the model was trained for."""

from __future__ import annotations

from collections.abc import Sequence

from tox_com_det.perspective.detector import Detector, is_language
from tox_com_det.perspective.errors import SHOWN, GoogleError, invalid
from tox_com_det.perspective.messages import AnalyzeRequest


class Languages:
    """The languages of one model. Safe to use from several threads."""

    def __init__(self, known: Sequence[str], detector: Detector | None, refuse: bool) -> None:
        """`known`: of the model. `detector`: None detects nothing. `refuse`: what it does not know,
        where the client named no language; otherwise that is scored.
        """
        self._known = list(known)
        self._lower = frozenset(one.lower() for one in known)
        self._detector = detector
        self._refuse = refuse and detector is not None

    def detected(self, text: str) -> tuple[str, ...]:
        """The languages of a text, the likeliest first; () where it is not clear."""
        return () if self._detector is None else self._detector.languages(text)

    def check(self, attribute: str, request: AnalyzeRequest, detected: Sequence[str]) -> None:
        """Check the languages of a request.

        Raises:
            GoogleError: 400, the model does not have one, or there is none.
        """
        if request.languages:
            foreign = [one for one in request.languages if not self._reads(one)]
            if foreign:
                raise _unsupported(attribute, foreign, "requestedLanguages", request.languages)
        elif self._refuse:
            if not is_language(request.text):
                raise invalid("Unable to detect language", "LANGUAGE_DETECTION_FAILED")
            if detected and not self._reads(detected[0]):
                raise _unsupported(attribute, detected, "detectedLanguages", detected)

    def of_response(self, request: AnalyzeRequest, detected: Sequence[str]) -> list[str]:
        """The languages as which a comment was scored."""
        if request.languages:
            return list(request.languages)
        return [one for one in detected if self._reads(one)][:1] or self._known[:1]

    def _reads(self, language: str) -> bool:
        language = language.lower().replace("_", "-")
        return language in self._lower or language.split("-", 1)[0] in self._lower


def _unsupported(
    attribute: str, foreign: Sequence[str], field: str, languages: Sequence[str]
) -> GoogleError:
    name = attribute[:SHOWN]
    return invalid(
        f"Attribute {name} does not support request languages: "
        + ", ".join(one[:SHOWN] for one in foreign),
        "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
        languageNotSupportedByAttributeError={field: list(languages), "attribute": name},
    )
