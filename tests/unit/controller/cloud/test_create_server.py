"""`fab create-server` from nothing to a pinned server, and on from wherever it was cut off."""

from __future__ import annotations

import base64
import email
import json
import re

import pytest
from ssh_standin import cloud_config

from controller.cloud import create as create_module
from controller.cloud.known_hosts import FIRST, OWN
from controller.deploy.connection import connect
from controller.deploy.errors import DeployError
from controller.deploy.inventory import read_hosts

ALL = ["/networking/firewalls", "/linode/instances"]


def user_data(laptop) -> str:
    request = next(iter(laptop.account.requests.values()))
    return base64.b64decode(request["metadata"]["user_data"]).decode()


def test_a_server_is_created_behind_its_firewall_and_written_into_the_inventory(laptop):
    assert laptop.create()
    assert laptop.posts() == ALL
    (server,) = laptop.account.servers
    request = laptop.account.requests[server["id"]]
    assert (server["label"], server["tags"], server["status"]) == (
        "web-1",
        ["tox_com_det"],
        "running",
    )
    assert request["firewall_id"] == laptop.account.firewalls[0]["id"]
    assert request["authorized_keys"] == [laptop.key.read_text().strip()]
    assert len(request["root_pass"]) >= 40
    text = laptop.inventory.host_file("web-1").read_text()
    assert text.startswith("# Written by `fab create-server`")
    assert f"Linode {server['id']}" in text
    assert request["root_pass"] not in text + "".join(laptop.said)


def test_the_firewall_lets_ssh_http_and_https_in_and_nothing_else(laptop):
    laptop.create()
    rules = laptop.account.firewalls[0]["rules"]
    assert (rules["inbound_policy"], rules["outbound_policy"]) == ("DROP", "ACCEPT")
    assert [(one["action"], one["protocol"], one["ports"]) for one in rules["inbound"]] == [
        ("ACCEPT", "TCP", port) for port in ("22", "80", "443")
    ]
    (device,) = laptop.account.devices[laptop.account.firewalls[0]["id"]]
    assert device["entity"]["id"] == laptop.account.servers[0]["id"]


def test_the_price_is_said_and_asked_before_anything_is_created(laptop):
    laptop.agrees = False
    assert not laptop.create(region="br-gru")
    assert laptop.asked == ["create web-1 for $7.00 a month?"]
    assert "costs $7.00 a month" in laptop.said[0]
    assert "fab destroy-server --label web-1" in laptop.said[0]
    assert laptop.said[-1] == "nothing was created"
    assert laptop.posts() == []
    assert not (laptop.path / "known_hosts.txt").exists()


def test_a_dry_run_says_the_price_and_creates_nothing(laptop):
    assert not laptop.create(dry_run=True)
    assert "$5.00 a month" in laptop.said[0]
    assert (laptop.asked, laptop.posts()) == ([], [])


def test_ansible_and_fab_read_the_new_host_with_its_key(laptop, monkeypatch):
    laptop.create()
    # Without a vault, as the example says.
    group = laptop.path / "group_vars/tox_com_det/vars.yml"
    kept = [line for line in group.read_text().splitlines() if "{{ vault_" not in line]
    group.write_text("\n".join([*kept, "sudo_user_nopasswd: true", ""]))
    (host,) = read_hosts(str(laptop.path))
    assert (host.name, host.address, host.port) == ("web-1", "127.0.0.1", laptop.ssh.port)
    assert host.known_hosts == (laptop.path / "known_hosts.txt",)
    with connect(
        type(host)(
            host.name,
            host.address,
            host.port,
            "root",
            laptop.key.with_suffix(""),
            host.known_hosts,
        )
    ) as remote:
        assert remote.process("echo hello").wait().stdout == "hello\n"


def test_the_first_answer_is_authenticated_by_a_key_of_the_user_data(laptop, monkeypatch):
    monkeypatch.setattr(create_module, "first_contact", lambda *_, **__: None)
    laptop.create()
    settings = cloud_config(user_data(laptop))
    assert settings["ssh_deletekeys"] is True
    assert settings["ssh_pwauth"] is False
    (pinned,) = laptop.inventory.known_hosts.keys("web-1")
    assert (pinned.public, pinned.origin) == (settings["ssh_keys"]["ed25519_public"], FIRST)


