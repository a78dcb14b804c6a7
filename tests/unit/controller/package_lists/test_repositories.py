"""What apt 2.6 said of broken repositories, recorded on Debian 12, becomes one line each."""

from __future__ import annotations

import pytest

from controller.package_lists.repositories import broken_repositories, is_lock, is_network

SOURCES = """\
/etc/apt/sources.list:1:deb http://deb.example.org/debian bookworm main
/etc/apt/sources.list:2:deb http://deb.example.org/debian bookworm-updates main
/etc/apt/sources.list:3:# deb http://apt.linode.com/ bookworm main
/etc/apt/sources.list.d/longview.list:1:deb http://apt.linode.com/ bookworm main
/etc/apt/sources.list.d/backports.list:2:deb http://deb.example.org/debian bookworm-backports main
/etc/apt/sources.list.d/third.sources:1:Types: deb
/etc/apt/sources.list.d/third.sources:2:URIs: http://example.org/nothing
/etc/apt/sources.list.d/third.sources:3:Suites: bookworm
"""
UNSIGNED = """\
W: GPG error: http://apt.linode.com bookworm InRelease: The following signatures couldn't be \
verified because the public key is not available: NO_PUBKEY ABCF4A0B7FA6F3A8
E: The repository 'http://apt.linode.com bookworm InRelease' is not signed.
"""
# apt 3.0 of Debian 13.
UNSIGNED_3 = """\
W: OpenPGP signature verification failed: http://apt.linode.com bookworm InRelease: Sub-process \
/usr/bin/sqv returned an error code (1), error message is: Missing key \
4CB50190207B4758A3F73A796ED0E7B82643E131, which is needed to verify signature.
E: The repository 'http://apt.linode.com bookworm InRelease' is not signed.
"""
MISSING = (
    "E: The repository 'http://example.org/nothing bookworm Release' does not have a Release file."
)


def lines(said: str) -> list[str]:
    return broken_repositories(said, SOURCES, "nanode")


@pytest.mark.parametrize(
    ("said", "key"),
    [
        (UNSIGNED, "NO_PUBKEY ABCF4A0B7FA6F3A8"),
        (UNSIGNED_3, "Missing key 4CB50190207B4758A3F73A796ED0E7B82643E131"),
    ],
    ids=["apt 2.6", "apt 3.0"],
)
def test_a_repository_without_its_key_is_named_with_its_file_and_the_next_command(
    said: str, key: str
):
    (line,) = lines(said)
    assert "http://apt.linode.com/ of /etc/apt/sources.list.d/longview.list, line 1: " in line
    assert key in line
    assert "verification failed" not in line
    file = "/etc/apt/sources.list.d/longview.list"
    assert f"`sudo mv {file} {file}.disabled`" in line
    assert "rerun" in line
    assert "is not signed" not in line


def test_each_broken_repository_is_one_line():
    found = lines(UNSIGNED + MISSING + "\n")
    assert len(found) == 2
    assert "third.sources, line 2: does not have a Release file" in found[1]


def test_a_suite_of_a_shared_address_is_found_by_its_name():
    said = UNSIGNED.replace(
        "apt.linode.com bookworm ", "deb.example.org/debian bookworm-backports "
    )
    (line,) = lines(said)
    assert "/etc/apt/sources.list.d/backports.list, line 2" in line


def test_a_line_of_the_system_s_own_file_is_commented_out_not_the_file_moved():
    said = (
        "E: The repository 'http://deb.example.org/debian bookworm-updates Release' does not have a"
        " Release file.\n"
    )
    (line,) = lines(said)
    assert "`sudo sed -i '2s/^/# /' /etc/apt/sources.list`" in line
    assert "mv" not in line


def test_a_malformed_line_is_named_by_its_file():
    said = (
        "E: Malformed entry 1 in list file /etc/apt/sources.list.d/bad.list (Suite)\n"
        "E: The list of sources could not be read.\n"
    )
    (line,) = lines(said)
    assert "Malformed entry 1" in line
    assert "sudo mv /etc/apt/sources.list.d/bad.list " in line


def test_a_slow_clock_is_not_the_repository_s_fault():
    said = (
        "E: Release file for http://deb.example.org/debian/dists/bookworm-updates/InRelease is not"
        " valid yet (invalid for another 4h 2min 1s).\n"
    )
    (line,) = lines(said)
    assert "timedatectl" in line
    assert "sudo mv" not in line


def test_an_unreachable_host_is_looked_up():
    said = (
        "E: Failed to fetch http://apt.linode.com/dists/bookworm/InRelease  Could not resolve"
        " 'apt.linode.com'\n"
        "E: Some index files failed to download.\n"
    )
    (line,) = lines(said)
    assert is_network(said)
    assert not is_network(said + MISSING)
    assert not is_network("")
    assert "`getent hosts apt.linode.com`" in line
    assert "longview.list" in line


@pytest.mark.parametrize("said", ["", "E: Something else happened\n", "Segmentation fault\n"])
def test_what_names_no_repository_still_ends_with_a_command(said: str):
    (line,) = lines(said)
    assert "`sudo apt-get update`" in line
    assert said.strip().removeprefix("E: ") in line


def test_a_lock_is_told_from_a_broken_repository():
    assert is_lock(
        "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 71 (apt-get)\n"
    )
    assert not is_lock(UNSIGNED)
