"""Times that systemd and nginx would refuse are refused before anything is changed."""

from __future__ import annotations

import pytest

from controller.values.problems import problems_of

# As `systemd-analyze calendar` of systemd 252 says.
GOOD = [
    "03:31",
    "*-*-* 03:31:00",
    "*-*-* *:*:59.5",
    "*-*-02 5:07:00",
    "Mon,Thu 03:00",
    "Mon-Fri,Sun",
    "Mon..Fri *-*-* 10:00",
    "monday, 03:00",
    "*:0/15",
    "*-*-1/2 1..5/2:00",
    "*-1,6-1 01:02",
    "*-02~03",
    "2:30 UTC",
    "03:31 Europe/Berlin",
    "03:31 Asia/Ho_Chi_Minh",
    "03:31 America/Argentina/Buenos_Aires",
    "03:31 Etc/GMT-2",
    "03:31 CET",
    "03:31 EST5EDT",
    "03:31 utc",
    "*:*:0/0.5",
    "hourly",
    "daily UTC",
]
BAD = [
    "99:99",
    "24:00",
    "03:60",
    "3",
    "03:31 03:31",
    "*-13-01",
    "*-*-32 03:00",
    "*-*-* 3..2:00",
    "*/2:00",
    "3:0/0",
    "3:0:0/0",
    "3:0:0/0.0",
    "2026-01",
    "Tues 03:00",
    "Fri..Mon 03:00",
    "weekly 03:00",
    "03:31 Berlin time",
    "03:31\n",
    "\n*-*-02 03:07:00",
    "Mon\t03:00",
    "::",
    "-",
    "UTC",
    " ",
]


@pytest.mark.parametrize("name", ["backup_schedule", "backup_drill_schedule"])
def test_times_of_systemd(name: str) -> None:
    for text in GOOD:
        assert problems_of(name, text) == [], text
    for text in BAD:
        assert problems_of(name, text), text


@pytest.mark.parametrize("name", ["nginx_read_timeout", "nginx_header_timeout"])
def test_times_of_nginx_are_at_most_a_year(name: str) -> None:
    for text in ("1ms", "60", "365d", "52w1d", "8760h"):
        assert problems_of(name, text) == [], text
    for text in ("999999999w", "365d1ms", "53w", "0w0s"):
        assert problems_of(name, text), text
