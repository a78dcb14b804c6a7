"""What is wrong with the value of an option: one line for each wrong value, never a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from controller.values.format import Format
from controller.values.options import options_of_roles
from controller.values.table import FORMATS

__all__ = ["Problem", "problems_of"]

Problem = tuple[str, str]
SHOWN = 60
KEY = "PRIVATE KEY-----"
# In no value; a tab and ends of lines are for the formats.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def problems_of(name: str, value: Any) -> list[Problem]:
    """Return where in the option a value is wrong ("name[1].key"), and why.

    `value`: templated. An unknown name has no problems; role preflight refuses it elsewhere.
    """
    option = options_of_roles().get(name)
    if option is None:
        return []
    return list(_wrong(name, name, value, option, bool(option.get("no_log"))))


def _wrong(
    where: str, key: str, value: Any, option: Mapping[str, Any], secret: bool
) -> Iterator[Problem]:
    """Yield what is wrong with a value; `key` is its place in the table of formats."""
    # Somebody may have put a key where a certificate belongs.
    has_key = isinstance(value, str) and KEY in value
    secret = secret or has_key or bool(option.get("no_log"))
    kind = option.get("type", "str")
    if kind == "list":
        yield from _wrong_list(where, key, value, option, secret)
    elif kind == "dict":
        yield from _wrong_dict(where, key, value, option, secret)
    elif words := _wrong_scalar(key, value, option, kind):
        shown = "has a wrong value, which is not shown" if secret else f"is {_shown(value)}"
        yield where, f"{shown}: it must be {words}"


def _wrong_list(
    where: str, key: str, value: Any, option: Mapping[str, Any], secret: bool
) -> Iterator[Problem]:
    if not isinstance(value, (list, tuple)):
        shown = "is not a list" if secret else f"is {_shown(value)}"
        yield where, f"{shown}: it must be a list, one item per line after a dash, or [] for none"
        return
    element = {**option, "type": option["elements"]}
    for number, one in enumerate(value):
        yield from _wrong(f"{where}[{number}]", key, one, element, secret)


def _wrong_dict(
    where: str, key: str, value: Any, option: Mapping[str, Any], secret: bool
) -> Iterator[Problem]:
    below: Mapping[str, Mapping[str, Any]] = option["options"]
    if not isinstance(value, Mapping):
        yield where, f"is not a dictionary: it must have the keys {', '.join(below)}"
        return
    if not set(value) <= set(below):
        yield where, f"has a key too many: the keys are {', '.join(below)}"
    for name, one in below.items():
        if name in value:
            yield from _wrong(f"{where}.{name}", f"{key}.{name}", value[name], one, secret)
        elif one.get("required"):
            yield where, f"has no key {name}: add it"


def _wrong_scalar(key: str, value: Any, option: Mapping[str, Any], kind: str) -> str | None:
    """Return what the value must be; None if it is right."""
    if kind == "bool":
        words = "true or false without quotes (after -e as JSON: -e '{\"name\": true}')"
        return None if isinstance(value, bool) else words.replace("name", key)
    if choices := option.get("choices"):
        words = " or ".join(f'"{one}"' for one in choices) + ", as a text in quotes"
        # YAML reads off without quotes as false.
        text = "off" if value is False else value
        return None if isinstance(text, str) and text in choices else words
    form = FORMATS[key]
    return None if _accepts(form, value) else form.words + _hint(form, value)


def _hint(form: Format, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    try:
        return form.hint(str(value))
    except ValueError:  # an integer of more digits than Python writes
        return ""


def _accepts(form: Format, value: Any) -> bool:
    if value is None or value == "":
        return form.empty
    if isinstance(value, bool) or not isinstance(value, str if form.quoted else (str, int, float)):
        return False
    try:
        text = str(value)
        return CONTROL.search(text) is None and form.accepts(text)
    except ValueError:  # an integer of more digits than Python writes
        return False


def _shown(value: Any) -> str:
    """Return a value in one line that is not too long."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"{value} (true and false, yes and no are such without quotes)"
    try:
        text = repr(str(value)) if isinstance(value, str) else repr(value)
    except (ValueError, RecursionError):
        return f"a {type(value).__name__}"
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
