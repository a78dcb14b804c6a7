"""firewalld's unit on a server with cloud-init: no order that closes a loop at boot."""

from __future__ import annotations

from rendering import VARIANTS, evaluate, owners, variables

# As Debian 12 has it.
UNIT = """[Unit]
Description=firewalld - dynamic firewall daemon
Before=network-pre.target
Wants=network-pre.target
After=dbus.service
Conflicts=iptables.service nftables.service

[Service]
ExecStart=/usr/sbin/firewalld --nofork --nopid
"""
FIREWALLD = owners()["etc/firewalld/zones/public.xml.j2"]


def test_only_its_place_before_the_network_changes():
    known = variables(FIREWALLD, "debian12", VARIANTS[0])
    own = evaluate("{{ __firewalld_unit_own }}", {**known, "__firewalld_unit_text": UNIT})
    lines = str(own).splitlines()
    gone = {"Before=network-pre.target", "Wants=network-pre.target"}
    assert lines[0] == "[Unit]"
    assert lines[1].startswith("# By role firewalld of tox_com_det")
    assert lines[2] == "Before=network.target nginx.service haproxy.service"
    assert [lines[0], *lines[3:]] == [line for line in UNIT.splitlines() if line not in gone]
