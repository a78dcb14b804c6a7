"""Linode's API as a careful client meets it: refusals, too many requests, errors, no answer."""

from __future__ import annotations

import logging
import re
import traceback

import pytest
from linode_standin import TOKEN

from controller.cloud.api import api_address, token_of
from controller.cloud.api_errors import Refused, explained
from controller.cloud.offers import find_offer
from controller.cloud.server import check_label, find_server
from controller.deploy.errors import DeployError


def offer(laptop, image="linode/debian13", type_="g6-nanode-1", region="de-fra-2"):
    return find_offer(laptop.client(), image, type_, region)


def test_an_offer_has_the_price_of_its_region(laptop):
    assert offer(laptop).monthly == 5.0
    assert offer(laptop, region="br-gru").monthly == 7.0
    assert offer(laptop).memory == 1024


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (
            "linode/debian11",
            "the image linode/debian11 is deprecated; choose one with --image: lin",
        ),
        ("linode/centos7", "the image linode/centos7 is deprecated"),
        (
            "linode/debain12",
            "Linode has no image 'linode/debain12'; choose one with --image: linode/debian12",
        ),
        ("linode/arch", "is none of the systems in docs/support.md"),
    ],
)
def test_an_image_that_no_server_is_made_of_is_refused_with_what_is_offered(laptop, image, words):
    with pytest.raises(DeployError, match=re.escape(words)) as caught:
        offer(laptop, image=image)
    offered = str(caught.value).partition("--image: ")[2].split(", ")
    assert sorted(offered) == [
        "linode/almalinux9",
        "linode/debian12",
        "linode/debian13",
        "linode/rocky9",
    ]


def test_an_image_without_cloud_init_is_refused_because_of_the_host_key(laptop):
    laptop.account.images[1]["capabilities"] = []
    with pytest.raises(DeployError, match="debian13 has no cloud-init, which takes the first host"):
        offer(laptop)


def test_an_image_of_ones_own_is_taken(laptop):
    laptop.account.images.append({**laptop.account.images[0], "id": "private/15"})
    assert offer(laptop, image="private/15").image == "private/15"


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ("de-fra-9", "Linode has no region 'de-fra-9'; choose one with --region: de-fra-2, "),
        ("us-lax", "the region us-lax has no Metadata; choose one with --region: "),
        ("nl-ams", "Linode reports an outage of the region nl-ams"),
    ],
)
def test_a_region_that_does_not_suffice_is_refused_with_those_that_do(laptop, region, words):
    with pytest.raises(DeployError, match=re.escape(words)) as caught:
        offer(laptop, region=region)
    offered = str(caught.value).partition("--region: ")[2].split(", ")
    # All pages of the list, without the two that do not suffice.
    assert {"us-east", "xx-29"} <= set(offered)
    assert not {"us-lax", "nl-ams"} & set(offered)


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        (
            "g6-nano",
            "Linode has no type 'g6-nano'; choose one with --type, such as (a month) g6-nanode-1 "
            "($5.00), g6-standard-1 ($12.00)",
        ),
        ("g5-nanode-1", "the type g5-nanode-1 is replaced by g6-nanode-1: use --type g6-nanode-1"),
        ("g8-unpriced-1", "Linode names no price of g8-unpriced-1 in de-fra-2"),
    ],
)
def test_a_type_that_is_not_sold_is_refused(laptop, type_, words):
    with pytest.raises(DeployError, match=re.escape(words)):
        offer(laptop, type_=type_)


def test_too_many_requests_are_waited_for_as_long_as_linode_says_and_in_words(laptop):
    laptop.api.answers = [
        ("GET", "/v4/images", 429, {"Retry-After": "17"}),
        ("POST", "/v4/linode/instances", 429, {"Retry-After": "40"}),
    ]
    assert laptop.create()
    assert laptop.time.passed >= 57
    assert "Linode takes no more requests for now: waiting 17 s, then going on" in laptop.said
    assert "Linode takes no more requests for now: waiting 40 s, then going on" in laptop.said
    assert len(laptop.account.servers) == 1


def test_requests_that_are_always_too_many_end_with_the_next_command(laptop):
    laptop.api.answers = [("GET", "/v4/linode", 429, {"Retry-After": "1"})] * 20
    with pytest.raises(
        DeployError, match="no more requests for now: rerun the command in some min"
    ):
        laptop.create()


def test_an_api_that_is_unavailable_is_asked_again_but_creates_nothing_twice(laptop):
    laptop.api.answers = [("GET", "/v4/images", 502, {})]
    assert offer(laptop).monthly == 5.0
    assert any("unavailable (502)" in line for line in laptop.said)
    laptop.api.answers = [("POST", "/v4/linode/instances", 502, {})]
    with pytest.raises(DeployError, match=r"has an error of its own \(502: Not now\)"):
        laptop.create()
    assert laptop.api.answers == []
    assert laptop.account.servers == []