def test_the_key_of_the_user_data_is_replaced_and_no_private_key_stays(laptop):
    laptop.create()
    handed = cloud_config(user_data(laptop))["ssh_keys"]
    (pinned,) = laptop.inventory.known_hosts.keys("web-1")
    assert pinned.origin == OWN
    assert pinned.public != handed["ed25519_public"]
    assert (laptop.ssh.directory / "ssh_host_ed25519_key.pub").read_text().split()[:2] == (
        pinned.public.split()
    )
    assert sorted(one.name for one in laptop.ssh.directory.iterdir()) == [
        "ssh_host_ed25519_key",
        "ssh_host_ed25519_key.pub",
    ]
    body = handed["ed25519_private"].splitlines()[1]
    for file in laptop.path.rglob("*"):
        if file.is_file():
            assert "PRIVATE KEY" not in file.read_text()
            assert body not in file.read_text()
    assert body not in "".join(laptop.said)


def test_another_host_key_is_never_accepted(laptop):
    def other_key(request, data):
        address = laptop.ssh.boot(request, data)
        laptop.ssh.run(
            "cd /etc/ssh; rm ssh_host*; ssh-keygen -qt ed25519 -N '' -f ssh_host_ed25519_key"
        )
        laptop.ssh.read_key()
        laptop.ssh.commands.clear()
        return address

    laptop.account.machine = other_key
    with pytest.raises(DeployError, match=r"waited 10 minutes for SSH of web-1.*host key.*changed"):
        laptop.create()
    assert laptop.ssh.commands == []
    assert not laptop.inventory.host_file("web-1").exists()


def test_a_second_run_makes_nothing_twice(laptop):
    laptop.create()
    before = (laptop.path / "known_hosts.txt").read_text()
    commands = list(laptop.ssh.commands)
    assert laptop.create()
    assert laptop.posts() == ALL
    assert laptop.asked == ["create web-1 for $5.00 a month?"]
    assert (laptop.path / "known_hosts.txt").read_text() == before
    assert laptop.ssh.commands == commands
    assert any("is there already" in line for line in laptop.said)


def test_a_run_that_lost_the_answer_of_the_creation_goes_on_with_the_server(laptop):
    laptop.account.add_domain("example.org")
    first = create_module.create

    def lost(*arguments):
        first(*arguments)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(create_module, "create", lost)
        with pytest.raises(KeyboardInterrupt):
            laptop.create(domain="example.org", name="api")
    assert laptop.create(domain="example.org", name="api")
    assert len(laptop.account.servers) == len(laptop.account.firewalls) == 1
    assert laptop.inventory.known_hosts.keys("web-1")[0].origin == OWN


def test_a_firewall_without_its_server_is_found_and_attached(laptop):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            create_module.firewall, "attach", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            laptop.create()
    wall = laptop.account.firewalls[0]["id"]
    laptop.account.devices[wall].clear()
    assert laptop.create()
    assert len(laptop.account.firewalls) == 1
    assert [one["entity"]["label"] for one in laptop.account.devices[wall]] == ["web-1"]
    assert "put web-1 behind its firewall" in laptop.said


def test_a_dns_record_is_made_once_and_becomes_the_name_that_nginx_serves(laptop):
    domain = laptop.account.add_domain("example.org")
    laptop.create(domain="example.org", name="api")
    laptop.create(domain="example.org", name="api")
    (record,) = laptop.account.records[domain["id"]]
    assert (record["type"], record["name"], record["target"]) == ("A", "api", "127.0.0.1")
    text = laptop.inventory.host_file("web-1").read_text()
    host = json.loads(text.partition("\n")[2])["tox_com_det"]["hosts"]["web-1"]
    assert host["nginx_server_name"] == "api.example.org"


def test_a_domain_of_somebody_else_is_refused_before_money_is_spent(laptop):
    laptop.account.add_domain("example.net")
    with pytest.raises(
        DeployError, match=r"has no domain example.org of yours \(it has example.net\)"
    ):
        laptop.create(domain="example.org", name="api")
    assert (laptop.asked, laptop.posts()) == ([], [])


def test_a_name_that_points_elsewhere_is_refused_before_money_is_spent(laptop):
    domain = laptop.account.add_domain("example.org")
    laptop.account.add_record(domain["id"], {"type": "CNAME", "name": "api", "target": "x.org"})
    with pytest.raises(
        DeployError, match=r"api.example.org points at x.org: choose another --name"
    ):
        laptop.create(domain="example.org", name="api")
    assert (laptop.asked, laptop.posts()) == ([], [])


