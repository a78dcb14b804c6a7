"""Which addresses are asked at all, and how long is waited before they are asked again."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.deploy.errors import DeployError
from controller.deploy.tasks.fit_scores import fit_scores
from controller.deploy.tasks.tune_thresholds import tune_thresholds
from controller.scores.retries import MOST_FAILURES, asked_pause, check_address, pause

NOBODYS = (
    "http://[",
    "http://[::1",
    "http://a:b",
    "http://127.0.0.1:99999",
    "http://😀",
    "http://a..b",
    f"http://{'a' * 64}",
    "http://:80",
    "http://a b",
    "ftp://a",
    "http://a/path",
)
GOOD = (
    "http://127.0.0.1:8080",
    "http://127.0.0.1:8080/",
    "https://[2001:db8::7]:8443",
    "http://localhost",
    f"http://{'a' * 63}:8080",
    "https://m\u00fcller.example",
)


@pytest.mark.parametrize("address", NOBODYS)
def test_an_address_that_nobody_has_is_refused_before_it_is_asked(
    address: str, tmp_path: Path
) -> None:
    with pytest.raises(DeployError, match=r"^--url is .*, expected one such as http://x$"):
        check_address("url", address, "http://x")
    file = tmp_path / "comments.csv"
    file.write_text("text,toxic\na,1\n")
    for dry_run in (True, False):
        with pytest.raises(DeployError, match=r"^--url is .*, expected one such as http://127"):
            tune_thresholds(str(file), url=address, dry_run=dry_run)
        with pytest.raises(DeployError, match=r"^--url is .*, expected one such as http://127"):
            fit_scores(str(file), url=address, dry_run=dry_run)


@pytest.mark.parametrize("address", GOOD)
def test_an_address_that_can_be_asked_is_accepted(address: str) -> None:
    check_address("url", address, "http://x")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("", None),
        ("-1", None),
        ("\u00b2", None),
        ("\u0663", None),
        ("1.5", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
def test_a_server_asks_for_whole_seconds_or_for_none(header: str, seconds: float | None) -> None:
    assert asked_pause(header) == seconds


def test_a_wait_is_said_is_not_for_ever_and_is_none_after_the_last_time() -> None:
    said: list[str] = []
    waited: list[float] = []
    for failures, asked in ((0, None), (3, None), (3, 0.0), (0, asked_pause("9" * 500))):
        pause(failures, asked, "no", said.append, waited.append)
    pause(MOST_FAILURES - 1, 5.0, "no", said.append, waited.append)
    assert waited == [1.0, 8.0, 0.0, 60.0]
    assert said == [f"no: asking again in {seconds:.0f} s" for seconds in waited]
