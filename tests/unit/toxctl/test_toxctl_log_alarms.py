"""Logs that grow beyond what their rules leave, or that nothing rotates, are warnings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fake_server import FakeServer
from rendered_files import rendered

from toxctl import log_alarms, systemd, timers, verification
from toxctl.systemd import UnitState

MIB = 1 << 20
ROTATE = "run `ansible-playbook site.yml --tags log_rotation`"


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Directories and rules as they are on a server, and units that are well."""
    rotated = []
    for name, count in (("nginx", 2), ("mongodb", 1)):
        (tmp_path / name).mkdir()
        rule = tmp_path / f"{name}.rule"
        template = "nginx" if name == "nginx" else "mongod"
        rule.write_text(rendered(f"etc/logrotate.d/{template}.j2", "debian12"))
        rotated.append((str(tmp_path / name), str(rule), count))
    (tmp_path / "log").mkdir()
    syslog = rendered("etc/logrotate-syslog.conf.j2", "debian12")
    (tmp_path / "syslog.rule").write_text(syslog.replace("/var/log/", f"{tmp_path}/log/"))
    journald = tmp_path / "journald.conf"
    journald.write_text(rendered("etc/systemd/journald.conf.d/tox_com_det.conf.j2", "debian12"))
    (tmp_path / "journal").mkdir()
    for timer in (log_alarms.TIMER, verification.TIMER):
        (tmp_path / timer).touch()
    monkeypatch.setattr(log_alarms, "ROTATED", tuple(rotated))
    monkeypatch.setattr(log_alarms, "SYSLOG", str(tmp_path / "syslog.rule"))
    monkeypatch.setattr(log_alarms, "JOURNALS", (str(tmp_path / "journal"),))
    monkeypatch.setattr(log_alarms, "JOURNAL_LIMITS", str(journald))
    monkeypatch.setattr(timers, "UNITS", str(tmp_path))
    units(monkeypatch)
    return tmp_path


def units(
    monkeypatch: pytest.MonkeyPatch, timer: str = "active", service: str = "inactive"
) -> None:
    """Let systemd report these states."""
    states = {log_alarms.TIMER: timer, log_alarms.SERVICE: service}
    monkeypatch.setattr(
        systemd, "unit_state", lambda unit: UnitState(states.get(unit, "inactive"), "", 0, None)
    )


def fill(path: Path, mebibytes: int) -> None:
    """Make a file of that size, which takes no space."""
    with path.open("wb") as file:
        file.truncate(mebibytes * MIB)


def test_what_the_rule_leaves_is_no_warning(logs: Path) -> None:
    for name in ("access", "error"):
        fill(logs / "nginx" / f"{name}.log", 20)
        for number in range(1, 6):
            fill(logs / "nginx" / f"{name}.log.{number}", 20)
        fill(logs / "log" / "auth.log.1", 20)
    fill(logs / "log" / "lastlog", 400)  # no file of rsyslog's
    fill(logs / "journal" / "system.journal", 200)
    assert log_alarms.warnings() == []


@pytest.mark.parametrize("name", ["nginx/access.log", "nginx/error.log.1", "mongodb/mongod.log"])
def test_a_log_that_was_not_rotated_names_the_rotation(logs: Path, name: str) -> None:
    fill(logs / name, 400)
    (warning,) = log_alarms.warnings()
    assert warning.startswith(str((logs / name).parent))
    assert warning.endswith(ROTATE)


@pytest.mark.parametrize("name", ["messages", "secure", "auth.log", "kern.log.2.gz", "syslog.1"])
def test_a_file_of_rsyslog_that_was_not_rotated_names_the_rotation(logs: Path, name: str) -> None:
    """Strangers at sshd fill secure and auth.log."""
    fill(logs / "log" / name, 141)
    (warning,) = log_alarms.warnings()
    log = name.partition(".2")[0].removesuffix(".1")
    assert warning.startswith(f"{logs}/log/{log} has ")
    assert warning.endswith(ROTATE)
    rule = logs / "syslog.rule"
    rule.write_text(rule.read_text().replace("size 20M", "size 200M"))
    assert log_alarms.warnings() == []


def test_the_limit_is_that_of_the_rule(logs: Path) -> None:
    fill(logs / "nginx" / "access.log", 400)
    rule = logs / "nginx.rule"
    rule.write_text(rule.read_text().replace("size 20M", "size 200M"))
    assert log_alarms.warnings() == []
    rule.unlink()
    (warning,) = log_alarms.warnings()
    assert warning.endswith(ROTATE)


@pytest.mark.parametrize("name", ["access.log-20261101", "access.log.9.gz"])
def test_old_files_that_no_rule_removes_name_what_removes_them(logs: Path, name: str) -> None:
    """Those of the packages' own rules, and those of a rule that kept more."""
    fill(logs / "nginx" / name, 400)
    (warning,) = log_alarms.warnings()
    (command,) = re.findall("`(.+)`", warning)
    assert command == f"find {logs}/nginx -type f -name '*.log?*' -mtime +7 -delete"


@pytest.mark.parametrize("states", [{"timer": "inactive"}, {"service": "failed"}])
def test_a_rotation_that_does_not_run_is_a_warning(
    logs: Path, monkeypatch: pytest.MonkeyPatch, states: dict[str, str]
) -> None:
    units(monkeypatch, **states)
    fill(logs / "nginx" / "access.log", 400)
    (warning,) = log_alarms.warnings()
    assert "logs are not rotated by size" in warning
    assert warning.endswith(ROTATE)


def test_a_journal_beyond_its_limit_names_what_empties_it(logs: Path) -> None:
    fill(logs / "journal" / "system.journal", 401)
    (warning,) = log_alarms.warnings()
    assert "run `journalctl --vacuum-size=200M` on the server" in warning
    (logs / "journald.conf").write_text("[Journal]\nSystemMaxUse=1G\n")
    assert log_alarms.warnings() == []


def test_status_shows_the_warnings(logs: Path, server: FakeServer) -> None:
    fill(logs / "mongodb" / "mongod.log", 400)
    shown = server.run("status").stdout
    assert f"warning: {logs}/mongodb has " in shown


@pytest.mark.parametrize("timer", [log_alarms.TIMER, verification.TIMER])
def test_a_timer_that_stopped_is_a_warning_with_its_role(
    logs: Path, server: FakeServer, timer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    units(monkeypatch, timer="inactive")
    (logs / timer).unlink()
    others = server.run("status").stdout
    assert timer not in others
    (logs / timer).touch()
    shown = server.run("status").stdout
    assert f"warning: {timer} is not active" in shown
    assert "`ansible-playbook site.yml --tags " in shown
