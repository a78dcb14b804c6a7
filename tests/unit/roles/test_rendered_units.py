"""The systemd units fit the systemd of each system: 219 on CentOS 7, 252 on the others."""

from __future__ import annotations

import configparser

import pytest
from rendered_files import (
    BACKUP,
    DRILL,
    GUNICORN,
    MONGOD_LIMITS,
    NGINX_LIMITS,
    RECOVER,
    SECANTUSDB,
    SERVER_JSON,
    SLOT,
    SSH_LIMITS,
    SSHD_LIMITS,
    TOXCTL,
    UWSGI,
    VERIFY,
    VERIFY_TIMER,
    directives,
    parsed,
)
from rendering import SYSTEMS, VARIANTS
from role_tree import PROJECT

SYSTEMD = {"centos7": 219, "el9": 252, "debian12": 252, "debian13": 257, "arch": 258}
LISTS = PROJECT / "tests/fixtures/systemd"
# Directives that were added after 252; none that is used here was removed until 256.
SINCE_252 = {
    256: "ImportCredential MemoryKSM MemoryPressureThresholdSec MemoryPressureWatch MemoryZSwapMax "
    "MemoryZSwapWriteback OpenFile RestartMaxDelaySec RestartMode RestartSteps "
    "RootEphemeral SetLoginEnvironment SurviveFinalKillSignal",
}
UNITS = (SLOT, RECOVER, VERIFY, SECANTUSDB, MONGOD_LIMITS, BACKUP, DRILL, NGINX_LIMITS)
SSH_UNITS = {
    "debian12": SSH_LIMITS,
    "debian13": SSH_LIMITS,
    "el9": SSHD_LIMITS,
    "centos7": SSHD_LIMITS,
    "arch": SSHD_LIMITS,
}


def known(version: int) -> dict[str, set[str]]:
    """Return the directives of a service unit by section, as that systemd itself lists them."""
    listed = configparser.ConfigParser(allow_no_value=True, delimiters=("=",))
    listed.optionxform = str  # type: ignore[assignment] # as its documentation says
    listed.read(LISTS / f"{min(version, 252)}.txt", encoding="utf-8")
    found = {
        section: {name for line in listed[section] for name in line.split()}
        for section in listed.sections()
    }
    found["Service"] |= set((SINCE_252[256] if version >= 256 else "").split())
    return found


@pytest.mark.parametrize(("system", "version"), [*SYSTEMD.items(), ("el9", 256), ("debian12", 256)])
def test_systemd_knows_every_directive_and_value(system: str, version: int):
    sections = known(version)
    for template in (*UNITS, SSH_UNITS[system]):
        for section, name, value in parsed(template, system):
            assert name in sections[section], f"{template}: systemd {version} ignores {name}"
            if (name, value) == ("ProtectSystem", "strict"):
                assert version >= 232, template


@pytest.mark.parametrize("template", [SLOT, SECANTUSDB, BACKUP])
def test_each_system_gets_the_strictest_sandbox_that_it_supports(template: str):
    """The unit for systemd 219 lacks only directives that 219 does not know."""
    modern, old = directives(template, "debian12"), directives(template, "centos7")
    replaced = {"MemoryMax", "ProtectSystem", "ReadWritePaths", "StartLimitIntervalSec"}
    everything = set().union(*known(219).values())
    assert set(modern) - set(old) - replaced == (set(modern) - everything) - replaced
    assert old["MemoryLimit"] == modern["MemoryMax"]
    assert old["ReadOnlyDirectories"] == "/"
    assert modern["ProtectSystem"] == "strict"
    if template == SLOT:
        assert old["StartLimitInterval"] == modern["StartLimitIntervalSec"] == "0"


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_slot_may_write_to_the_directory_of_its_socket(system: str):
    """With strict, systemd makes RuntimeDirectory= writable; 219 does not, and expands no %i."""
    writable = directives(SLOT, system).get("ReadWriteDirectories", "").split()
    slots = parsed(SERVER_JSON, system)["slots"]
    assert writable in ([], [f"-/run/tox_com_det-{slot}" for slot in slots])
    assert bool(writable) == (SYSTEMD[system] < 232)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_slot_is_not_killed_before_its_slowest_request_ends(system: str):
    for variant in VARIANTS:
        if system in variant.systems:
            stop = directives(SLOT, system, variant.name)["TimeoutStopSec"]
            uwsgi = parsed(UWSGI, system, variant.name)["uwsgi"]
            assert int(uwsgi["harakiri"]) < int(stop)
            assert int(uwsgi["worker-reload-mercy"]) < int(stop)
            assert parsed(GUNICORN, system, variant.name)["graceful_timeout"] < int(stop)


