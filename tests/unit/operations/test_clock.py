"""A clock that is hours off is reported as such, before certificates and signatures fail."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from rendering import evaluate
from role_tasks import Verdict, evaluate_assert, task

READING = task("preflight", "Read memory, swap, disk space, CPU features and the clock")
CHECK = task("preflight", "Check the clock")


def verdict(seen: str, tolerance: int = 300) -> Verdict:
    values = {"__preflight_resources": {"stdout": seen}, "preflight_clock_tolerance": tolerance}
    return evaluate_assert(CHECK, values)


def read(path: str = "") -> int:
    """Run what is sent to a server in this shell; return what it says of the clock."""
    command = str(evaluate(READING.data["ansible.builtin.raw"], {}))
    environment = {"PATH": f"{path}:/usr/sbin:/usr/bin:/sbin:/bin"}
    done = subprocess.run(  # noqa: S603 (the role's own text)
        ["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, check=True
    )
    (seconds,) = re.findall(r"(?m)^Clock:(-?[0-9]+)$", done.stdout)
    return int(seconds)


def test_a_server_with_the_same_clock_passes():
    assert verdict(f"Clock:{read()}\r\n").passed


def test_a_clock_that_is_five_hours_slow_is_noticed(tmp_path: Path):
    date = tmp_path / "date"
    date.write_text("#!/bin/sh\nexec /bin/date --date='5 hours ago' \"$@\"\n")
    date.chmod(0o755)
    said = verdict(f"Clock:{read(str(tmp_path))}\r\n")
    assert not said.passed
    assert "hours behind the one of this computer" in said.message
    for words in ("'timedatectl'", "'chronyc tracking'", "sudo timedatectl set-ntp true"):
        assert words in said.message


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (301, "is 301 seconds ahead of the one"),
        (-301, "is 301 seconds behind the one"),
        (86400, "is 24.0 hours ahead of"),
    ],
)
def test_the_difference_is_told(seconds: int, words: str):
    said = verdict(f"Clock:{seconds}\n")
    assert not said.passed
    assert words in said.message
    assert "\n" not in said.message


def test_the_tolerance_is_a_variable():
    assert verdict("Clock:-300\n").passed
    assert verdict("Clock:5000\n", tolerance=7200).passed
    assert not verdict("Clock:11\n", tolerance=10).passed
