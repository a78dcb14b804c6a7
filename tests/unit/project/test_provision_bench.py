"""The table of bench.provision, and what a run from nothing is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import provision
from bench.provision import Side


def side(
    name: str, seconds: list[float], ran: int = 0, until_play: list[float] | None = None
) -> Side:
    made = Side(name, Path(), Path(), seconds, until_play or [])
    made.ran = ran
    return made


def test_ratios_are_taken_within_a_round() -> None:
    before, now = side("old", [10, 40, 20], ran=200), side("new", [5, 10, 20], ran=50)
    lines = provision.report(before, now).splitlines()
    assert lines[2].split() == ["old", "20.0s", "10.0s", "40.0s", "200", "0"]
    assert lines[3].split() == ["new", "10.0s", "5.0s", "20.0s", "50", "0"]
    assert lines[4] == "ratio of the seconds: 0.50 (0.25 to 1.00)"
    assert lines[5] == "ratio of the tasks run: 0.25"
    assert len(lines) == 6


def test_make_up_has_no_tasks_and_a_time_until_its_first_play() -> None:
    before, now = side("old", [300], until_play=[200]), side("new", [150], until_play=[50])
    lines = provision.report(before, now).splitlines()
    assert [line.split()[-4:] for line in lines[2:6:2]] == [
        ["old", "300.0s", "300.0s", "300.0s"],
        ["new", "150.0s", "150.0s", "150.0s"],
    ]
    assert lines[6] == "ratio of the seconds: 0.50 (0.50 to 0.50)"
    assert lines[7] == "until the first play: 0.25 (0.25 to 0.25)"


def test_a_run_from_nothing_has_a_storage_and_a_cache_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, ...]] = []

    def run(command: list[str], cwd: Path, more: dict[str, str] | None = None) -> str:
        asked.append((*command, (more or {}).get("CONTAINERS_STORAGE_CONF", "")))
        return "overlay\n"

    monkeypatch.setattr(provision, "_run", run)
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/podman")
    with provision.empty_storage() as environment:
        settings = Path(environment["CONTAINERS_STORAGE_CONF"])
        assert 'driver = "overlay"' in settings.read_text()
        assert f'graphroot = "{settings.parent}/storage"' in settings.read_text()
        assert Path(environment["PIP_CACHE_DIR"]).parent == settings.parent
    assert not settings.parent.exists()
    # Only its own images are removed.
    assert asked[-1] == ("podman", "rmi", "--all", "--force", str(settings))


def test_another_checkout_gets_neither_an_inventory_nor_an_environment_of_this_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = f"{provision.PROJECT}/.venv/bin"
    monkeypatch.setenv("PATH", f"{own}:/usr/bin:/bin")
    for name in ("ANSIBLE_INVENTORY", "VIRTUAL_ENV", "PYTHONPATH", "CORE"):
        monkeypatch.setenv(name, "mine")
    given = provision.environment({"MORE": "1"})
    assert given["PATH"] == "/usr/bin:/bin"
    assert given["MORE"] == "1"
    assert "mine" not in given.values()
