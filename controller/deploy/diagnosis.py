"""What is wrong with a host, and what to type: judges what toxctl reports of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, NamedTuple

from controller.deploy.lifetimes import lifetime
from controller.deploy.session import is_silent
from controller.progress import megabytes
from controller.values.problems import problems_of

__all__ = ["Finding", "advised", "diagnose", "diagnose_machine", "out_of_support"]

LEAST_SHARE = 20  # a file system is nearly full with less than a twentieth free
LEAST_MEMORY = 64 << 20  # bytes
MOST_SECONDS = 60.0  # between two clocks
CLOCK = "`sudo timedatectl set-ntp true` on the server, or `sudo chronyc makestep`"
MEMORY = (
    "`ps -eo rss,args --sort -rss | head` on the server; then a smaller mongodb_cache_size_gb (at "
    "least 0.25), fewer flask_app_processes, a smaller model or a larger server"
)
# The wheels of the application are for one Python on each system.
SERVERS_PYTHON = "upgrade this project, or move to a newer system: docs/upgrading.md"
FIREWALL = "`ansible-playbook site.yml --tags firewalld`"

Report = Mapping[str, Any]


class Finding(NamedTuple):
    """What is wrong, in a line, and what to type, in another.

    Attributes:
        check: a word for programs.
    """

    check: str
    what: str
    do: str


def diagnose(
    report: Report, now: float, today: date, firewall: Mapping[str, Any]
) -> Iterator[Finding]:
    """Yield what is wrong with a server.

    Args:
        report: of `toxctl status --health`.
        now: the laptop's time when the server read its own, in seconds since 1970.
        today: the day that versions are judged by.
        firewall: of the inventory, as `Host.firewall` has it; the port of TLS is the server's own.
    """
    tls = report["config"].get("https_port")
    yield from _service(report)
    yield from _warnings(report)
    yield from diagnose_machine(report, now, today, {**firewall, "tls": [str(tls)] if tls else []})


def diagnose_machine(
    report: Report, now: float, today: date, firewall: Mapping[str, Any]
) -> Iterator[Finding]:
    """Yield what is wrong with a machine, whatever runs there.

    Args:
        report: of `toxctl health`, or of `toxctl status --health`.
        now, today: as `diagnose` takes them.
        firewall: of the inventory, as `Host.firewall` has it.
    """
    health = report["health"]
    yield from _units(health)
    yield from _disks(health)
    yield from _memory(report, health)
    yield from _clock(health, now)
    yield from _reboot(health)
    yield from _firewall(health, firewall)
    yield from _versions(health, today)


def _service(report: Report) -> Iterator[Finding]:
    live = report["live"]
    if live is None:
        yield Finding("service", "no model is live", "`fab restore-embeddings deploy-model`")
    else:
        slot = report["slots"][live]
        ready = slot.get("ready") or {}
        if slot["active"] != "active":
            what = f"the live slot {live} is {slot['active']}/{slot['sub']}"
            yield Finding(
                "service", what, f"`sudo systemctl start {slot['unit']}`, then `fab logs`"
            )
        elif ready.get("status") != 200:
            answer = json.dumps(ready.get("answer"))[:300]
            yield Finding("service", f"the live slot {live} is not ready: {answer}", "`fab logs`")
    if report["unfinished"] and not report["activation"]:
        yield Finding("service", "an activation was interrupted", "rerun `fab deploy-model`")
    if report["lock"] and is_silent(report["lock"]):
        yield Finding("lock", "a laptop that is gone holds the deploy lock", "`fab unlock`")


def _warnings(report: Report) -> Iterator[Finding]:
    """Yield what toxctl warns about: certificate, backup, releases, keys, logs, disk."""
    for warning in report.get("warnings", []):
        what, do = advised(str(warning), "`fab status`")
        yield Finding(_kind(what), what, do)


def advised(line: str, otherwise: str) -> tuple[str, str]:
    """Return what a line of toxctl says, and what it says to type."""
    what, _, do = line.rpartition(": ")
    return (what, do) if what and "`" in do else (line, otherwise)


def _kind(what: str) -> str:
    """Return the check that a warning of toxctl belongs to."""
    words = (
        ("certificate", "certificate"), ("backup", "backup"), ("restore drill", "backup"),
        ("damaged", "release"), ("verification", "release"), ("verifies releases", "release"),
        ("nothing serves", "service"), ("the disk", "disk"), ("key", "keys"), ("log", "logs"),
    )  # fmt: skip
    return next((kind for word, kind in words if word in what), "status")


def _units(health: Report) -> Iterator[Finding]:
    if health["failed"] is None:
        yield Finding("units", "systemd does not answer", "`sudo systemctl status` on the server")
    for unit in health["failed"] or []:
        do = f"`sudo journalctl -u {unit} -n 50` says why; then `sudo systemctl restart {unit}`"
        yield Finding("units", f"{unit} failed", do)
    for unit in health["stopped"]:
        yield Finding("units", f"{unit} does not run", f"`sudo systemctl start {unit}`")


def _disks(health: Report) -> Iterator[Finding]:
    for disk in health["disks"]:
        path, do = disk["path"], f"`sudo du -xh {disk['path']} | sort -h | tail`, `fab prune`"
        if disk["free"] * LEAST_SHARE < disk["bytes"]:
            size = f"{megabytes(disk['free'])} free of {megabytes(disk['bytes'])}"
            yield Finding("disk", f"the file system of {path} has {size}", do)
        if disk["inodes_free"] * LEAST_SHARE < disk["inodes"]:
            left = f"{disk['inodes_free']} of {disk['inodes']}"
            yield Finding("disk", f"the file system of {path} has {left} inodes left", do)


def _memory(report: Report, health: Report) -> Iterator[Finding]:
    memory, swap = report["memory"], health["swap"]
    if memory["available"] < LEAST_MEMORY:
        what = f"only {megabytes(memory['available'])} of memory are available"
        yield Finding("memory", what, MEMORY)
    if memory["limit"] is None and swap["total"] and swap["free"] * 10 < swap["total"]:
        what = f"swap has only {megabytes(swap['free'])} free of {megabytes(swap['total'])}"
        yield Finding("memory", what, MEMORY)
    for name in health["killed"]:
        what = f"{name} was killed within a day, because memory ran out"
        yield Finding("memory", what, f"`sudo journalctl --since -24h | grep -i -B9 {name}`")


def _clock(health: Report, now: float) -> Iterator[Finding]:
    seconds = health["time"] - now
    if abs(seconds) > MOST_SECONDS:
        words = "ahead of" if seconds > 0 else "behind"
        what = f"the server's clock is {abs(seconds):.0f} s {words} this computer's"
        yield Finding("clock", what, CLOCK)


def _reboot(health: Report) -> Iterator[Finding]:
    if health["reboot"]:
        names = ", ".join(health["reboot"][:5])
        do = "`ansible-playbook playbooks/upgrade_os.yml -e os_upgrade_reboot=auto`"
        yield Finding("reboot", f"updates need a reboot: {names}", do)


def _firewall(health: Report, wanted: Mapping[str, Any]) -> Iterator[Finding]:
    found = health["firewall"]
    if found is None:
        yield Finding("firewall", "firewalld does not answer, so no rule is certain", FIREWALL)
        return
    wrong = [
        *problems_of("firewalld_services", wanted.get("services", [])),
        *problems_of("firewalld_extra_ports", wanted.get("ports", [])),
    ]
    if wrong:
        for where, what in wrong:
            yield Finding("firewall", f"{where} {what}", f"correct the inventory, then {FIREWALL}")
        return
    ssh = {f"{port}/tcp" for port in health["ssh_ports"]}
    services = set(wanted.get("services", [])) - set(wanted.get("closed", []))
    ports = {*wanted.get("ports", []), *ssh}
    allowed = set(ports)
    for name, usual, service in (("web", "80", "http"), ("tls", "443", "https")):
        for port in wanted.get(name, []):
            allowed.add(f"{port}/tcp")
            if not (port == usual and service in services):
                ports.add(f"{port}/tcp")
    missing = sorted(services - set(found["services"])) + sorted(ports - set(found["ports"]))
    more = sorted(set(found["services"]) - services) + sorted(set(found["ports"]) - allowed)
    if missing:
        words = ", ".join(missing)
        yield Finding(
            "firewall", f"the firewall does not let in {words} of the inventory", FIREWALL
        )
    if more:
        words = ", ".join(more)
        yield Finding("firewall", f"the firewall lets in {words}, not in the inventory", FIREWALL)


def _versions(health: Report, today: date) -> Iterator[Finding]:
    versions = health["versions"]
    system = str(versions["os"] or "").partition(" ")[2]
    yield from out_of_support(str(versions["os_name"]), system, today)
    if versions["mongodb"]:
        yield from out_of_support("MongoDB", versions["mongodb"], today)
    if versions["python"]:
        for found in out_of_support("Python", versions["python"], today):
            yield found._replace(do=SERVERS_PYTHON)


def out_of_support(
    product: str, version: str, today: date, where: str = "on the server"
) -> Iterator[Finding]:
    """Yield that a version gets no security updates any more, with the day when that began.

    Nothing where this project has no newer one yet: no command would help.
    """
    found = lifetime(product, version)
    if found and found.end < today and found.instead:
        what = f"{product} {version} {where} is out of support since {found.end}"
        yield Finding("support", what, found.instead)
