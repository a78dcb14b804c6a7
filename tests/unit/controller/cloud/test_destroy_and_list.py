"""`fab destroy-server` takes away what `fab create-server` made; `fab servers` lists the costs."""

from __future__ import annotations

import pytest

from controller.cloud import destroy as destroy_module
from controller.cloud.destroy import destroy_server
from controller.cloud.inventories import read_inventory
from controller.cloud.listing import HEADER, list_servers
from controller.deploy.errors import DeployError


def destroy(laptop, label="web-1", agrees=True):
    laptop.said.clear()
    inventory = read_inventory(laptop.path)
    return destroy_server(laptop.client(), inventory, label, laptop.said.append, lambda: agrees)


def other_server(laptop, **more):
    laptop.account.machine = lambda *_: "203.0.113.7"
    body = {"type": "g6-standard-1", "region": "us-east", "label": "other-1", **more}
    return laptop.account.add_server(body)


def test_everything_that_was_created_is_destroyed(laptop):
    domain = laptop.account.add_domain("example.org")
    laptop.create(domain="example.org", name="api")
    assert destroy(laptop)
    account = laptop.account
    assert (account.servers, account.firewalls, account.records[domain["id"]]) == ([], [], [])
    assert not laptop.inventory.host_file("web-1").exists()
    assert laptop.inventory.known_hosts.keys("web-1") == []
    assert "destroy  the DNS record api.example.org -> 127.0.0.1" in laptop.said
    assert "destroyed web-1: it costs nothing any more" in laptop.said


def test_nothing_is_destroyed_without_the_label(laptop):
    laptop.create()
    assert not destroy(laptop, agrees=False)
    assert laptop.said[-1] == "nothing was destroyed"
    assert len(laptop.account.servers) == len(laptop.account.firewalls) == 1
    assert laptop.inventory.host_file("web-1").exists()


def test_a_destruction_that_was_cut_off_is_completed(laptop):
    laptop.create()
    laptop.api.answers = [("DELETE", "/v4/networking", 500, {})]
    with pytest.raises(DeployError, match="removing the firewall: Linode's API has an error"):
        destroy(laptop)
    assert laptop.account.servers == []
    assert destroy(laptop)
    assert laptop.account.firewalls == []
    assert not laptop.inventory.host_file("web-1").exists()
    with pytest.raises(DeployError, match="there is no server web-1: see `fab servers`"):
        destroy(laptop)


def test_a_record_that_points_elsewhere_stays(laptop):
    domain = laptop.account.add_domain("example.org")
    laptop.account.add_record(domain["id"], {"type": "A", "name": "www", "target": "198.51.100.1"})
    laptop.create()
    destroy(laptop)
    assert [one["name"] for one in laptop.account.records[domain["id"]]] == ["www"]


def test_the_records_of_the_server_that_has_the_address_by_now_stay(laptop):
    domain = laptop.account.add_domain("example.org")
    laptop.create(domain="example.org", name="old")
    # In Cloud Manager: the server is deleted, and another one gets its address.
    laptop.account.remove_server(laptop.account.servers[0])
    laptop.account.machine = lambda *_: "127.0.0.1"
    laptop.account.add_server({"type": "g6-nanode-1", "region": "us-east", "label": "web-2"})
    laptop.account.add_record(domain["id"], {"type": "A", "name": "api", "target": "127.0.0.1"})
    assert destroy(laptop)
    assert "web-2 has the address 127.0.0.1 by now: its DNS records stay" in laptop.said
    assert [one["name"] for one in laptop.account.records[domain["id"]]] == ["old", "api"]
    assert [one["label"] for one in laptop.account.servers] == ["web-2"]
    assert not laptop.inventory.host_file("web-1").exists()


def test_the_records_of_a_server_that_is_gone_are_removed(laptop):
    domain = laptop.account.add_domain("example.org")
    laptop.create(domain="example.org", name="api")
    laptop.account.remove_server(laptop.account.servers[0])
    assert destroy(laptop)
    assert laptop.account.records[domain["id"]] == []


def test_a_failing_list_of_servers_is_one_line(laptop):
    laptop.create()
    laptop.account.remove_server(laptop.account.servers[0])
    laptop.api.answers = [("GET", "/v4/linode/instances", 500, {})]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(destroy_module, "find_server", lambda *_: None)
        with pytest.raises(DeployError, match=r"with the address 127.0.0.1: Linode's API has an"):
            destroy(laptop)
    assert laptop.inventory.host_file("web-1").exists()


def test_a_server_of_another_project_is_not_destroyed(laptop):
    other_server(laptop)
    with pytest.raises(DeployError, match="was not made by `fab create-server`"):
        destroy(laptop, "other-1")
    assert len(laptop.account.servers) == 1


def test_a_token_that_may_not_read_domains_is_told_what_is_left_to_do(laptop):
    laptop.create()
    laptop.api.scopes = ["/v4/domains"]
    assert destroy(laptop)
    assert laptop.said[0].startswith("the token may not read domains: remove records")


def test_backups_of_linode_are_named_before_they_are_lost(laptop):
    laptop.create()
    laptop.account.servers[0]["backups"]["enabled"] = True
    destroy(laptop, agrees=False)
    assert any("Linode's backups of it are lost" in line for line in laptop.said)


def test_all_servers_are_listed_with_their_prices_and_the_sum(laptop):
    laptop.create()
    other_server(laptop, backups_enabled=True)
    listing = list_servers(laptop.client())
    rows = [dict(zip(HEADER, row, strict=True)) for row in listing.rows]
    assert [(row["label"], row["made by"], row["a month"]) for row in rows] == [
        ("other-1", "-", "$16.80"),
        ("web-1", "fab create-server", "$5.00"),
    ]
    assert (round(listing.monthly, 2), listing.unknown) == (21.8, 0)


def test_more_servers_than_a_page_are_all_counted(laptop):
    for number in range(120):
        other_server(laptop, label=f"other-{number}")
    listing = list_servers(laptop.client())
    assert len(listing.rows) == 120
    assert listing.monthly == 120 * 12.0


def test_a_type_that_is_no_longer_sold_has_the_price_that_the_api_names(laptop):
    other_server(laptop, type="g8-unpriced-1")
    listing = list_servers(laptop.client())
    assert (listing.rows[0][-1], listing.unknown) == ("unknown", 1)


def test_no_server_costs_nothing(laptop):
    assert list_servers(laptop.client()).rows == []
