"""The server as seen by a user who logs in."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import HANG_SECONDS, PROJECT
from waiting import until

from tox_com_det.version import __version__

MIB = 1 << 20
BIN = Path(sys.executable).parent
SUDO_USER = "deploy"
SSH_UNITS = {"debian": "ssh"}


def reaches(address: str, port: int) -> bool:
    """Return whether a TCP connection succeeds from here, outside of the server."""
    try:
        socket.create_connection((address, port), timeout=HANG_SECONDS).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def address(host) -> str:
    """The server's own address, not a published port."""
    return host.interface.default("inet").addresses[0]


def test_the_sudo_user_logs_in_and_has_sudo(host):
    assert host.user().name == SUDO_USER
    assert host.run("sudo -n id -u").stdout.strip() == "0"


def test_sudoers_is_valid_and_not_readable_by_others(host):
    with host.sudo():
        rule = host.file("/etc/sudoers.d/tox_com_det")
        assert (rule.mode, rule.user, rule.group) == (0o440, "root", "root")
        assert host.run("visudo -c").rc == 0


def test_the_service_has_its_own_user_without_a_shell(host, server):
    user = host.user(server["user"])
    assert user.name != SUDO_USER
    assert user.shell.endswith("nologin")


@pytest.mark.parametrize("name", ["firewalld", "nginx", "database", "ssh"])
def test_service_is_enabled_and_running(host, database, name):
    ssh = SSH_UNITS.get(host.system_info.distribution, "sshd")
    unit = {"database": database, "ssh": ssh}.get(name, name)
    assert host.service(unit).is_enabled
    assert host.service(unit).is_running


def test_connections_wait_while_a_killed_worker_loads_its_model(host, server, live_slot):
    allowed = int(host.file("/proc/sys/net/core/somaxconn").content_string)
    # EL has it where only root looks.
    command = "PATH=$PATH:/usr/sbin ss --unix --listening"
    listening = host.check_output(command).splitlines()
    path = server["socket"].format(slot=live_slot)
    (live,) = (line.split() for line in listening if path in line)
    assert int(live[3]) == min(1024, allowed)


def test_no_unit_has_failed(host):
    assert host.run("systemctl list-units --failed --no-legend --plain").stdout == ""


def test_only_the_live_slot_is_running_and_enabled(host, server, live_slot):
    for slot in server["slots"]:
        service = host.service(server["unit"].format(slot=slot))
        assert service.is_running == (slot == live_slot)
        assert service.is_enabled == (slot == live_slot)


def test_a_slot_has_a_read_only_file_system(host, server, live_slot):
    """Its mounts tell, not its unit: systemd silently drops a sandbox that it cannot create."""
    unit = server["unit"].format(slot=live_slot)
    with host.sudo():
        pid = host.check_output("systemctl show --property MainPID %s", unit).partition("=")[2]
        mounts = host.file(f"/proc/{pid}/mountinfo").content_string.splitlines()
    options = {line.split()[4]: line.split()[5].split(",") for line in mounts}
    assert "ro" in options["/"]
    assert "ro" in options["/home"]
    assert "rw" in options[f"/run/tox_com_det-{live_slot}"]


def test_toxctl_is_on_the_sudo_users_path(host):
    assert host.check_output("sudo -n toxctl --version") == f"toxctl {__version__}"


def test_an_interrupted_installation_of_toxctl_leaves_nothing(host):
    """The first run was interrupted while it was unpacked."""
    directory = "/opt/tox_com_det/toxctl"
    # With find: a listing leaves out the hidden directory that an installation uses.
    entries = host.check_output("find %s -mindepth 1 -maxdepth 1 -printf '%%f\\n'", directory)
    (version,) = set(entries.splitlines()) - {"current"}
    assert host.file(f"{directory}/current").linked_to == f"{directory}/{version}"


def test_records_of_applied_configuration_are_hashes_that_root_reads(host):
    """app.env may hold the database's password."""
    with host.sudo():
        directory = host.file("/var/lib/tox_com_det/applied")
        records = {name: host.file(f"{directory.path}/{name}") for name in directory.listdir()}
        assert "_etc_tox_com_det_app.env" in records
        for name, record in records.items():
            assert re.fullmatch(r"[0-9a-f]{64}\n", record.content_string), name
            assert record.mode == 0o600, name


def test_nothing_else_listens(host):
    with host.sudo():
        listening = host.run("ss --listening --tcp --numeric").stdout
    found = {
        line.split()[3].replace("[::]", "*").replace("0.0.0.0", "*")
        for line in listening.splitlines()[1:]
    }
    assert found == {"*:22", "*:80", "127.0.0.1:8081", "127.0.0.1:27017"}


def test_only_the_web_server_is_reachable_from_outside(address):
    assert reaches(address, 80)
    assert not reaches(address, 27017)
    assert not reaches(address, 8081)


def test_the_firewall_allows_http_https_and_ssh_only(host):
    with host.sudo():
        assert host.run("firewall-cmd --state").stdout.strip() == "running"
        assert set(host.run("firewall-cmd --list-services").stdout.split()) == {"http", "https"}
        assert host.run("firewall-cmd --list-ports").stdout.split() == ["22/tcp"]


def test_the_firewall_rejects_other_ports(host, address, python):
    listener = "firewall-probe"
    with host.sudo():
        serve = f"timeout {HANG_SECONDS} {python} -m http.server --bind 0.0.0.0 9999"
        started = host.run(f"systemd-run --unit={listener} {serve}")
        assert started.rc == 0, started.stderr
        try:
            answers = "curl --silent --output /dev/null http://127.0.0.1:9999/"
            until = f"timeout {HANG_SECONDS} sh -c 'until {answers}; do sleep 1; done'"
            assert host.run(until).succeeded
            assert not reaches(address, 9999)
        finally:
            # What ends by SIGTERM may count as failed, which another test would find.
            host.run(
                f"systemctl stop {listener}.service; systemctl reset-failed {listener}.service"
            )


