"""Suggestions as rows for training: the comment, a column for each label, and what else was sent.

What `fab train --data` reads are the columns `comment_text` and those of the labels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tox_com_det.perspective.attributes import Attributes
from tox_com_det.suggestions.document import Document

TEXT = "comment_text"
# Beside the labels; a label of the same name keeps it.
OTHERS = (
    "other_scores",
    "languages",
    "detected_languages",
    "community_id",
    "client_token",
    "suggested_at",
)


class Table:
    """Rows for the labels of one model."""

    def __init__(self, labels: Sequence[str], mapping: Mapping[str, str]) -> None:
        """`labels` of the model; `mapping`: attribute -> label."""
        self._labels = list(labels)
        self._attributes = Attributes(labels, mapping, {})

    @property
    def columns(self) -> list[str]:
        """The names of the columns, each once."""
        names = [TEXT]
        for name in (*self._labels, *OTHERS):
            while name in names:
                name += "_"
            names.append(name)
        return names

    def row(self, document: Document) -> list[str]:
        """The cells of one suggestion.

        A label's cell is the suggested probability of the whole comment: the summary score, or else
        the largest of the spans, of several attributes with the same label the largest. It is empty
        where none was suggested. What is no probability, or of another attribute, is in
        `other_scores`, as JSON.
        """
        found: dict[int, float] = {}
        others: dict[str, Any] = {}
        for one in document.get("scores", []):
            position = self._attributes.position(one["attribute"])
            value = _probability(one)
            if position is None or value is None:
                others[one["attribute"]] = _plain(one)
            else:
                found[position] = max(value, found.get(position, 0.0))
        cells = [f"{found[n]:.9g}" if n in found else "" for n in range(len(self._labels))]
        row = [
            document["text"],
            *cells,
            json.dumps(others, ensure_ascii=False) if others else "",
            *(" ".join(document.get(name, [])) for name in ("languages", "detected")),
            *(document.get(name, "") for name in ("community_id", "client_token")),
            document["at"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        ]
        # Some readers of CSV end a cell at a NUL.
        return [cell.replace("\0", "\ufffd") for cell in row]


def _probability(score: Mapping[str, Any]) -> float | None:
    """The probability that a score suggests for the whole comment, None if it suggests none."""
    given = [score["summary"]] if "summary" in score else score["spans"]
    if not given or any(
        one["type"] != "PROBABILITY" or not 0 <= one["value"] <= 1 for one in given
    ):
        return None
    return max(float(one["value"]) for one in given)


def _plain(score: Mapping[str, Any]) -> dict[str, Any]:
    return {name: score[name] for name in ("summary", "spans") if score.get(name)}
