"""`toxctl status --health`: facts of the machine, and none where something cannot be read."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from fake_server import FakeServer

from toxctl import health
from toxctl.errors import ToxctlError

Answers = Mapping[str, tuple[int, str]]


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answers], None]:
    """Answers of programs, by how their command line begins; others are missing."""

    def use(answers: Answers) -> None:
        def run(command: Sequence[str], *_: object) -> subprocess.CompletedProcess[str]:
            line = " ".join(command)
            for start, (code, text) in answers.items():
                if line.startswith(start):
                    return subprocess.CompletedProcess(command, code, text, "")
            raise ToxctlError(f"{command[0]} is not installed")

        monkeypatch.setattr(health, "run", run)

    return use


def test_status_has_the_facts_only_when_they_are_asked_for(serving: FakeServer) -> None:
    found = serving.json("status", "--health").result["health"]
    assert set(found) == {
        "time", "failed", "stopped", "disks", "swap", "killed", "reboot", "versions", "firewall",
        "ssh_ports",
    }  # fmt: skip
    assert all(disk["bytes"] >= disk["free"] for disk in found["disks"])
    assert found["disks"][0]["path"] == "/"
    assert "health" not in serving.json("status").result


def test_a_host_without_the_service_has_the_facts_too(server: FakeServer) -> None:
    asked = server.json("status", "--health").result["health"]
    server.config_path.unlink()
    found = server.json("health").result
    assert set(found) == {"version", "memory", "health"}
    assert set(found["health"]) == set(asked)
    assert found["memory"]["available"] > 0


def test_failed_and_stopped_units_are_listed(programs: Callable[[Answers], None]) -> None:
    programs(
        {
            "systemctl list-units --state=failed,auto-restart --plain --no-legend": (
                0,
                "a.service loaded failed failed A\nb.timer x failed y z\n",
            ),
            "systemctl show nginx": (0, "ActiveState=inactive\nUnitFileState=enabled\n"),
            "systemctl show mongod": (0, "ActiveState=inactive\nUnitFileState=disabled\n"),
            "systemctl show": (0, "ActiveState=active\nUnitFileState=enabled\n"),
        }
    )
    assert health._failed() == ["a.service", "b.timer"]
    assert [unit for unit in health.SERVICES if health._is_stopped(unit)] == ["nginx.service"]
    programs({"systemctl": (1, "Failed to connect to bus")})
    assert health._failed() is None


def test_what_the_kernel_killed_is_named_once(programs: Callable[[Answers], None]) -> None:
    lines = (
        "tox_com_det@blue.service: A process of this unit has been killed by the OOM killer.\n"
        "tox_com_det@blue.service: Failed with result 'oom-kill'.\n"
        "other.service: Failed with result 'exit-code'.\n"
        "Out of memory: Killed process 77 (mongod) total-vm:1kB\n"
    )
    programs({"journalctl": (0, lines)})
    assert health._killed() == ["tox_com_det@blue.service", "mongod"]
    programs({})
    assert health._killed() == []


def machine(root: Path) -> str:
    """Make a machine that booted at second 1000, its first process 5 s later."""
    files = {
        "proc/stat": "cpu 1\nbtime 1000\n",
        "proc/1/stat": "1 (systemd (x)) S " + "0 " * 18 + str(5 * os.sysconf("SC_CLK_TCK")) + " 0",
        "proc/meminfo": "MemTotal: 1 kB\nSwapTotal:    2048 kB\nSwapFree:    1024 kB\n",
        "etc/os-release": 'NAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n',
        "var/lib/dpkg/info/systemd.list": "",
        "var/lib/dpkg/info/libc6:amd64.list": "",
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    os.utime(root / "var/lib/dpkg/info/systemd.list", (1004, 1004))
    os.utime(root / "var/lib/dpkg/info/libc6:amd64.list", (1006, 1006))
    return str(root)


def test_packages_that_are_newer_than_the_boot_need_a_reboot(
    tmp_path: Path, programs: Callable[[Answers], None]
) -> None:
    programs({})
    root = machine(tmp_path)
    assert list(health._updated_since_boot(root)) == ["libc6:amd64"]
    (tmp_path / "run").mkdir()
    (tmp_path / "run/reboot-required").touch()
    assert "reboot-required" in list(health._updated_since_boot(root))
    assert list(health._updated_since_boot(str(tmp_path / "none"))) == []
    hint = "Core libraries or services have been updated:\n  kernel -> 5.14\n\nReboot is required\n"
    programs({"needs-restarting": (1, hint)})
    assert list(health._updated_since_boot(str(tmp_path / "none"))) == ["kernel"]
    programs({"needs-restarting": (1, "a traceback")})
    assert list(health._updated_since_boot(str(tmp_path / "none"))) == []


def test_swap_and_versions_are_read(tmp_path: Path, programs: Callable[[Answers], None]) -> None:
    programs({"mongod": (0, "db version v8.0.4\n"), "nginx -v": (0, "nginx version: nginx/1.22.1")})
    root = machine(tmp_path)
    assert health._swap(root) == {"total": 2 << 20, "free": 1 << 20}
    found = health._versions(root)
    assert (found["os"], found["os_name"]) == ("debian 12", "Debian GNU/Linux")
    assert (found["mongodb"], found["nginx"]) == ("8.0.4", "1.22.1")
    programs({})
    assert health._versions(root)["mongodb"] is None


def test_the_running_zone_is_read(programs: Callable[[Answers], None]) -> None:
    programs({"firewall-cmd": (0, "public\n  services: http ssh\n  ports: 22/tcp 81/tcp\n")})
    assert health._firewall() == {"services": ["http", "ssh"], "ports": ["22/tcp", "81/tcp"]}
    programs({"firewall-cmd": (252, "FirewallD is not running")})
    assert health._firewall() is None
