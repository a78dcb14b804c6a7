"""Query parameters that every request may have: `alt`, `callback`, `fields`, `prettyPrint`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from tox_com_det.http.json_bytes import json_bytes
from tox_com_det.perspective.errors import GoogleError
from tox_com_det.perspective.fields_mask import Mask, parse_mask, select


@dataclass(frozen=True)
class Format:
    """How a response is written: its parts (None: all) and its indentation."""

    mask: Mask | None = None
    pretty: bool = True

    def dump(self, content: Any) -> bytes:
        """The selected parts as JSON."""
        return json_bytes(select(content, self.mask), self.pretty)

    def dump_error(self, error: GoogleError) -> bytes:
        """An error as JSON: whole, whatever `fields` selects."""
        return Format(None, self.pretty).dump(error.body())


def is_pretty(query: Mapping[str, str], default: str = "true") -> bool:
    """Whether a response is indented; errors are too, when other parameters are wrong."""
    return query.get("prettyPrint", default).lower() not in ("false", "0")


def read_format(query: Mapping[str, str], pretty: str = "true") -> Format:
    """The format that a query asks for; `pretty`: of one that does not say whether to indent.

    Raises:
        GoogleError: 400, another format than JSON, or not a mask.
    """
    if query.get("alt", "json") not in ("json", ""):
        raise GoogleError(400, "Unsupported output format: use alt=json")
    if query.get("callback"):
        raise GoogleError(400, "JSONP is not supported: remove callback and use CORS")
    mask = parse_mask(query["fields"]) if query.get("fields") else None
    return Format(mask, is_pretty(query, pretty))


def query_of(text: str) -> dict[str, str]:
    """The parameters of a query string; of a repeated one the last counts."""
    return dict(parse_qsl(text, keep_blank_values=True))
