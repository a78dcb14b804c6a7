"""The golden outputs of a bundle: its own scores for fixed texts, compared with Keras' scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from controller.model_build.consistency import windows_of
from controller.model_build.errors import BuildError
from controller.model_build.golden_texts import DEFAULT_TEXTS, long_texts
from controller.model_build.head import Head
from controller.model_build.own_texts import draw_texts, spread_out
from controller.model_build.plausibility import Unusual, check_known, describe_spread
from controller.model_build.reference import Reference
from controller.model_build.rows import Rows, StoredRows
from controller.model_build.scoring import open_session, run
from controller.model_build.settings import Settings
from controller.model_build.vocabulary import Vocabulary
from tox_com_det.model.encode import TextEncoder
from toxctl.golden import largest_difference

# What a deploy accepts between the laptop's processor and the server's.
TOLERANCE = 1e-4
# What a build accepts between Keras and the converted head.
REFERENCE_TOLERANCE = 1e-5
# Up to here a difference is one of rounding: another word moves a score by more.
_ROUNDING = 1e-4


@dataclass(frozen=True)
class Embedded:
    """The embedding's rows for the words of a bundle.

    Attributes:
        chosen: the words.
        exact: rows as in the model, float32.
        stored: rows as the database stores them.
        unknown: row of the out-of-vocabulary token, None without one.
    """

    chosen: Vocabulary
    exact: Rows
    stored: StoredRows
    unknown: int | None

    def special_rows(self) -> dict[int, bytes]:
        """Stored rows that belong to no word: the padding's and the out-of-vocabulary token's."""
        numbers = [0] if self.unknown is None else [0, self.unknown]
        return {number: self.stored[number] for number in numbers}


def golden_outputs(
    head: Head,
    labels: Sequence[str],
    settings: Settings,
    embedded: Embedded,
    reference: Reference | None,
    unusual: Unusual,
) -> dict[str, Any]:
    """The manifest's golden outputs, computed with the rows as they are stored.

    Where the model has windows, texts of several are among them. Texts of the model's own words
    join the fixed ones: of those that are drawn, the ones whose scores are furthest apart.

    Rows that are rounded to float16 are first checked unrounded against Keras' scores, since
    rounding may change a score by more than a build accepts.

    Args:
        unusual: takes texts that prove nothing; its `say` takes lines about the differences.

    Raises:
        BuildError: a score is not finite, or differs from Keras' by more than 1e-5.
    """
    rules, windows = settings.tokenizer(), windows_of(settings, head.length)
    reference_texts = reference.scores if reference else ()
    texts = list(dict.fromkeys([*DEFAULT_TEXTS, *settings.texts, *reference_texts]))
    special, unknown = embedded.special_rows(), embedded.unknown
    encoder = TextEncoder(
        rules,
        head.length,
        settings.padding,
        settings.truncating,
        padding_row=special[0],
        unknown_row=None if unknown is None else special[unknown],
        dtype="index" if settings.mode == "whole" else settings.dtype,
        masked=head.masked,
        windows=windows,
    )
    own = [one for one in draw_texts(embedded.chosen, rules, head.length) if one not in texts]
    needed = {token for one in encoder.tokens([*texts, *own]) for token in one}
    numbers = {word: number for word, number in embedded.chosen if word in needed}
    if windows is not None:
        words = head.length + windows.stride
        texts += long_texts(
            lambda line: len(rules.select(rules.tokens(line), numbers, unknown)), words
        )
    tokens = encoder.tokens(texts)
    texts += own
    session = open_session(head.proto.SerializeToString())
    kept = {word: embedded.stored[number] for word, number in numbers.items()}
    if settings.dtype == "float32":
        outputs = score_texts(session, encoder, kept, texts, labels, reference)
    else:
        unrounded = replace(
            encoder,
            dtype="float32",
            padding_row=embedded.exact[0],
            unknown_row=None if unknown is None else embedded.exact[unknown],
        )
        exact = {word: embedded.exact[number] for word, number in numbers.items()}
        before = score_texts(session, unrounded, exact, texts, labels, reference)
        outputs = score_texts(session, encoder, kept, texts, labels, reference, allowed=1.0)
        difference = max(
            _difference(one["scores"], labels, other["scores"])
            for one, other in zip(before["cases"], outputs["cases"], strict=True)
        )
        unusual.say(
            f"float16 vectors change a score of the golden outputs by at most {difference:.1e}"
        )
    compared = sum(case["reference"] is not None for case in outputs["cases"])
    if reference and compared:
        unusual.say(
            f"{compared} golden outputs compared with Keras {reference.keras}: largest difference "
            f"{outputs['reference_max_difference']:.1e}"
        )
    # Texts of the model's own words are known to any word index, also to a wrong one.
    check_known(tokens, numbers, embedded.chosen, settings, unusual)
    cases = outputs["cases"]
    fixed, drawn = cases[: len(cases) - len(own)], cases[len(cases) - len(own) :]
    chosen = spread_out([case["scores"] for case in drawn])
    outputs["cases"] = [*fixed, *(drawn[number] for number in chosen)]
    # Texts without a known word all score alike, in whatever language they are.
    known = [
        case for case, one in zip(fixed, tokens, strict=True) if not numbers.keys().isdisjoint(one)
    ]
    telling = [*known, *outputs["cases"][len(fixed) :]] or outputs["cases"]
    line = describe_spread([case["scores"] for case in telling])
    if line:
        unusual.say(line)
    return outputs


def score_texts(
    session: onnxruntime.InferenceSession,
    encoder: TextEncoder,
    rows: Mapping[str, bytes],
    texts: Sequence[str],
    labels: Sequence[str],
    reference: Reference | None,
    allowed: float = REFERENCE_TOLERANCE,
) -> dict[str, Any]:
    """Scores of the texts by the head and by Keras, with their largest difference.

    Args:
        rows: vectors (or indices) of at least the known words of the texts.
        allowed: largest difference from Keras; beyond 1e-5 only for rounded vectors.

    Raises:
        BuildError: a score is not finite, or differs from Keras' by more than `allowed`.
    """
    # Keras cuts what is read in windows, so its scores of a long text are compared without them.
    cut = replace(encoder, windows=None)
    cases: list[dict[str, Any]] = []
    largest: float | None = None
    for text in texts:
        # One text at a time, as the server does: a batch may add up in another order.
        output, is_long = _scores(session, encoder, text, rows)
        scores: list[float] = output.astype(float).tolist()
        if not np.isfinite(output).all():
            raise BuildError(
                f"the head's scores of {text[:60]!r} are not finite: {scores}: train the model "
                "again"
            )
        expected = reference.scores.get(text) if reference else None
        if expected is not None:
            whole = _scores(session, cut, text, rows)[0].astype(float) if is_long else output
            difference = _difference(expected, labels, whole.astype(float).tolist())
            if difference > allowed:
                raise BuildError(
                    f"the head differs from Keras by {difference:.2g} for {text[:60]!r} (at most "
                    f"{allowed:g} is allowed): {_advice(difference)}"
                )
            largest = max(largest or 0.0, difference)
        reference_scores = None if is_long else expected
        cases.append({"text": text, "scores": scores, "reference": reference_scores})
    return {"tolerance": TOLERANCE, "cases": cases, "reference_max_difference": largest}


def _advice(difference: float) -> str:
    """What to do about a difference from Keras' score."""
    if difference <= _ROUNDING:
        return (
            "so little is rounding, not another model: Keras adds up many positions in float32; "
            "leave such texts out of --reference"
        )
    return "check that --reference, --word-index, num_words and padding belong to this model"


def _scores(
    session: onnxruntime.InferenceSession,
    encoder: TextEncoder,
    text: str,
    rows: Mapping[str, bytes],
) -> tuple[NDArray[np.float32], bool]:
    """Scores of a text, one per label, and whether it has more than one window."""
    windows = encoder.choose(encoder.rules.tokens(text), rows).windows
    return encoder.pool(run(session, encoder.tensors(windows))), len(windows) > 1


def _difference(expected: Sequence[float], labels: Sequence[str], scores: Sequence[float]) -> float:
    return largest_difference(expected, labels, dict(zip(labels, scores, strict=True)))
