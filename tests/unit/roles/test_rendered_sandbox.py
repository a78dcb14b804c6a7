"""What the units of the service, nginx, the database and sshd may not do, on each system."""

from __future__ import annotations

import pytest
from rendered_files import (
    MONGOD_LIMITS,
    NGINX_LIMITS,
    SECANTUSDB,
    SLOT,
    SSH_LIMITS,
    SSHD_LIMITS,
    directives,
    parsed,
)
from rendering import SYSTEMS

MODERN = ("el9", "debian12", "debian13", "arch")
# Each of them implies NoNewPrivileges= where systemd starts the program as another user.
IMPLYING = {
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "NoNewPrivileges",
    "PrivateDevices",
    "ProtectClock",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "RestrictAddressFamilies",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "SystemCallArchitectures",
    "SystemCallFilter",
}
# What a session would inherit from sshd, and needs: for sudo, packages, mounts and other tools.
NEEDED_BY_SESSIONS = {
    "CapabilityBoundingSet",
    "MemoryDenyWriteExecute",
    "NoNewPrivileges",
    "PrivateDevices",
    "PrivateMounts",
    "PrivateNetwork",
    "PrivateTmp",
    "PrivateUsers",
    "ProtectClock",
    "ProtectControlGroups",
    "ProtectHome",
    "ProtectHostname",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectProc",
    "ProtectSystem",
    "ReadOnlyDirectories",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "UMask",
}


def filters(template: str, system: str, variant: str = "defaults") -> list[str]:
    return [
        value for _, name, value in parsed(template, system, variant) if name == "SystemCallFilter"
    ]


@pytest.mark.parametrize("system", MODERN)
@pytest.mark.parametrize("template", [SLOT, SECANTUSDB])
def test_programs_with_a_user_of_their_own_have_no_rights_of_an_administrator(
    template: str, system: str
):
    found = directives(template, system)
    assert found["CapabilityBoundingSet"] == ""
    assert found["NoNewPrivileges"] == "true"
    assert found["ProtectSystem"] == "strict"
    assert found["MemoryDenyWriteExecute"] == "true"
    assert filters(template, system) == ["@system-service", "~@privileged @resources"]
    assert found["SystemCallErrorNumber"] == "EPERM"


@pytest.mark.parametrize("system", MODERN)
def test_a_slot_reaches_no_address_but_its_own_database(system: str):
    found = directives(SLOT, system)
    assert (found["IPAddressDeny"], found["IPAddressAllow"]) == ("any", "localhost")


def test_a_slot_whose_database_is_elsewhere_reaches_it():
    assert directives(SLOT, "debian12", "own_choices")["IPAddressDeny"] == "any"
    elsewhere = directives(SLOT, "debian12", "database_elsewhere")
    assert not {"IPAddressDeny", "IPAddressAllow"} & set(elsewhere)


def test_gunicorn_may_set_the_owner_of_its_socket():
    assert filters(SLOT, "debian12", "gunicorn")[-1] == "@chown"
    assert "@chown" not in filters(SLOT, "debian12")


@pytest.mark.parametrize("system", SYSTEMS)
def test_nginx_keeps_what_its_master_needs(system: str):
    found = directives(NGINX_LIMITS, system)
    rights = set(found["CapabilityBoundingSet"].split())
    # Ports below 1024, workers of another user and signals to them, logs and keys of others.
    assert rights == {
        "CAP_NET_BIND_SERVICE",
        "CAP_SETUID",
        "CAP_SETGID",
        "CAP_KILL",
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
    }
    writable = found.get("ReadWritePaths", "").split()
    assert writable == (["/run", "-/var/lib/nginx", "/var/log/nginx"] if system in MODERN else [])
    assert found["ProtectSystem"] == ("strict" if system in MODERN else "full")


@pytest.mark.parametrize("system", SYSTEMS)
def test_selinux_can_give_nginx_its_domain(system: str):
    """With NoNewPrivileges= it would stay in that of systemd."""
    has_selinux = SYSTEMS[system]["os_family"] == "RedHat"
    assert ("NoNewPrivileges" in directives(NGINX_LIMITS, system)) != has_selinux


@pytest.mark.parametrize("system", SYSTEMS)
def test_mongod_keeps_what_its_unit_needs_before_the_start(system: str):
    rights = set(directives(MONGOD_LIMITS, system)["CapabilityBoundingSet"].split())
    assert rights == {"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"}


@pytest.mark.parametrize("system", SYSTEMS)
def test_selinux_can_give_mongod_its_domain(system: str):
    has_selinux = SYSTEMS[system]["os_family"] == "RedHat"
    assert bool(IMPLYING & set(directives(MONGOD_LIMITS, system))) != has_selinux


@pytest.mark.parametrize("system", SYSTEMS)
def test_mongod_may_compile_javascript_and_write_its_data(system: str):
    found = directives(MONGOD_LIMITS, system)
    assert "MemoryDenyWriteExecute" not in found
    if system in MODERN:
        data = "/var/lib/mongo" if SYSTEMS[system]["os_family"] == "RedHat" else "/var/lib/mongodb"
        assert found["ReadWritePaths"].split() == [f"-{data}", "-/var/log/mongodb", "/run"]
        assert found["IPAddressDeny"] == "any"
        assert "IPAddressDeny" not in directives(MONGOD_LIMITS, system, "mongodb_remote")
    else:
        assert found["ProtectSystem"] == "full"


@pytest.mark.parametrize("template", [SSH_LIMITS, SSHD_LIMITS])
def test_sshd_takes_nothing_from_a_session(template: str):
    """sudo does not give back what sshd may not do."""
    for system in SYSTEMS:
        found = directives(template, system)
        assert not NEEDED_BY_SESSIONS & set(found)
        for _, name, value in parsed(template, system):
            if name in ("RestrictAddressFamilies", "SystemCallFilter"):
                assert value.startswith("~"), "a list of what is allowed would end sessions"
        assert {
            "AF_UNIX",
            "AF_INET",
            "AF_INET6",
            "AF_NETLINK",
            "AF_PACKET",
            "AF_ALG",
            "AF_VSOCK",
        }.isdisjoint(found.get("RestrictAddressFamilies", "").strip("~").split())


def test_devices_are_closed_only_where_sessions_leave_the_group_of_sshd():
    assert directives(SSH_LIMITS, "debian12")["DevicePolicy"] == "closed"
    without = directives(SSH_LIMITS, "debian12", "sessions_of_sshd")
    assert "DevicePolicy" not in without


@pytest.mark.parametrize("system", SYSTEMS)
def test_modern_algorithms_are_those_that_sshd_knows(system: str):
    sshd = "etc/ssh/sshd_config.d/00-tox_com_det.conf.j2"
    assert "Ciphers" not in parsed(sshd, system)
    chosen = parsed(sshd, system, "own_choices")
    assert chosen["Ciphers"] == "aes256-ctr"
    assert chosen["MACs"] == "hmac-sha2-256-etm@openssh.com"
    assert chosen["KexAlgorithms"] == "curve25519-sha256"


@pytest.mark.parametrize("system", SYSTEMS)
def test_fail2ban_watches_the_ports_of_sshd_and_spares_the_chosen_addresses(system: str):
    jail = "etc/fail2ban/jail.d/tox_com_det.local.j2"
    assert parsed(jail, system)["sshd"]["port"] == "22,2222"
    spared = parsed(jail, system, "own_choices")["sshd"]["ignoreip"].split()
    assert spared == ["127.0.0.1/8", "::1", "192.0.2.0/24", "2001:db8::7"]
