"""X-Filter and pagination, as Linode's API has them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

SMALLEST, DEFAULT, LARGEST = 25, 100, 500
COMPARISONS = {
    "+neq": lambda value, wanted: value != wanted,
    "+contains": lambda value, wanted: wanted in (value or ""),
    "+gt": lambda value, wanted: value > wanted,
    "+gte": lambda value, wanted: value >= wanted,
    "+lt": lambda value, wanted: value < wanted,
    "+lte": lambda value, wanted: value <= wanted,
}


class Invalid(Exception):
    """A request that is answered with 400. `field`: what it is about."""

    def __init__(self, reason: str, field: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.field = reason, field


def value_of(item: dict[str, Any], name: str) -> Any:
    """Return an attribute; `entity.id` is one of a nested object."""
    found: Any = item
    for part in name.split("."):
        if not isinstance(found, dict) or part not in found:
            raise Invalid(f"Cannot filter on {name}", "X-Filter")
        found = found[part]
    return found


def matches(item: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Return whether an item is what an X-Filter asks for."""
    for name, value in wanted.items():
        if name in ("+order_by", "+order"):
            continue
        if name == "+and":
            good = all(matches(item, one) for one in value)
        elif name == "+or":
            good = any(matches(item, one) for one in value)
        elif isinstance(value, dict):
            found = value_of(item, name)
            good = all(COMPARISONS[how](found, than) for how, than in value.items())
        else:
            good = value_of(item, name) == value
        if not good:
            return False
    return True


def page_of(
    items: Sequence[dict[str, Any]], header: str | None, page: str, size: str
) -> dict[str, Any]:
    """Return a page of what an X-Filter asks for, in the envelope of the API."""
    try:
        wanted = json.loads(header) if header else {}
    except ValueError:
        raise Invalid("Cannot parse X-Filter", "X-Filter") from None
    found = [item for item in items if matches(item, wanted)]
    if "+order_by" in wanted:
        key = wanted["+order_by"]
        # Equal ones in the order in which they were made.
        found.sort(key=lambda item: (value_of(item, key), item["id"]))
        if wanted.get("+order") == "desc":
            found.reverse()
    number, each = int(page), int(size)
    if not SMALLEST <= each <= LARGEST:
        raise Invalid(f"Must be {SMALLEST}-{LARGEST}", "page_size")
    pages = max(1, -(-len(found) // each))
    if not 1 <= number <= pages:
        raise Invalid("Invalid page number", "page")
    chosen = found[(number - 1) * each : number * each]
    return {"data": chosen, "page": number, "pages": pages, "results": len(found)}
