"""What the units may not do, as systemd rates it, and that programs and operators do their work.

The reasons are in docs/hardening.md.
"""

from __future__ import annotations

import re

import pytest
from waiting import until

# Exposure by `systemd-analyze security`, from 0 (best) to 10, which systemd has from 240 on.
BOUNDS = {"slot": 1.5, "nginx": 3.0, "database": 3.0, "ssh": 9.0}
RATED_SINCE = 240


@pytest.fixture(scope="module")
def units(host, server, live_slot, database) -> dict[str, str]:
    ssh = "ssh" if host.exists("apt-get") else "sshd"
    return {
        "slot": server["unit"].format(slot=live_slot),
        "nginx": "nginx.service",
        "database": f"{database}.service",
        "ssh": f"{ssh}.service",
    }


def status(host, unit: str) -> dict[str, str]:
    """Return /proc/PID/status of a unit's main process."""
    with host.sudo():
        pid = host.check_output("systemctl show --property MainPID %s", unit).partition("=")[2]
        text = host.file(f"/proc/{pid}/status").content_string
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def boundless(host) -> str:
    """Return the rights that systemd itself may have."""
    return re.search(r"CapBnd:\t(\w+)", host.file("/proc/1/status").content_string)[1]


@pytest.mark.parametrize("name", BOUNDS)
def test_systemd_rates_the_unit_within_its_bound(host, units, systemd, name):
    if systemd < RATED_SINCE:
        pytest.skip(f"systemd {systemd} rates no units")
    with host.sudo():
        rated = host.check_output("systemd-analyze security --no-pager %s", units[name])
    exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", rated)[1])
    assert exposure <= BOUNDS[name], rated


@pytest.mark.parametrize("name", ["slot", "nginx", "database"])
def test_the_running_program_has_the_limits_of_its_unit(host, units, systemd, name):
    """The unit alone is no proof: a program keeps what it was started with."""
    found = status(host, units[name])
    assert found["CapBnd"] != boundless(host)
    if systemd >= RATED_SINCE and not host.file("/sys/fs/selinux/enforce").exists:
        assert found["Seccomp"] == "2"


def workers(host) -> set[str]:
    """Return user and PID of each of nginx's workers."""
    found = host.run("ps -C nginx -o user=,pid=,args=").stdout.splitlines()
    return {" ".join(line.split()[:2]) for line in found if line.endswith("worker process")}


def test_nginx_starts_and_ends_workers_of_another_user(host):
    before = workers(host)
    with host.sudo():
        host.check_output("systemctl reload nginx.service")
    until(lambda: bool(workers(host)) and not workers(host) & before)
    assert not any(worker.startswith("root ") for worker in workers(host))


def test_nginx_opens_its_logs_again_after_a_rotation(host, http, url):
    log = "/var/log/nginx/error.log"
    with host.sudo():
        inode = host.check_output("stat --format %%i %s", log)
        try:
            host.check_output("mv %s %s.kept && kill -USR1 $(cat /run/nginx.pid)", log, log)
            until(lambda: host.file(log).exists)
            assert host.check_output("stat --format %%i %s", log) != inode
        finally:
            host.check_output("mv %s.kept %s && kill -USR1 $(cat /run/nginx.pid)", log, log)
    assert http.get(f"{url}/livez").status_code == 200


def test_an_operators_session_has_all_rights_of_an_administrator(host):
    """It comes through the confined sshd, and sudo gives back nothing that sshd has lost."""
    with host.sudo():
        session = host.check_output("cat /proc/self/status")
    assert re.search(r"CapBnd:\t(\w+)", session)[1] == boundless(host)
    assert re.search(r"NoNewPrivs:\t(\d)", session)[1] == "0"
    assert "CapEff:\t" + boundless(host) in session


def test_an_operators_session_sees_the_servers_own_files_and_mounts(host):
    with host.sudo():
        own = host.check_output("readlink /proc/self/ns/mnt")
        assert own == host.check_output("readlink /proc/1/ns/mnt")
        host.check_output(
            "d=$(mktemp -d) && mount -t tmpfs none $d && { grep -q $d /proc/1/mounts; seen=$?;"
            " umount $d && rmdir $d && exit $seen; }"
        )
        # What the installation of a package does.
        host.check_output("f=$(mktemp) && chmod 4755 $f && chown 1:1 $f && rm $f")


def test_an_operator_installs_a_package(host):
    """On Debian one with a program that runs with the rights of its owner, as sudo itself is."""
    if host.exists("dpkg-deb"):
        install_a_package_with_dpkg(host)
    elif host.exists("pacman"):
        install_a_package_again_with_pacman(host)
    else:
        install_a_package_again_with_rpm(host)


def install_a_package_with_dpkg(host):
    name = "tox-com-det-probe"
    control = (
        f"Package: {name}\\nVersion: 1\\nArchitecture: all\\nMaintainer: x\\nDescription: x\\n"
    )
    with host.sudo():
        directory = host.check_output("mktemp -d")
        try:
            host.check_output(
                f"d={directory} && mkdir -p $d/p/DEBIAN $d/p/usr/lib"
                f" && printf '{control}' > $d/p/DEBIAN/control"
                f" && touch $d/p/usr/lib/{name} && chmod 4755 $d/p/usr/lib/{name}"
                " && dpkg-deb --build $d/p $d/p.deb && dpkg --install $d/p.deb"
            )
            probe = host.file(f"/usr/lib/{name}")
            assert (probe.mode, probe.user) == (0o4755, "root")
        finally:
            host.check_output(f"rm -r {directory}; dpkg --purge {name}")


def install_a_package_again_with_rpm(host):
    """A server of EL cannot build packages: one that every server has is unpacked again."""
    manager = "dnf" if host.exists("dnf") else "yum"
    path = host.check_output("rpm --query --list lsof | grep --max-count 1 bin/lsof$")
    with host.sudo():
        inode = host.check_output("stat --format %%i %s", path)
        host.check_output("%s --quiet --assumeyes reinstall lsof", manager)
        assert host.check_output("stat --format %%i %s", path) != inode
        host.check_output("rpm --verify lsof")


def install_a_package_again_with_pacman(host):
    path = host.check_output("pacman --query --list --quiet lsof | grep --max-count 1 bin/lsof$")
    with host.sudo():
        # An inode's number may be given to the next file.
        changed = host.check_output("stat --format %%z %s", path)
        host.check_output("pacman --sync --noconfirm --noprogressbar lsof")
        assert host.check_output("stat --format %%z %s", path) != changed
        host.check_output("pacman --query --check lsof")


def test_sessions_leave_no_core_dumps(host):
    # A new one: the connection that Ansible keeps open may be older than the setting.
    user = host.user().name
    with host.sudo():
        assert host.check_output(f"runuser -l {user} -c 'ulimit -H -c'") == "0"
