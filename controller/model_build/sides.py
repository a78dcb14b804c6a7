"""Find out whether the side of the padding matters to a model, and ask for it where nothing says.

A model that was trained on texts padded at the end gives other scores for texts padded in front,
and its file states neither. Keras' own scores of some texts (`reference.json`) tell the side;
without them the model itself tells whether there is a question at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnxruntime

from controller.model_build.golden_outputs import REFERENCE_TOLERANCE, Embedded
from controller.model_build.head import Head
from controller.model_build.origins import REFERENCE, Origins
from controller.model_build.reference import Reference
from controller.model_build.scoring import open_session, run
from controller.model_build.settings import SETTINGS_FILE, Settings
from tox_com_det.model.encode import TextEncoder
from tox_com_det.model.tokenizer import Side

SIDES: tuple[Side, ...] = ("pre", "post")
# A difference of a score that is no rounding, and of the values before the last activation, which
# saturates and hides effects of other texts.
_SCORES = 3e-5
_ABSOLUTE, _RELATIVE = 1e-2, 1e-3
# Texts that are tried, and positions of all of them: a long recurrent model takes a second a text.
_FEWEST, _MOST, _POSITIONS = 6, 48, 24_000
_MOST_COMPARED = 30
_SEED = 2019


@dataclass(frozen=True)
class Sides:
    """The settings, completed by the sides that Keras' scores tell.

    Attributes:
        settings, origins: with what was told.
        question: what to ask about the padding, None where nothing depends on it.
        notes: about an assumption that only long texts depend on, one line each.
    """

    settings: Settings
    origins: Origins
    question: str | None = None
    notes: tuple[str, ...] = ()


def settle_sides(
    head: Head,
    settings: Settings,
    origins: Origins,
    embedded: Embedded,
    reference: Reference | None,
) -> Sides:
    """Take padding and truncating from Keras' scores, or ask for the padding if it matters."""
    if reference is not None and (origins.assumed("padding") or origins.assumed("truncating")):
        told = _told(head, settings, origins, embedded, reference)
        for name, side in told.items():
            settings = _with_side(settings, name, side)
            origins = origins.with_origin(REFERENCE, name)
    if origins.assumed("padding"):
        difference = padding_difference(head, settings, embedded)
        if difference is not None:
            return Sides(settings, origins, _question(difference, origins))
    notes = []
    if origins.assumed("truncating") and settings.windows in (None, 1):
        moved = _truncating_difference(head, settings, embedded)
        if moved > _SCORES:
            notes.append(
                f"texts of more than {head.length} known words are cut at their start, as is "
                "assumed; cut at their end they would score otherwise (by "
                f"{moved:.2g} in a trial): add --truncating post if the training did so"
            )
    return Sides(settings, origins, None, tuple(notes))


def _question(difference: float, origins: Origins) -> str:
    cut = ", and --truncating post if long ones lose their end"
    return (
        "nothing says on which side short texts are padded, and the scores depend on it (by "
        f"{difference:.2g} in a trial): give --padding pre, the default of Keras' pad_sequences, "
        f"or --padding post ('padding' in {SETTINGS_FILE})"
        f"{cut if origins.assumed('truncating') else ''}"
    )


def _with_side(settings: Settings, name: str, side: Side) -> Settings:
    if name == "padding":
        return replace(settings, padding=side)
    return replace(settings, truncating=side)


def padding_difference(head: Head, settings: Settings, embedded: Embedded) -> float | None:
    """How far a score differs between texts padded in front and at the end; None if none does.

    The texts are made of words of the vocabulary, frequent ones first. Where only the values
    before the last activation differ, scores of other texts may: the least difference is returned.
    """
    encoder = _encoder(head, settings, embedded)
    ways = [replace(encoder, padding=side) for side in SIDES]
    session = open_session(head.proto.SerializeToString())
    for text in _texts(head, embedded):
        one, other = (run(session, way.tensors([text]))[0] for way in ways)
        if (difference := float(np.abs(one - other).max())) > _SCORES:
            return difference
    del session  # of mode whole, it holds the embedding
    probe = open_session(head.probe.SerializeToString())
    for text in _texts(head, embedded):
        one, other = (run(probe, way.tensors([text]))[0] for way in ways)
        if np.any(np.abs(one - other) > _ABSOLUTE + _RELATIVE * np.abs(one)):
            return _SCORES
    return None