def test_a_connection_that_breaks_is_opened_again_to_read(laptop):
    laptop.api.drops = [("GET", "/v4/images")]
    assert offer(laptop).monthly == 5.0
    assert laptop.api.drops == []


def test_a_creation_whose_answer_is_lost_is_not_sent_again_but_found_by_the_next_run(laptop):
    laptop.api.drops = [("POST", "/v4/linode/instances")]
    with pytest.raises(
        DeployError, match="creating the server web-1: Linode's API cannot be reach"
    ):
        laptop.create()
    assert len(laptop.account.servers) == 1
    assert laptop.create()
    assert len(laptop.account.servers) == 1


def test_an_invalid_request_is_one_line_with_the_field(laptop):
    laptop.account.add_firewall(
        {"label": "web-1", "rules": {"inbound_policy": "DROP"}, "tags": ["of somebody else"]}
    )
    with pytest.raises(DeployError) as caught:
        laptop.create()
    assert str(caught.value) == (
        "creating the firewall: Linode refuses it (400: label: Label must be unique among your "
        "resources): correct it, then rerun the command"
    )


def test_a_wrong_token_is_said_without_showing_it(laptop, caplog):
    caplog.set_level(logging.DEBUG)
    laptop.api.token = "another"  # noqa: S105 (made up)
    with pytest.raises(
        DeployError, match="Linode does not accept the token: make one at"
    ) as caught:
        laptop.create()
    shown = "".join(traceback.format_exception(caught.value))
    assert "LINODE_TOKEN" in shown
    assert TOKEN not in shown + caplog.text + "".join(laptop.said)


def test_a_token_that_may_not_create_is_told_what_it_needs(laptop):
    laptop.api.scopes = ["/v4/networking"]
    with pytest.raises(
        Refused, match=r"the token may not do this.*Firewalls and Domains"
    ) as caught:
        laptop.create()
    assert caught.value.status == 403


def test_no_answer_is_one_line(laptop, monkeypatch):
    monkeypatch.setenv("LINODE_API_URL", "http://127.0.0.1:9/v4")
    with pytest.raises(DeployError, match=r"cannot be reached \(no connection\)"):
        find_server(laptop.client(), "web-1")


def test_something_else_that_answers_is_one_line(laptop, monkeypatch):
    laptop.api.app.add_url_rule("/page/linode/instances", "page", lambda: "<html>")
    monkeypatch.setenv("LINODE_API_URL", laptop.api.url.replace("/v4", "/page"))
    with pytest.raises(DeployError, match="what answers is not Linode's API: check LINODE_API_URL"):
        find_server(laptop.client(), "web-1")


def test_a_list_that_changes_while_it_is_read_is_one_line():
    with pytest.raises(DeployError, match="listing: it changed: rerun"), explained("listing"):
        raise RuntimeError("it changed")


@pytest.mark.parametrize(
    "address", ["http://api.linode.com/v4", "api.linode.com", "https://", "ftp://x", "https://[x"]
)
def test_the_token_goes_over_https_alone(address):
    with pytest.raises(DeployError, match=r"LINODE_API_URL is .*begins with https://"):
        api_address({"LINODE_API_URL": address})


def test_the_address_is_linodes_or_that_of_a_stand_in():
    assert api_address({}) == "https://api.linode.com/v4"
    assert api_address({"LINODE_API_URL": "http://127.0.0.1:1/v4/"}) == "http://127.0.0.1:1/v4"


def test_the_token_comes_from_the_environment_or_else_from_the_vault():
    vault = {"vault_linode_token": {"__ansible_unsafe": "def456"}}
    assert token_of({"LINODE_TOKEN": " abc123\n"}, vault) == "abc123"
    assert token_of({}, vault) == "def456"
    assert token_of({}, {"vault_linode_token": "ghi789"}) == "ghi789"


def test_a_missing_token_is_told_where_to_get_one():
    with pytest.raises(DeployError, match=r"cloud.linode.com/profile/tokens.*export LINODE_TOKEN"):
        token_of({}, {})


@pytest.mark.parametrize("token", ["abc def", "abc\n\ndef", "{{ x }}", "äbc"])
def test_what_is_no_token_is_refused_without_showing_it(token):
    with pytest.raises(DeployError, match="LINODE_TOKEN is not a token") as caught:
        token_of({"LINODE_TOKEN": token}, {})
    assert token not in str(caught.value)


@pytest.mark.parametrize("label", ["web-1", "Web.1_a", "abc", "a" * 64])
def test_labels_that_linode_takes(label):
    assert check_label(label, "create-server") == label


@pytest.mark.parametrize(
    "label", ["ab", "1web", "web--1", "web-", "we b", "all", "tox_com_det", "a" * 65, "wéb", "a/b"]
)
def test_labels_that_linode_or_ansible_refuses(label):
    with pytest.raises(DeployError, match="--label is"):
        check_label(label, "create-server")
