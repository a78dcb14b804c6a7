"""Role firewalld compares what runs with what is declared, with programs that answer as firewalld.

molecule/default runs it with firewalld itself.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_run import run_tasks

ZONE = """public
  target: default
  services: http https
  ports: 22/tcp 8443/tcp
  rich rules:
\trule family="ipv4" source address="203.0.113.7" port port="27017" protocol="tcp" accept
"""
LIMIT = "tcp dport 80 ct state new add @clients4 { ip saddr ct count over 1000 }\n"
# firewalld itself: the state is in files of the directory F, a reload takes over the zone file.
FIREWALL_CMD = r"""#!/bin/sh
echo "$*" >> "$F/calls"
case $1 in
--state) cat "$F/state" ;;
--get-default-zone) cat "$F/default" ;;
--set-default-zone=*) echo "${1#*=}" > "$F/default" ;;
--get-zone-of-interface=*) cat "$F/interface" ;;
--reload)
    if ! grep -q jump "$F/rules"; then exit 1; fi
    if [ ! -e "$F/broken" ]; then cp "$F/declared" "$F/running"; fi ;;
--zone=public) cat "$F/running" ;;
esac
"""
NFT = r"""#!/bin/sh
case $* in
*tox_com_det) cat "$F/limit" ;;
*) cat "$F/rules" ;;
esac
"""
SYSTEMCTL = r"""#!/bin/sh
case $* in
*restart*)
    echo "--restart $*" >> "$F/calls"
    case $* in
    *connections*) cp "$F/limit_file" "$F/limit"; exit ;;
    esac
    cp "$F/declared" "$F/running"
    echo 'jump filter_INPUT_ZONES' > "$F/rules"
    echo '-P INPUT ACCEPT -A INPUT -j INPUT_ZONES' | tee "$F/rules4" > "$F/rules6" ;;
*show*) printf 'ActiveState=active\nLoadState=loaded\nUnitFileState=enabled\n' ;;
esac
"""
OTHERS = """Id=ufw.service
ActiveState=active
UnitFileState=enabled

Id=nftables.service
ActiveState=inactive
UnitFileState=disabled

