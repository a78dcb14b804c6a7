"""Preflight refuses a replica set that could not work, before it asks any host."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cluster_refusals import preflight

from toxctl import selfsigned

KEY = "A" * 40
URI = "mongodb://user:password@192.0.2.13,192.0.2.14:27017,192.0.2.15/?replicaSet=toxic"
GOOD = f"""
tox_com_det:
  vars:
    python_provider: system
    mongodb_remote_access: true
    base_reboot: never
    mongodb_replica_set: toxic
    mongodb_replica_set_key: {KEY}
    flask_app_mongodb_uri: {URI}
  children:
    app: {{hosts: {{app1: {{cluster_address: 192.0.2.11}}}}}}
    database:
      hosts:
        db1: {{cluster_address: 192.0.2.13}}
        db2: {{cluster_address: 192.0.2.14}}
        db3: {{cluster_address: 192.0.2.15}}
"""
LAST = "        db3: {cluster_address: 192.0.2.15}\n"
FOURTH = LAST + "        db4: {cluster_address: 192.0.2.16}\n"
OTHER_KEY = f"db3: {{cluster_address: 192.0.2.15, mongodb_replica_set_key: {'B' * 40}}}"
PEM = json.dumps("".join(selfsigned.create(["192.0.2.13"], 30)))
TLS = f"    mongodb_tls_certificate_key: {PEM}\n    mongodb_replica_set: toxic"


def test_a_set_that_can_work_is_not_refused(tmp_path: Path):
    said = preflight(tmp_path, GOOD)
    assert "Check the groups of the cluster" in said
    assert "docs/scaling.md" not in said


def test_a_set_may_begin_with_one_member(tmp_path: Path):
    one = GOOD.replace(LAST, "").replace("        db2: {cluster_address: 192.0.2.14}\n", "")
    said = preflight(tmp_path, one)
    assert "Check the groups of the cluster" in said
    assert "docs/scaling.md" not in said


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (LAST, "", "group database has 2 hosts, and a replica set needs 1, 3, 5 or 7"),
        (LAST, FOURTH, "group database has 4 hosts, and a replica set needs 1, 3, 5 or 7"),
        (LAST, FOURTH, "flask_app_mongodb_uri does not name 192.0.2.16:27017"),
        (
            "    mongodb_replica_set: toxic\n",
            "",
            "has 3 hosts, and exactly one is supported without mongodb_replica_set",
        ),
        (f"    mongodb_replica_set_key: {KEY}\n", "", "mongodb_replica_set_key is not set: make"),
        ("db3: {cluster_address: 192.0.2.15}", OTHER_KEY, "is not the same on all hosts of group"),
        ("remote_access: true", "remote_access: false", "could not reach each other, set it to"),
        ("base_reboot: never", "base_reboot: always", "base_reboot is always, so `site.yml` would"),
        ("?replicaSet=toxic", "", "flask_app_mongodb_uri lacks replicaSet=toxic: add it"),
        ("replicaSet=toxic", "replicaSet=other", "flask_app_mongodb_uri lacks replicaSet=toxic"),
        (",192.0.2.15/", "/", "does not name 192.0.2.15:27017: name all members"),
        ("replicaSet=toxic", "replicaSet=toxic&tls=true", "uri asks for TLS, and mongodb_tls_cert"),
        ("    mongodb_replica_set: toxic", TLS, "uri does not ask for TLS, and mongodb_tls_certif"),
        ("    mongodb_replica_set: toxic", TLS, "mongodb_tls_ca is not set, so the members could"),
        (
            "    mongodb_replica_set: toxic",
            "    mongodb_provider: secantusdb\n    mongodb_replica_set: toxic",
            "mongodb_provider is not mongodb-org, which alone has replica sets",
        ),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, old: str, new: str, words: str):
    assert old in GOOD
    said = preflight(tmp_path, GOOD.replace(old, new))
    assert words in said
    assert "Correct the inventory (docs/scaling.md)" in said
    assert KEY not in said
    assert "password" not in said
