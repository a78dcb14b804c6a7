"""Every download address is a variable; keys and checksums are part of the repository."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest
from ansible.errors import AnsibleError
from rendering import SYSTEMS, VARIANTS, Variant, evaluate, variables
from role_tasks import TREE, Role, evaluate_assert, task
from role_tasks import role as role_named

ADDRESS = re.compile(r"(?:https?|ftp)://([^\s'\":/]+)")
DOWNLOADS = {"get_url", "rpm_key", "yum_repository", "deb822_repository", "uri", "git"}
SOURCES = role_named("package_sources")


def fingerprint(armored: str) -> str:
    """Return the version 4 fingerprint of the first key (RFC 4880, 12.2)."""
    body = armored.split("\n\n", 1)[1].split("\n=", 1)[0]
    data = base64.b64decode("".join(body.split()))
    assert data[0] == 0x99, "an old packet of a public key with two octets of length"
    length = int.from_bytes(data[1:3], "big")
    return hashlib.sha1(data[: 3 + length]).hexdigest().upper()  # noqa: S324 (what RFC 4880 says)


def test_every_download_task_takes_its_address_from_a_variable():
    found = [
        f"{TREE.where(one.file, one.line)}: {one.arguments[key]}"
        for of in TREE.roles
        for one in of.tasks
        if (one.module or "").rpartition(".")[2] in DOWNLOADS
        for key in ("url", "key", "baseurl", "uris", "repo")
        if ADDRESS.search(str(one.arguments.get(key, "")))
    ]
    assert found == []


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("role", TREE.roles, ids=lambda role: role.name)
def test_with_a_mirror_for_every_address_no_other_server_is_used(role: Role, system: str):
    options = {name for of in TREE.roles for name in of.spec if name.endswith("_url")}
    options.add("tls_acme_directory")
    mirror = Variant("mirror", dict.fromkeys(sorted(options), "https://mirror.example.org/x"))
    values = {**variables(role, system, mirror), "__preflight_id": "x", "__preflight_version": "0"}
    for name in {*role.defaults, *(name for content in role.vars.values() for name in content)}:
        # The address of a system is the default of an option.
        if name in values and not name.startswith(f"{role.private_prefix}system_"):
            hosts = set(ADDRESS.findall(str(templated(values[name], values))))
            assert hosts <= {"mirror.example.org", values["inventory_hostname"]}, (
                f"roles/{role.name}: {name}"
            )


def templated(value: object, values: dict[str, object]) -> object:
    """Return the value as a task sees it, or unchanged if it needs results of tasks."""
    try:
        return evaluate(value, values)
    except AnsibleError:
        return value


@pytest.mark.parametrize("system", ["centos", "epel"])
def test_the_keys_of_the_archives_match_their_pinned_fingerprints(system: str):
    name = SOURCES.defaults[f"package_sources_{system}_key"]
    text = (SOURCES.path / "files" / name).read_text(encoding="ascii")
    assert fingerprint(text) == SOURCES.defaults[f"package_sources_{system}_key_fingerprint"]


def test_each_archive_has_a_variable_for_its_address():
    for part in ("base", "updates", "extras", "epel", "centos"):
        assert f"package_sources_{part}_url" in SOURCES.spec
    own = {**SOURCES.defaults, "package_sources_centos_url": "https://mirror.example.org/7.9"}
    assert str(evaluate(own["package_sources_base_url"], own)).startswith(
        "https://mirror.example.org/7.9/os/"
    )


def test_every_download_has_a_checksum_or_a_pinned_key():
    for of in TREE.roles:
        for one in of.tasks:
            if one.module != "ansible.builtin.get_url" or "checksum" in one.arguments:
                continue
            # The only other thing that is downloaded is a key, which has its fingerprint.
            assert "key" in str(one.arguments["url"]), TREE.where(one.file, one.line)


def test_preflight_names_the_variable_for_a_mirror_of_an_unreachable_address():
    preflight = role_named("preflight")
    values = variables(preflight, "centos7", VARIANTS[0])
    values |= {"__preflight_id": "centos", "__preflight_version": "7"}
    check = task("preflight", "Check that the download URLs are reachable")
    named = set()
    sources: Any = evaluate(values["__preflight_sources"], values)
    for source in sources:
        result = {"item": source, "rc": 6, "stdout": "curl: (6) Could not resolve host"}
        verdict = evaluate_assert(check, {"item": result})
        assert not verdict.passed
        assert f"cannot reach {source['url']}" in verdict.message
        assert f"set {source['variable']} to a mirror" in verdict.message
        assert source["variable"] in TREE.options
        named.add(source["variable"])
    assert named >= {
        "package_sources_centos_url",
        "package_sources_epel_url",
        "mongodb_repository_url",
    }