Id=iptables.service
ActiveState=inactive
UnitFileState=
"""


@dataclass
class Firewall:
    """A firewalld whose state a test can change."""

    directory: Path

    def write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)

    def program(self, name: str, text: str) -> None:
        path = self.directory / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def calls(self) -> list[str]:
        lines = (self.directory / "calls").read_text().splitlines()
        return [line for line in lines if line.startswith(("--re", "--set"))]

    def run(self, tasks: str, *options: str) -> tuple[int, int, str]:
        facts = {"default_ipv4": {"interface": "eth0"}, "default_ipv6": {}}
        given = {
            "ansible_facts": facts,
            "__firewalld_path": f"{self.directory / 'bin'}:/usr/bin:/bin",
            "__firewalld_files": {"changed": False},
        }
        return run_tasks(self.directory / "run", "firewalld", tasks, given, *options)


@pytest.fixture
def firewall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Firewall:
    """A firewall that runs as declared."""
    made = Firewall(tmp_path)
    (tmp_path / "bin").mkdir()
    for name, text in {
        "state": "running\n",
        "default": "public\n",
        "interface": "no zone\n",
        "declared": ZONE,
        "running": ZONE.replace("http https", "https http").replace("public\n", "public (active)\n")
        + "  interfaces: eth0\n",
        "rules": "jump filter_INPUT_ZONES\n",
        "limit": LIMIT,
        "limit_file": LIMIT,
    }.items():
        made.write(name, text)
    made.program("firewall-cmd", FIREWALL_CMD)
    made.program("firewall-offline-cmd", '#!/bin/sh\ncat "$F/declared"\n')
    made.program("nft", NFT)
    # With nftables there are none.
    made.program("iptables", '#!/bin/sh\ncat "$F/rules4"\n')
    made.program("ip6tables", '#!/bin/sh\ncat "$F/rules6"\n')
    # systemd_service asks for the state of the unit; a restart of firewalld loads its rules.
    made.program("systemctl", SYSTEMCTL)
    monkeypatch.setenv("F", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return made


def test_a_firewall_that_runs_as_declared_is_left_alone(firewall: Firewall):
    code, changed, output = firewall.run("compare.yml")
    assert (code, changed) == (0, 0), output
    assert firewall.calls() == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("running", ZONE.replace(" 8443/tcp", "")),
        ("running", ZONE.replace("http https", "http https samba")),
        ("running", ZONE.partition("\trule")[0]),
        ("running", ZONE.replace("default", "ACCEPT")),
    ],
    ids=["port missing", "service too much", "rule missing", "accepts all"],
)
def test_a_difference_is_repaired_by_a_reload(firewall: Firewall, name: str, text: str):
    firewall.write(name, text)
    assert firewall.run("compare.yml", "--check")[0] == 0
    assert firewall.calls() == []
    code, changed, output = firewall.run("compare.yml")
    assert (code, changed) == (0, 1), output
    assert firewall.calls() == ["--reload"]
    assert firewall.run("compare.yml")[:2] == (0, 0)


def test_lost_rules_are_loaded_by_a_restart(firewall: Firewall):
    """A reload fails without the table in the kernel, and leaves a policy that drops all."""
    firewall.write("rules", "Error: No such file or directory\n")
    code, changed, output = firewall.run("compare.yml")
    assert (code, changed) == (0, 1), output
    assert firewall.calls() == ["--restart restart firewalld.service"]
    assert firewall.run("compare.yml")[:2] == (0, 0)


IPTABLES = "-P INPUT ACCEPT\n-A INPUT -j INPUT_ZONES\n"


def with_iptables(firewall: Firewall, ipv6: str) -> None:
    """As on CentOS 7: each family has rules of its own."""
    firewall.write("rules", "")
    firewall.write("rules4", IPTABLES)
    firewall.write("rules6", ipv6)


def test_lost_rules_of_ipv6_alone_are_loaded_by_a_restart(firewall: Firewall):
    with_iptables(firewall, "-P INPUT ACCEPT\n")
    code, changed, output = firewall.run("compare.yml")
    assert (code, changed) == (0, 1), output
    assert firewall.calls() == ["--restart restart firewalld.service"]


def test_the_rules_of_ipv4_are_enough_where_the_kernel_has_no_ipv6(firewall: Firewall):
    with_iptables(firewall, "ip6tables: can't initialize ip6tables table `filter'\n")
    code, changed, output = firewall.run("compare.yml")
    assert (code, changed) == (0, 0), output
    assert firewall.calls() == []


def test_a_lost_limit_of_connections_is_loaded_again(firewall: Firewall):
    firewall.write("limit", "Error: No such file or directory\n")
    assert firewall.run("compare.yml", "--check")[0] == 0
    assert firewall.calls() == []
    code, changed, output = firewall.run("compare.yml")
    assert (code, changed) == (0, 1), output
    assert firewall.calls() == ["--restart restart tox_com_det-connections.service"]
    assert firewall.run("compare.yml")[:2] == (0, 0)


def test_a_difference_that_stays_fails_with_one_line(firewall: Firewall):
    firewall.write("running", ZONE.replace(" 8443/tcp", ""))
    firewall.write("broken", "")
    code, _, output = firewall.run("compare.yml")
    assert code != 0
    assert (
        "is not the declared one, also after a reload (missing: 22/tcp 8443/tcp ports:;" in output
    )
    assert "sudo systemctl restart firewalld" in output


def test_another_default_zone_is_corrected(firewall: Firewall):
    firewall.write("default", "trusted\n")
    code, changed, output = firewall.run("compare.yml")
    assert (code, changed) == (0, 1), output
    assert firewall.calls() == ["--set-default-zone=public"]


@pytest.mark.parametrize("state", ["failed", "not running"])
def test_a_firewalld_that_could_not_apply_its_rules_fails(firewall: Firewall, state: str):
    firewall.write("state", f"{state}\n")
    code, _, output = firewall.run("compare.yml")
    assert code != 0
    assert f"is {state}, although its unit is active" in output
    assert "sudo systemctl restart firewalld" in output


def test_an_interface_in_another_zone_fails_with_the_command(firewall: Firewall):
    firewall.write("interface", "trusted\n")
    code, _, output = firewall.run("compare.yml")
    assert code != 0
    assert "The interface eth0 of localhost is in zone trusted" in output
    assert "sudo firewall-cmd --permanent --zone=trusted --remove-interface=eth0" in output


@pytest.mark.parametrize(
    ("units", "ufw", "words"),
    [
        (OTHERS, "ENABLED=no", ""),
        (OTHERS, "ENABLED=yes", "sudo ufw disable; sudo systemctl disable --now ufw.service"),
        (
            OTHERS.replace("inactive\nUnitFileState=disabled", "inactive\nUnitFileState=enabled"),
            "",
            "sudo systemctl disable --now nftables.service",
        ),
        (
            OTHERS.replace("inactive\nUnitFileState=\n", "active\nUnitFileState=disabled\n"),
            "",
            "sudo systemctl disable --now iptables.service",
        ),
    ],
    ids=["none", "ufw", "nftables at boot", "iptables now"],
)
def test_another_firewall_stops_the_run(firewall: Firewall, units: str, ufw: str, words: str):
    firewall.write("units", units)
    firewall.program("systemctl", '#!/bin/sh\ncat "$F/units"\n')
    firewall.program("grep", f'#!/bin/sh\n[ "{ufw}" = ENABLED=yes ] && echo ENABLED=yes\n')
    code, changed, output = firewall.run("other_firewalls.yml")
    assert changed == 0, output
    assert (code != 0) == bool(words), output
    assert words in output
