"""The bodies of /v1: these definitions validate requests, and /openapi.json is made from them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Protocol, cast

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from tox_com_det.http.errors import ApiError

# A description becomes part of the schema.
Score = Annotated[float, Meta(ge=0, le=1)]
Contribution = Annotated[float, Meta(ge=-1, le=1)]
Count = Annotated[int, Meta(ge=0)]
Version = Annotated[str, Meta(pattern="^[0-9a-f]{12}$")]

# One character at least that `str.strip` keeps. Not \S, which is another set of characters in each
# library that reads a schema.
NOT_BLANK = r"[^\t-\r\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
_WHERE = re.compile(r" - at `\$(.*)`\Z", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_SHOWN = 200
# What msgspec says, in the words of this API.
_KINDS = {
    "str": "a string",
    "array": "an array",
    "object": "an object",
    "bool": "true or false",
}
_EXPECTED = re.compile(r"Expected `(\w+)`(?:, got| of length ([<>])= (\d+)| matching regex)")
_UNKNOWN = re.compile(r"Object contains (unknown field `.*`)\Z", re.DOTALL)


class PredictRequest(Protocol):
    """A body of POST /v1/predict after it was validated: exactly one of text and texts is set."""

    text: str | UnsetType
    texts: list[str] | UnsetType
    explain: bool


class Model(Struct, frozen=True):
    """The model that scored the texts."""

    name: str
    version: Version


class Words(Struct, frozen=True):
    """How the words of a text were read.

    A word that was cut off, because the model reads no longer texts, counts in `cut` alone.
    """

    known: Count
    unknown: Count
    used: Annotated[int, Meta(ge=0, description="Words that the scores depend on.")]
    cut: Count
    unknown_words: Annotated[list[str], Meta(description="Each once, as the model reads them.")]


class ExplainedWord(Struct, frozen=True):
    """A word as the model reads it, and what it contributes to each score.

    A contribution is the score minus the score with this word's vector replaced by padding,
    wherever it occurs. Contributions do not add up to the score.
    """

    word: str
    known: bool
    places: Annotated[
        list[tuple[Count, Count]],
        Meta(description="Where it is in the text: first character, and the one behind the last."),
    ]
    contributions: dict[str, Contribution]


class Result(Struct, frozen=True):
    """The scores of one text, by label; `explanation` where it was asked for."""

    scores: dict[str, Score]
    words: Words
    explanation: list[ExplainedWord] | UnsetType = UNSET


class PredictResponse(Struct, frozen=True):
    """The results of the texts, in their order."""

    model: Model
    results: list[Result]


def predict_request(max_texts: int, max_chars: int, old: bool = False) -> type[PredictRequest]:
    """The form of a body of POST /v1/predict, with the limits of a server.

    `old`: of POST /predict, which explains nothing; `http.body` reads it with words of its own.
    """
    text = Annotated[str, Meta(min_length=1, max_length=max_chars, pattern=NOT_BLANK)]
    texts = Annotated[list[text], Meta(min_length=1, max_length=max_texts)]
    explain = Annotated[
        bool, Meta(description="Whether each result says what every word contributes.")
    ]

    def check(form: PredictRequest) -> None:
        if (form.text is UNSET) == (form.texts is UNSET):
            raise ValueError("send either `text` or `texts`")

    fields: list[tuple[str, Any, Any]] = [
        ("text", text | UnsetType, UNSET),
        ("texts", texts | UnsetType, UNSET),
    ]
    form = msgspec.defstruct(
        "OldPredictRequest" if old else "PredictRequest",
        fields if old else [*fields, ("explain", explain, False)],
        namespace={"__post_init__": check, "__doc__": "One text, or several."},
        frozen=True,
        forbid_unknown_fields=True,
    )
    return cast(type[PredictRequest], form)


def validated(data: Any, form: type[PredictRequest]) -> PredictRequest:
    """Parsed JSON as a form.

    Raises:
        ApiError: 422 invalid_request, with a pointer to the wrong part.
    """
    try:
        return msgspec.convert(data, form)
    except UnicodeEncodeError:
        # Half of a surrogate pair in a field's name, which no field of the form has.
        message = "the body is not as documented: unknown field"
        raise ApiError(422, "invalid_request", message, "") from None
    except msgspec.ValidationError as error:
        words, pointer = _split(str(error))
        where = f" at {pointer}" if pointer else ""
        raise ApiError(
            422, "invalid_request", f"the body is not as documented{where}: {words}", pointer
        ) from error


def _split(message: str) -> tuple[str, str]:
    """What is wrong, and the JSON pointer to it: `$.texts[3]` is /texts/3."""
    match = _WHERE.search(message)
    steps = _STEP.findall(match[1]) if match else []
    pointer = "".join(f"/{name or number}" for name, number in steps)
    return _in_own_words(message[: match.start() if match else None])[:_SHOWN], pointer


def _in_own_words(message: str) -> str:
    """Which value a field must have; msgspec's own words where they are none of these."""
    unknown = _UNKNOWN.match(message)
    expected = _EXPECTED.match(message)
    if unknown:
        return unknown[1]
    if expected is None or expected[1] not in _KINDS:
        return message
    kind, side, number = expected.groups()
    if "got" in expected[0]:
        return f"must be {_KINDS[kind]}"
    if side == "<":
        return f"must have at most {number} {'items' if kind == 'array' else 'characters'}"
    # A text of blanks is as good as none, and no array needs more than one item.
    return "must not be empty"
