"""Times that nginx and systemd parse."""

from __future__ import annotations

import re
from zoneinfo import available_timezones

from controller.values.format import Format, matching

__all__ = ["CALENDAR", "NGINX_TIME", "TIMER_INTERVAL"]

_MILLISECONDS = {
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
# In milliseconds, which have no months and years.
_NGINX_TIME = re.compile(
    "".join(f"(?:([0-9]{{1,9}}){unit}{'?' if unit == 's' else ''})?" for unit in _MILLISECONDS)
)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBERS = {name: number for number, day in enumerate(_DAYS) for name in (day, day[:3])}
_WORDS = re.compile(
    "minutely|hourly|daily|monthly|weekly|yearly|annually|quarterly|semiannually", re.IGNORECASE
)
_REGION = re.compile(r"[A-Z][A-Za-z_]{1,30}(?:/[A-Za-z0-9_+-]{1,30}){1,2}")
_SHORT_ZONE = re.compile(r"[A-Z][A-Z0-9+-]{1,8}")  # such as CET and EST5EDT
_PART = re.compile(r"\*|([0-9]{1,4})(?:\.\.([0-9]{1,4}))?(?:/([0-9]{1,4}))?")
_SHORT_STEP = re.compile(r"/0\.[0-9]{0,5}[1-9]")
_FRACTION = re.compile(r"(?<=[0-9])\.[0-9]{1,6}")
_YEAR, _MONTH, _DAY_OF_MONTH = (0, 2199), (1, 12), (1, 31)
_HOUR, _MINUTE, _SECOND = (0, 23), (0, 59), (0, 59)


def _is_nginx_time(text: str) -> bool:
    """More than nothing, and at most a year: beyond that it would be an error in the unit."""
    found = _NGINX_TIME.fullmatch(text)
    if found is None:
        return False
    parts = zip(found.groups(), _MILLISECONDS.values(), strict=True)
    return 0 < sum(int(number or 0) * unit for number, unit in parts) <= 365 * _MILLISECONDS["d"]


def _is_calendar(text: str) -> bool:
    """Days of the week, a date and a time, as in systemd.time; each of them may be missing."""
    words = [word for word in text.split(" ") if word]  # an end of a line is none
    if len(words) > 1 and _is_zone(words[-1]):
        words.pop()
    if len(words) == 1 and _WORDS.fullmatch(words[0]):
        return True
    if words and _are_days(words[0].lower().rstrip(",")):
        words.pop(0)
        if not words:
            return True
    if len(words) > 1 and _is_date(words[0]):
        words.pop(0)
        return _is_time(words[0]) and len(words) == 1
    return len(words) == 1 and (_is_date(words[0]) or _is_time(words[0]))


def _is_zone(word: str) -> bool:
    """UTC in any case, or a zone as the tz database names them; the server's may have more."""
    return (
        word.upper() == "UTC"
        or _REGION.fullmatch(word) is not None
        or _SHORT_ZONE.fullmatch(word) is not None
        or word in available_timezones()
    )


def _are_days(word: str) -> bool:
    """A list of days of the week and of ranges of them, in lower case."""
    for one in word.split(","):
        names = re.split(r"\.\.|-", one)
        if len(names) > 2 or not set(names) <= set(_NUMBERS):
            return False
        if _NUMBERS[names[0]] > _NUMBERS[names[-1]]:
            return False
    return True


def _is_date(word: str) -> bool:
    """[Year-]month-day; ~ in place of the last dash counts from the end of the month."""
    above, between, day = word.rpartition("~") if "~" in word else word.rpartition("-")
    parts = [*above.split("-"), day]
    limits = (_YEAR, _MONTH, _DAY_OF_MONTH)[-len(parts) :]
    return bool(between) and len(parts) in (2, 3) and _are_within(parts, limits)


def _is_time(word: str) -> bool:
    """Hour:minute[:second], with fractions of a second."""
    parts = word.split(":")
    parts[2:] = [_FRACTION.sub("", _SHORT_STEP.sub("/1", part)) for part in parts[2:]]
    limits = (_HOUR, _MINUTE, _SECOND)[: len(parts)]
    return len(parts) in (2, 3) and _are_within(parts, limits)


def _are_within(parts: list[str], limits: tuple[tuple[int, int], ...]) -> bool:
    """Whether all numbers of each part (a list, ranges, steps) are within its limits."""
    for part, (low, high) in zip(parts, limits, strict=True):
        for one in part.split(","):
            found = _PART.fullmatch(one)
            if found is None:
                return False
            first, last, step = (None if text is None else int(text) for text in found.groups())
            if not all(low <= number <= high for number in (first, last) if number is not None):
                return False
            if step == 0 or (first is not None and last is not None and last < first):
                return False
    return True


NGINX_TIME = Format(
    "a time that nginx reads, such as 30s or 1m30s, at most 365d",
    _is_nginx_time,
)
TIMER_INTERVAL = matching(
    r"[1-9][0-9]{0,5}(s|min|h)", "a time that a timer of systemd takes, such as 5min"
)
CALENDAR = Format(
    'a time as OnCalendar= takes it, such as "03:31" or "Mon *-*-* 03:31:00"', _is_calendar
)
