"""Sizes that systemd, nginx, logrotate and other programs parse, each with a least value.

A number without a unit is one of bytes: with 300 in place of 300M nothing would start.
"""

from __future__ import annotations

import re
from dataclasses import replace

from controller.values.format import Format, matching

__all__ = [
    "FILE_SIZE",
    "LOG_SIZE",
    "MEMORY_LIMIT",
    "MEMORY_SIZE",
    "NGINX_SIZE",
    "SYSTEMD_SIZE",
    "at_least",
    "bytes_of",
]


def _is_systemd_size(text: str) -> bool:
    """As systemd's parse_size: parts from the largest unit to the smallest, more than 0."""
    part = r"[0-9]{1,15}(?:\.[0-9]{1,9})?"
    parts = " *".join(rf"(?:({part}) *{unit})?" for unit in "EPTGMK") + f" *(?:({part}) *B?)?"
    found = re.fullmatch(parts, text)
    return found is not None and any(float(number) > 0 for number in found.groups() if number)


def _is_memory_limit(text: str) -> bool:
    percent = re.fullmatch(r"([0-9]{1,3})(\.[0-9]{1,2})?%", text)
    if percent is not None:
        return 0 < float(text[:-1]) <= 100
    return text == "infinity" or _is_systemd_size(text)


def bytes_of(text: str) -> float:
    """The bytes of a size whose form is right; the sum of its parts, K is 1024."""
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?) *([KMGTPE]?)", text.upper())
    return sum(float(number) * 2.0 ** (10 * " KMGTPE".index(unit or " ")) for number, unit in parts)


def at_least(form: Format, least: str, unit: str = "M") -> Format:
    """A size that is not so small that it must be an error; a share, infinity and 0 are taken.

    Args:
        form: the sizes that the program reads.
        least: the smallest size that makes sense.
        unit: the unit that was forgotten, if a number alone is too small.
    """

    def is_large(text: str) -> bool:
        if text.endswith("%") or text == "infinity":
            return True
        return bytes_of(text) >= bytes_of(least) or not bytes_of(text)

    def hint(text: str) -> str:
        meant = f"{text}{unit}"
        if re.fullmatch("[0-9]+", text) is None or is_large(text):
            return ""
        if not form.accepts(meant) or not is_large(meant):
            return ""
        return f"; {text} is {text} bytes: did you mean {meant}?"

    return replace(
        form,
        words=f"{form.words}, at least {least}",
        accepts=lambda text: form.accepts(text) and is_large(text),
        hint=hint,
    )


SYSTEMD_SIZE = Format("a size that systemd reads, such as 200M or 1G", _is_systemd_size)
MEMORY_LIMIT = Format(
    "a memory limit that systemd reads, such as 300M, 1G, 50% or infinity", _is_memory_limit
)
# toxctl verifies a release within the same limit, so it must be a number of bytes.
MEMORY_SIZE = matching(
    r"[1-9][0-9]{0,14}[KMGT]?", "a size as a whole number with K, M, G or T, such as 300M"
)
FILE_SIZE = matching(
    r"(?=.*[1-9])[0-9]{1,15}(\.[0-9]{1,6})? ?[KMGTkmgt]B?", "a size with its unit, such as 1G"
)
# Of a buffer too, which has no size with g.
NGINX_SIZE = matching(r"[0-9]{1,12}[kKmM]?", "a size that nginx reads, such as 512k or 1m")
LOG_SIZE = matching(r"[1-9][0-9]{0,8}[kMG]?", "a size that logrotate reads, such as 20M")