def test_a_server_of_another_project_is_left_alone(laptop):
    laptop.account.machine = lambda *_: "203.0.113.7"
    laptop.account.add_server(
        {
            "type": "g6-nanode-1",
            "region": "us-east",
            "image": "linode/debian12",
            "root_pass": "x",
            "label": "web-1",
        }
    )
    with pytest.raises(DeployError, match="was not made by `fab create-server`"):
        laptop.create()
    assert laptop.posts() == []


def test_the_same_label_with_another_wish_is_refused(laptop):
    laptop.create()
    with pytest.raises(
        DeployError, match="its region is de-fra-2, not us-east; its type is g6-nan"
    ):
        laptop.create(region="us-east", type="g6-standard-1")
    assert laptop.posts() == ALL


def test_a_host_of_the_inventory_with_this_name_is_not_overwritten(laptop):
    (laptop.path / "hosts.yml").write_text(
        'tox_com_det: {hosts: {web-1: {ansible_host: "192.0.2.9"}}}\n'
    )
    with pytest.raises(DeployError, match=r"web-1 is a host of .* already"):
        laptop.create()
    assert laptop.posts() == []


def test_waiting_says_what_it_waits_for_and_boots_a_server_that_is_off(laptop):
    laptop.account.looks = 4
    laptop.create()
    said = "\n".join(laptop.said)
    assert "waiting for web-1 to boot ..." in said
    assert re.search(r"web-1 is provisioning, linode_create 30 % \(0 s\)", said)
    assert re.search(r"web-1 is booting, linode_boot 30 % \(\d+ s\)", said)
    assert re.search(r"web-1 is running \(\d+ s\)", said)


def test_a_server_that_was_never_booted_is_booted(laptop):
    laptop.create()
    laptop.account.servers[0]["status"] = "offline"
    laptop.create()
    assert laptop.posts()[-1].endswith("/boot")
    assert laptop.account.servers[0]["status"] == "running"


def test_a_boot_that_fails_at_linode_is_named_with_its_reason(laptop):
    laptop.account.fails = "linode_boot"
    with pytest.raises(DeployError, match="linode_boot of web-1 failed at Linode: Host is full"):
        laptop.create()


def test_another_event_that_failed_is_no_reason_to_destroy_the_server(laptop):
    laptop.create()
    (server,) = laptop.account.servers
    laptop.account.fails = "linode_snapshot"
    laptop.account.add_event("linode_snapshot", server, "started")
    assert laptop.create()
    server["status"] = "offline"
    assert laptop.create()
    assert server["status"] == "running"


def test_a_boot_that_failed_is_no_matter_once_the_server_runs(laptop):
    laptop.create()
    laptop.account.fails = "linode_boot"
    laptop.account.add_event("linode_boot", laptop.account.servers[0], "started")
    assert laptop.create()


def test_a_token_that_may_not_read_events_still_creates_a_server(laptop):
    laptop.api.scopes = ["/v4/account/events"]
    assert laptop.create()


def test_a_server_that_never_boots_stays_and_the_line_says_how_to_go_on(laptop):
    laptop.account.looks = 10**9
    with pytest.raises(DeployError, match=r"waited 15 minutes for web-1 to boot.*destroy-server"):
        laptop.create()
    assert len(laptop.account.servers) == 1


def test_a_laptop_that_does_not_know_the_host_key_is_told(laptop):
    laptop.create()
    (laptop.path / "known_hosts.txt").unlink()
    with pytest.raises(DeployError, match=r"the host key of web-1 is not in .*known_hosts.txt"):
        laptop.create()


def test_user_data_of_the_operators_own_comes_after_ours(laptop, tmp_path):
    own = tmp_path / "own.yml"
    own.write_text("#cloud-config\npackages: [tmux]\n")
    assert laptop.create(own=own)
    parts = email.message_from_string(user_data(laptop)).get_payload()
    assert [one.get_content_type() for one in parts] == ["text/cloud-config"] * 2
    assert parts[1].get_payload(decode=True).decode() == own.read_text()
    assert "ssh_keys" in cloud_config(user_data(laptop))