FIREWALLD = "/etc/firewalld/firewalld.conf"


@pytest.fixture
def unowned_rules(host) -> Iterator[None]:
    """firewalld 2 and newer owns its table, which others cannot flush: not during the test."""
    owner = "NftablesTableOwner=yes"
    with host.sudo():
        owned = host.run(f"grep --quiet ^{owner} {FIREWALLD}").rc == 0
    if not owned:
        yield
        return
    with host.sudo():
        host.check_output(f"cp -a {FIREWALLD} {FIREWALLD}.test")
    try:
        with host.sudo():
            host.check_output(f"sed --in-place s/^{owner}/NftablesTableOwner=no/ {FIREWALLD}")
            host.check_output("systemctl restart firewalld.service")
        yield
    finally:
        with host.sudo():
            host.check_output(f"mv {FIREWALLD}.test {FIREWALLD}")
            host.check_output("systemctl restart firewalld.service")


# Without the program nft firewalld uses the library; firewalld 0.6 of CentOS 7 uses iptables.
FLUSH = """
if [ -e /usr/sbin/nft ]; then exec /usr/sbin/nft flush ruleset; fi
if [ -e /usr/bin/python3 ]; then
  exec /usr/bin/python3 -c "import nftables; nftables.Nftables().cmd('flush ruleset')"
fi
for chain in INPUT FORWARD OUTPUT; do iptables --policy $chain ACCEPT; done
iptables --flush
"""


@pytest.mark.usefixtures("unowned_rules")
def test_lost_firewall_rules_are_seen_from_outside_and_loaded_again(host, address, python):
    """What `nft flush ruleset` leaves: firewalld runs, and says so, but nothing is filtered."""
    try:
        with host.sudo():
            assert host.run("sh -c %s", FLUSH).rc == 0
            assert host.run("firewall-cmd --state").stdout.strip() == "running"
        lost = site("exposure")
        assert lost.returncode != 0
        # Ansible breaks long lines of a message.
        assert "firewall let the packet pass" in " ".join(lost.stdout.split())
        repaired = site("firewalld", "exposure")
        assert repaired.returncode == 0, repaired.stdout
        with host.sudo():
            limits = "nft list table inet tox_com_det; firewall-cmd --direct --get-all-rules"
            found = host.run(limits).stdout
        assert "count over 1000" in found or "connlimit-above 1000" in found
    finally:
        with host.sudo():
            host.run("firewall-cmd --reload")


def test_a_service_that_ends_after_each_start_is_noticed(host):
    """Under a name that the project knows, and that no unit has here."""
    try:
        with host.sudo():
            again = "--property=Restart=always --property=RestartSec=3600"
            host.check_output(f"systemd-run --unit=haproxy {again} /bin/false")
            until(lambda: "auto-restart" in host.check_output("systemctl show -p SubState haproxy"))
        done = site("exposure")
        assert done.returncode != 0
        assert "haproxy.service ended on" in " ".join(done.stdout.split())
    finally:
        with host.sudo():
            host.run("systemctl stop haproxy; systemctl reset-failed haproxy")


def site(*tags: str) -> subprocess.CompletedProcess[str]:
    """Run site.yml with some tags on the scenario's server."""
    return subprocess.run(  # noqa: S603 (fixed words, no shell)
        [BIN / "ansible-playbook", "site.yml", "--tags", ",".join(tags)],
        cwd=PROJECT,
        env={
            **{name: text for name, text in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_INVENTORY": f"{os.environ['MOLECULE_SCENARIO_DIRECTORY']}/inventory",
            "ANSIBLE_NOCOLOR": "1",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_nginx_configuration_is_valid(host):
    with host.sudo():
        assert host.run("nginx -t").rc == 0


def test_the_programs_of_the_service_are_owned_by_root(host):
    with host.sudo():
        others = host.run(
            "find /opt/tox_com_det /srv/tox_com_det/models ! -user root -o ! -type l -perm -o+w"
        )
    assert others.rc == 0
    assert others.stdout == ""


def container_memory(host) -> dict[str, int]:
    """Return limit and kept memory of the container in bytes, for cgroup v1 and v2.

    Kept is what the kernel cannot take back: without the cache of files, whose size depends on
    what was read last, such as a backup.
    """
    with host.sudo():
        groups = host.file("/proc/1/cgroup").content_string
        one = re.search(r"^\d+:memory:(.*?)(?:/init\.scope)?$", groups, re.MULTILINE)
        if one:
            directory = f"/sys/fs/cgroup/memory{one[1]}"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
        else:
            directory = "/sys/fs/cgroup"
            names = ("memory.max", "memory.current", "")
        statistics = dict(
            line.split()
            for line in host.file(f"{directory}/memory.stat").content_string.splitlines()
        )
        limit, used = (int(host.file(f"{directory}/{name}").content_string) for name in names[:2])
    files = sum(int(statistics[f"{names[2]}{kind}_file"]) for kind in ("inactive", "active"))
    return {"limit": limit, "kept": used - files}


def test_what_is_kept_in_memory_fits_into_a_nanode(host):
    memory = container_memory(host)
    print({name: f"{value / MIB:.0f} MiB" for name, value in memory.items()})
    assert memory["limit"] == 1024 * MIB
    assert memory["kept"] < 700 * MIB
