"""Every download address is a variable; keys and checksums are part of the repository."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from rendering import evaluate
from role_tasks import PROJECT, TREE, role

ADDRESS = re.compile(r"(?:https?|ftp)://[^\s'\"]+")
DOWNLOADS = {"get_url", "rpm_key", "yum_repository", "deb822_repository", "uri", "git"}
SOURCES = role("package_sources")


def fingerprint(armored: str) -> str:
    """Return the version 4 fingerprint of the first key (RFC 4880, 12.2)."""
    body = armored.split("\n\n", 1)[1].split("\n=", 1)[0]
    data = base64.b64decode("".join(body.split()))
    assert data[0] == 0x99, "an old packet of a public key with two octets of length"
    length = int.from_bytes(data[1:3], "big")
    return hashlib.sha1(data[: 3 + length]).hexdigest().upper()  # noqa: S324 (what RFC 4880 says)


def test_no_task_downloads_from_an_address_that_is_not_a_variable():
    found = [
        f"{TREE.where(one.file, one.line)}: {one.arguments[key]}"
        for of in TREE.roles
        for one in of.tasks
        if (one.module or "").rpartition(".")[2] in DOWNLOADS
        for key in ("url", "key", "baseurl", "uris", "repo")
        if ADDRESS.search(str(one.arguments.get(key, "")))
    ]
    assert found == []


def test_every_address_of_a_role_stands_in_its_options_or_is_replaced_by_one():
    for of in TREE.roles:
        if of.name == "preflight":
            continue  # asks the addresses of the others
        specified = str(of.spec)
        for path, content in of.vars.items():
            for name, value in content.items():
                if not ADDRESS.search(str(value)):
                    continue
                public = name.replace(f"{of.private_prefix}system_", f"{of.name}_")
                assert public in of.spec or name in specified, f"{TREE.where(path)}: {name}"


@pytest.mark.parametrize("system", ["centos", "epel"])
def test_the_keys_of_the_archives_are_here_and_are_the_pinned_ones(system: str):
    name = SOURCES.defaults[f"package_sources_{system}_key"]
    text = (SOURCES.path / "files" / name).read_text(encoding="ascii")
    assert fingerprint(text) == SOURCES.defaults[f"package_sources_{system}_key_fingerprint"]


def test_the_archives_addresses_have_one_variable_each():
    for part in ("base", "updates", "extras", "epel", "centos"):
        assert f"package_sources_{part}_url" in SOURCES.spec
    own = {**SOURCES.defaults, "package_sources_centos_url": "https://mirror.example.org/7.9"}
    assert str(evaluate(own["package_sources_base_url"], own)).startswith(
        "https://mirror.example.org/7.9/os/"
    )


def test_what_is_downloaded_has_a_checksum_or_a_pinned_key():
    for of in TREE.roles:
        for one in of.tasks:
            if one.module != "ansible.builtin.get_url" or "checksum" in one.arguments:
                continue
            # The only other thing that is downloaded is a key, which has its fingerprint.
            assert "key" in str(one.arguments["url"]), TREE.where(one.file, one.line)


def test_preflight_says_which_variable_takes_a_mirror():
    text = (PROJECT / "roles/preflight/vars/main.yml").read_text(encoding="utf-8")
    for name in (
        "package_sources_centos_url",
        "package_sources_epel_url",
        "mongodb_repository_url",
    ):
        assert f"variable: {name}" in text
