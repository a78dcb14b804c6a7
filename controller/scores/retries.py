"""Whom may be asked, and how long is waited before the same question is asked again."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from controller.deploy.errors import DeployError

__all__ = ["MOST_FAILURES", "asked_pause", "check_address", "pause", "print_line"]

MOST_FAILURES = 8
LONGEST_PAUSE = 60.0  # seconds


def check_address(option: str, address: str, example: str) -> None:
    """Raise DeployError if an option's address is none that can be asked, before it is."""
    # Imported where it is used: it takes 8 MB, which a build of a model has no use for.
    import requests

    problem = DeployError(f"--{option} is {address}, expected one such as {example}")
    if re.fullmatch(r"https?://[^\s/?#@]+/?", address) is None:
        raise problem
    try:
        # As it is done for each request: brackets, port and name of the host.
        requests.Request("GET", address).prepare()
        (urlsplit(address).hostname or "").encode("idna")
    except ValueError:  # requests' InvalidURL is one
        raise problem from None


def asked_pause(header: str) -> float | None:
    """Return the seconds of a Retry-After; None where it is a date, or nothing."""
    return float(header) if header.isascii() and header.isdecimal() else None


def pause(
    failures: int,
    asked: float | None,
    why: str,
    say: Callable[[str], None],
    sleep: Callable[[float], None],
) -> None:
    """Say why and how long, and wait: twice as long each time, or as long as the server asks.

    `failures`: how many there were before this one. After the last one nothing is waited for.
    """
    if failures >= MOST_FAILURES - 1:
        return
    seconds = min(2.0**failures if asked is None else asked, LONGEST_PAUSE)
    say(f"{why}: asking again in {seconds:.0f} s")
    sleep(seconds)


def print_line(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)