def test_debian_13_runs_the_slots_on_its_own_python() -> None:
    toxctl = "/usr/bin/python3.13 -I -B /opt/tox_com_det/toxctl/current"
    assert directives(SLOT, "debian13", "system_python")["ExecStart"] == f"{toxctl} run-slot %i"


@pytest.mark.parametrize(
    ("variant", "python"),
    [
        ("defaults", "/opt/miniconda/bin/python3.11"),
        ("own_choices", "/opt/python/bin/python3.11"),
        ("system_python", "/usr/bin/python3.11"),
    ],
)
def test_slots_run_on_the_python_that_the_inventory_selects(variant: str, python: str):
    toxctl = f"{python} -I -B /opt/tox_com_det/toxctl/current"
    assert directives(SLOT, "el9", variant)["ExecStart"] == f"{toxctl} run-slot %i"
    assert directives(RECOVER, "el9", variant)["ExecStart"] == f"{toxctl} recover --boot"
    assert parsed(SERVER_JSON, "el9", variant)["python"] == python
    assert directives(VERIFY, "el9", variant)["ExecStart"] == f"{toxctl} status --quick --verify"
    assert f'exec {python} -I -B "$(readlink -f ' in parsed(TOXCTL, "el9", variant)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_boot_recovers_the_confirmed_release_before_anything_serves(system: str):
    server, recover = parsed(SERVER_JSON, system), directives(RECOVER, system)
    slots = {server["unit"].format(slot=slot) for slot in server["slots"]}
    assert set(recover["Before"].split()) == {"nginx.service"} | slots
    assert recover["ConditionPathExists"] == "/etc/tox_com_det/server.json"


@pytest.mark.parametrize("system", SYSTEMS)
def test_releases_are_verified_every_day_without_taking_time_from_the_service(system: str):
    verify, timer = directives(VERIFY, system), directives(VERIFY_TIMER, system)
    assert (verify["Nice"], verify["IOSchedulingClass"]) == ("19", "idle")
    assert timer["OnCalendar"].startswith("*-*-* ")
    assert timer["Persistent"] == "true"


def test_a_backup_writes_to_its_own_directories_and_a_repository_that_is_one():
    own = "/etc/tox_com_det /srv/tox_com_det/backup /var/lib/tox_com_det"
    assert directives(BACKUP, "debian12", "backups")["ReadWritePaths"] == own
    directory = directives(BACKUP, "debian12", "backups_in_a_directory")["ReadWritePaths"]
    assert directory == f"{own} /var/backups/tox"
    old = directives(BACKUP, "centos7", "backups_in_a_directory")
    assert old["ReadWriteDirectories"] == directory


def test_no_secret_of_backups_is_in_a_file_that_others_read():
    for template in (BACKUP, DRILL, "etc/tox_com_det/backup.json.j2"):
        text = str(parsed(template, "debian12", "backups"))
        assert "a password" not in text
        assert "a key" not in text


@pytest.mark.parametrize("unit", [MONGOD_LIMITS, SECANTUSDB])
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_database_restarts_whatever_ended_it(system: str, unit: str):
    """As nginx and the slots: without Restart= it stays dead until somebody starts it."""
    given = directives(unit, system)
    assert given["Restart"] == "always"
    # systemd gives up after 5 starts in 10 s; each of them takes a moment as well.
    assert int(given["RestartSec"]) * 5 >= 10