def start_difference(
    head: Head, settings: Settings, embedded: Embedded, start: int
) -> float | None:
    """How far the row `start` before a text moves a score; None if it moves none."""
    session = open_session(head.proto.SerializeToString())
    encoder, row = _encoder(head, settings, embedded), _row(head, embedded, start)
    largest = 0.0
    for text in _texts(head, embedded):
        one, other = (run(session, encoder.tensors([way]))[0] for way in (text, [row, *text]))
        largest = max(largest, float(np.abs(one - other).max()))
    return largest if largest > _SCORES else None


def _truncating_difference(head: Head, settings: Settings, embedded: Embedded) -> float:
    """The largest difference of a score between texts cut at their start and at their end."""
    session = open_session(head.proto.SerializeToString())
    encoder = _encoder(head, settings, embedded)
    ways = [replace(encoder, truncating=side) for side in SIDES]
    random = np.random.default_rng(_SEED)
    largest = 0.0
    for _ in range(_FEWEST):
        words = random.choice(embedded.chosen.indices, 2 * head.length)
        text = [_row(head, embedded, int(one)) for one in words]
        one, other = (run(session, way.tensors([text]))[0] for way in ways)
        largest = max(largest, float(np.abs(one - other).max()))
    return largest


def _texts(head: Head, embedded: Embedded) -> Iterator[list[bytes]]:
    """Rows of made-up texts, the same in every build."""
    random = np.random.default_rng(_SEED)
    indices = np.sort(embedded.chosen.indices)
    frequent = indices[: max(1, len(indices) // 10)]
    most = max(1, head.length - 1)
    for number in range(min(_MOST, max(_FEWEST, _POSITIONS // head.length))):
        words = indices if number % 2 else frequent
        size = int(min(most, 1 + random.geometric(1 / max(2.0, most / 3)))) if number else most
        yield [_row(head, embedded, int(one)) for one in random.choice(words, size)]


def _encoder(head: Head, settings: Settings, embedded: Embedded) -> TextEncoder:
    """The encoder of the settings, with rows as in the model: rounded ones move scores too."""
    unknown = embedded.unknown
    return TextEncoder(
        settings.tokenizer(),
        head.length,
        settings.padding,
        settings.truncating,
        padding_row=_row(head, embedded, 0),
        unknown_row=None if unknown is None else _row(head, embedded, unknown),
        dtype="index" if head.mode == "whole" else "float32",
        masked=head.masked,
    )


def _row(head: Head, embedded: Embedded, number: int) -> bytes:
    return embedded.stored[number] if head.mode == "whole" else embedded.exact[number]


def _told(
    head: Head,
    settings: Settings,
    origins: Origins,
    embedded: Embedded,
    reference: Reference,
) -> dict[str, Side]:
    """The sides with which alone the head gives Keras' scores, by setting."""
    ways: list[tuple[Side, Side]] = [
        (padding, truncating)
        for padding in (SIDES if origins.assumed("padding") else (settings.padding,))
        for truncating in (SIDES if origins.assumed("truncating") else (settings.truncating,))
    ]
    texts = list(reference.scores)[:_MOST_COMPARED]
    encoder = _encoder(head, settings, embedded)
    tokens = encoder.tokens(texts)
    needed = {token for one in tokens for token in one}
    rows = {
        word: _row(head, embedded, number) for word, number in embedded.chosen if word in needed
    }
    session = open_session(head.proto.SerializeToString())
    fitting: list[tuple[Side, Side]] = []
    for padding, truncating in ways:
        encode = replace(encoder, padding=padding, truncating=truncating)
        if all(
            _is_equal(encode, session, one, rows, reference.scores[text])
            for text, one in zip(texts, tokens, strict=True)
        ):
            fitting.append((padding, truncating))
    return {
        name: fitting[0][at]
        for at, name in enumerate(("padding", "truncating"))
        if fitting and origins.assumed(name) and len({way[at] for way in fitting}) == 1
    }


def _is_equal(
    encoder: TextEncoder,
    session: onnxruntime.InferenceSession,
    tokens: Sequence[str],
    rows: dict[str, bytes],
    expected: Sequence[float],
) -> bool:
    windows = encoder.choose(tokens, rows).windows
    scores = run(session, encoder.tensors(windows))[0]
    return bool(np.abs(scores.astype(float) - np.array(expected)).max() <= REFERENCE_TOLERANCE)
