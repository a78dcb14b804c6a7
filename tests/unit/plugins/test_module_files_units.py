"""Units of module `files`: enabled and started once its files are in place."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import Any

import pytest
from module_run import run_module

NEW = {"LoadState": "loaded", "ActiveState": "inactive", "UnitFileState": "disabled"}
RUNNING = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}
MISSING = {"LoadState": "not-found", "ActiveState": "inactive", "UnitFileState": ""}
MASKED = {"LoadState": "masked", "ActiveState": "inactive", "UnitFileState": "masked"}
# Prints a unit's properties, and writes down everything else that it is told.
SYSTEMCTL = """#!/bin/sh
if [ "$1" = show ]; then exec cat "{root}/$3"; fi
echo "$*" >> "{root}/told"
case " {refused} " in *" $1 "*) echo "Job for $2 failed" >&2; exit 1 ;; esac
if [ "$1" = daemon-reload ] && [ -d "{root}/reloaded" ]; then cp "{root}/reloaded/"* "{root}/"; fi
"""


class Systemd:
    """A stand-in for systemctl, with the properties of each unit in a file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.refuse("")

    def refuse(self, words: str) -> None:
        """Fail for these words from now on."""
        script = self.root / "systemctl"
        script.write_text(SYSTEMCTL.format(root=self.root, refused=words))
        script.chmod(0o755)

    def has(self, name: str, properties: dict[str, str], reload: str = "no") -> None:
        lines = [f"{one}={value}\n" for one, value in properties.items()]
        (self.root / name).write_text("".join([*lines, f"NeedDaemonReload={reload}\n"]))

    def has_after_reload(self, name: str, properties: dict[str, str]) -> None:
        (self.root / "reloaded").mkdir()
        first = self.root
        self.root = first / "reloaded"
        self.has(name, properties)
        self.root = first

    def run(self, *units: dict[str, Any], **more: Any) -> dict[str, Any]:
        environment = {"PATH": f"{self.root}:/usr/bin:/bin"}
        return run_module("files", environment, units=list(units), **more)

    @property
    def told(self) -> list[str]:
        path = self.root / "told"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def systemd(tmp_path: Path) -> Systemd:
    return Systemd(tmp_path)


@pytest.mark.parametrize(
    ("properties", "entry", "told"),
    [
        (RUNNING, {}, []),
        (NEW, {}, ["enable a.timer", "start a.timer"]),
        (NEW, {"start": False}, ["enable a.timer"]),
        ({**RUNNING, "ActiveState": "inactive"}, {"start": False}, []),
        ({**RUNNING, "ActiveState": "failed"}, {}, ["start a.timer"]),
        ({**RUNNING, "ActiveState": "activating"}, {}, []),
        ({**RUNNING, "UnitFileState": "static"}, {}, []),
        ({**RUNNING, "UnitFileState": "enabled-runtime"}, {}, ["enable a.timer"]),
        (RUNNING, {"restart": True}, ["restart a.timer"]),
        (NEW, {"restart": True}, ["enable a.timer", "restart a.timer"]),
        (MASKED, {}, ["unmask a.timer", "enable a.timer", "start a.timer"]),
    ],
)
def test_a_unit_gets_what_it_lacks(
    systemd: Systemd, properties: dict[str, str], entry: dict[str, bool], told: list[str]
) -> None:
    systemd.has("a.timer", properties)
    answer = systemd.run({"name": "a.timer", **entry})
    assert not answer.get("failed"), answer
    assert systemd.told == told
    assert answer["units"] == (["a.timer"] if told else [])
    assert answer["changed"] == bool(told)


def test_check_mode_tells_the_same_and_tells_systemd_nothing(systemd: Systemd) -> None:
    systemd.has("a.timer", NEW, reload="yes")
    systemd.has("b.timer", RUNNING)
    answer = systemd.run({"name": "a.timer"}, {"name": "b.timer"}, _ansible_check_mode=True)
    assert (answer["changed"], answer["units"]) == (True, ["a.timer"])
    assert systemd.told == []


def test_in_check_mode_a_unit_may_be_missing(systemd: Systemd) -> None:
    systemd.has("a.timer", MISSING)
    answer = systemd.run({"name": "a.timer"}, _ansible_check_mode=True)
    assert (answer.get("failed"), answer["changed"]) == (None, True)


def test_a_missing_unit_ends_the_task(systemd: Systemd) -> None:
    systemd.has("a.timer", MISSING)
    answer = systemd.run({"name": "a.timer"})
    assert (answer["failed"], answer["msg"]) == (True, "there is no unit a.timer")
    assert systemd.told == ["daemon-reload"]


def test_systemd_reads_a_changed_file_before_the_unit_starts(systemd: Systemd) -> None:
    systemd.has("a.timer", {**RUNNING, "ActiveState": "inactive"}, reload="yes")
    systemd.has_after_reload("a.timer", NEW)
    assert systemd.run({"name": "a.timer"})["changed"]
    assert systemd.told == ["daemon-reload", "enable a.timer", "start a.timer"]


def test_a_new_unit_is_found_after_systemd_has_read_its_file(systemd: Systemd) -> None:
    systemd.has("a.timer", MISSING)
    systemd.has_after_reload("a.timer", NEW)
    assert systemd.run({"name": "a.timer"})["units"] == ["a.timer"]
    assert systemd.told == ["daemon-reload", "enable a.timer", "start a.timer"]


def test_the_file_is_in_place_before_its_unit_starts(systemd: Systemd) -> None:
    """A file that its checker refuses starts nothing."""
    systemd.has("a.timer", NEW)
    text = base64.b64encode(zlib.compress(b"[Timer]\n")).decode()
    entry = {
        "dest": str(systemd.root / "file"), "content": text, "mode": "0644",
        "owner": "", "group": "", "validate": "false %s",
    }  # fmt: skip
    assert systemd.run({"name": "a.timer"}, files=[entry])["failed"]
    assert systemd.told == []
    answer = systemd.run({"name": "a.timer"}, files=[{**entry, "validate": "true %s"}])
    assert (answer["paths"], answer["units"]) == ([entry["dest"]], ["a.timer"])


def test_a_unit_that_cannot_start_ends_the_task_with_the_reason(systemd: Systemd) -> None:
    systemd.refuse("start")
    systemd.has("a.timer", NEW)
    answer = systemd.run({"name": "a.timer"})
    assert answer["failed"]
    assert answer["msg"] == "'systemctl start a.timer' failed: Job for a.timer failed"


def test_a_systemctl_that_tells_nothing_ends_the_task(systemd: Systemd) -> None:
    answer = systemd.run({"name": "a.timer"})
    assert answer["failed"]
    assert answer["msg"].startswith("systemd does not tell about a.timer: ")
