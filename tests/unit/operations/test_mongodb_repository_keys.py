"""The keys of MongoDB's repository are pinned by fingerprint; a renewed key replaces the old."""

from __future__ import annotations

import re

import pytest
from rendering import SYSTEMS, Variant, evaluate, variables
from role_tasks import evaluate_assert, role, task

MONGODB = role("mongodb")
VERSIONS = MONGODB.spec["mongodb_version"]["choices"]
RPM = [one for one in MONGODB.tasks if one.file.name == "repository_rpm.yml" and one.module]


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_has_a_pinned_key(system: str, version: str):
    values = variables(MONGODB, system, Variant("inventory", {"mongodb_version": version}))
    fingerprint = evaluate(values["__mongodb_key_fingerprint"], values)
    assert re.fullmatch(r"[0-9A-F]{40}", str(fingerprint))
    address = evaluate(values["__mongodb_key_url"], values)
    series = {"9.0": "9"}.get(version, version)
    assert address == f"https://pgp.mongodb.com/server-{series}.asc"


def test_address_and_fingerprint_are_variables():
    own = {"mongodb_key_url": "file:///srv/key.asc", "mongodb_key_fingerprint": "A" * 40}
    values = variables(MONGODB, "centos7", Variant("own", own))
    assert evaluate(values["__mongodb_key_url"], values) == "file:///srv/key.asc"
    assert evaluate(values["__mongodb_key_fingerprint"], values) == "A" * 40


def test_yum_trusts_a_key_only_after_its_fingerprint_is_verified():
    trusted = next(
        one for one in RPM if one.arguments.get("fingerprint") and one.module.endswith("rpm_key")
    )
    added = next(one for one in RPM if one.module == "ansible.builtin.yum_repository")
    assert trusted.arguments["fingerprint"] == "{{ __mongodb_key_fingerprint }}"
    assert trusted.line < added.line
    assert added.arguments["gpgcheck"] is True
    # With a gpgkey yum would import whatever stands at that address by itself.
    assert "gpgkey" not in added.arguments


def test_a_renewed_key_replaces_the_old_one():
    fetched, forgotten = (
        next(one for one in RPM if one.module.endswith(name) and "fingerprint" not in one.arguments)
        for name in ("get_url", "rpm_key")
    )
    assert "when" not in fetched.data
    assert fetched.data["register"] == "__mongodb_key"
    assert forgotten.arguments["state"] == "absent"
    assert forgotten.data["when"] == "__mongodb_key is changed"


@pytest.mark.parametrize(("fingerprint", "good"), [("A" * 40, True), ("B" * 40, False)])
def test_apt_does_not_get_another_key(fingerprint: str, good: bool):
    said = evaluate_assert(
        task("mongodb", "Verify the key's fingerprint"),
        {
            "__mongodb_key": {"stdout": f"pub:-:4096\nfpr:::::::::{fingerprint}:\n"},
            "__mongodb_key_fingerprint": "A" * 40,
            "__mongodb_key_url": "https://pgp.mongodb.com/server-8.0.asc",
        },
    )
    assert said.passed == good
    assert "set mongodb_key_fingerprint" in said.message
