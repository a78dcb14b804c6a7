"""`fab backup`, `backups`, `restore` and `restore-drill`: what they ask, print and switch."""

from __future__ import annotations

from typing import Any

import pytest
import toxctl_answers as good
from local_remote import GONE, LocalRemote, error, lines, result, went_well

from controller.deploy.errors import DeployError
from controller.deploy.server import Server
from controller.deploy.tasks import backup
from toxctl.cli import parser

MADE = {"snapshot": "abcd1234", "at": "2026-01-02T03:04:05Z"}
NEW = "/srv/tox_com_det/models/new"
RESTORED: dict[str, Any] = {
    **MADE, "model": NEW, "models": ["new"], "collections": ["c"], "suggestions": 2, "keys": 1,
    "seconds": 2.5,
}  # fmt: skip
DRILLED = {
    **MADE, "collections": 2, "documents": 7, "models": 1, "golden_outputs": 14, "worst": 0.0,
    "seconds": 9.5,
}  # fmt: skip


@pytest.fixture
def server(remote: LocalRemote) -> Server:
    remote.answers["status"] = result(remote.status(confirmed=good.confirmed()))
    went_well(remote, NEW)
    return Server(remote)


def test_a_backup_says_how_much_and_how_long(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {**MADE, "documents": 7, "bytes": 9_000_000, "added_bytes": 1_000_000, "seconds": 3.2}
    remote.answers["start"] = result(found)
    backup.backup(server)
    words = "backup abcd1234: 7 documents, 9.0 MB, 1.0 MB of them new, in 3.2 s"
    assert words in capsys.readouterr().out


def test_a_backup_that_fails_is_the_servers_own_line(server: Server, remote: LocalRemote) -> None:
    remote.answers["start"] = error("the repository /r is locked", "locked")
    with pytest.raises(DeployError, match=r"the repository /r is locked"):
        backup.backup(server)


def test_backups_are_listed_also_those_of_another_server(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    one = {"id": "abcd1234", "at": MADE["at"]}
    remote.answers["list"] = result({"name": "old", "repository": "/r", "backups": [one]})
    backup.backups(server, of="old")
    out = capsys.readouterr().out
    assert "1 backup of old in /r" in out
    assert "abcd1234  2026-01-02 03:04 UTC" in out
    assert remote.called("backup") == [["backup", "list", "--of=old"]]


def test_a_name_that_begins_with_a_dash_is_no_option_of_toxctl(
    server: Server, remote: LocalRemote
) -> None:
    remote.answers["list"] = result({"name": "-x", "repository": "/r", "backups": []})
    backup.backups(server, of="-x")
    remote.answers["restore"] = error("there is no complete backup of -x", "usage")
    with pytest.raises(DeployError, match="there is no complete backup of -x"):
        backup.restore(server, of="-x")
    for words in remote.called("backup"):
        assert parser().parse_args(["--json", *words]).of == "-x"


def test_a_drill_says_what_is_equal_and_how_long_it_took(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.answers["drill"] = result(DRILLED)
    backup.drill(server, "abcd")
    assert (
        "backup abcd1234 of 2026-01-02 03:04 UTC can be restored: 7 documents in 2 collections and "
        "1 model are equal, 14 golden outputs match, in 9.5 s"
    ) in capsys.readouterr().out
    assert remote.called("backup") == [["backup", "drill", "--snapshot", "abcd"]]


def test_a_restore_goes_live_through_the_gate(server: Server, remote: LocalRemote) -> None:
    remote.answers["restore"] = result(RESTORED)
    assert backup.restore(server) is True
    assert remote.called("verify") == [["verify", "--model", NEW]]
    assert remote.called("activate") == [["activate", "--model", NEW]]
    assert remote.session.phases == ["prepare", "upload", "verify", "activate", "confirm", "clean"]
    assert remote.session.end == {"result": "done", "reason": None}


def test_a_restored_model_that_fails_its_golden_outputs_does_not_go_live(
    server: Server, remote: LocalRemote
) -> None:
    remote.answers["restore"] = result(RESTORED)
    remote.answers["verify"] = error("bad head", "head")
    with pytest.raises(DeployError, match=r"new did not go live on nanode .* stays live"):
        backup.restore(server)
    remote.answers["verify"] = error("MongoDB does not answer", "database")
    with pytest.raises(DeployError, match=": start the database with `ansible-playbook site"):
        backup.restore(server)
    assert not remote.called("activate")


@pytest.mark.parametrize("answer", [GONE, error("the disk is full", "disk")])
def test_a_restore_that_fails_midway_switches_nothing(
    server: Server, remote: LocalRemote, answer: Any
) -> None:
    remote.answers["restore"] = answer
    with pytest.raises(DeployError, match=r"switches nothing|the disk is full"):
        backup.restore(server)
    assert not remote.called("activate")


def test_without_a_model_nothing_is_switched(server: Server, remote: LocalRemote) -> None:
    remote.answers["restore"] = result({**RESTORED, "model": None, "models": []})
    assert backup.restore(server) is False
    assert not remote.called("verify")


def test_a_restored_model_that_is_live_already_changes_nothing(
    server: Server, remote: LocalRemote
) -> None:
    remote.answers["restore"] = result(RESTORED)
    remote.answers["activate"] = lines(*good.activated(NEW, good.APP, changed=False))
    assert backup.restore(server) is False
    assert remote.session.end == {"result": "nothing", "reason": None}


def test_an_identifier_is_checked_before_the_server_is_asked(
    server: Server, remote: LocalRemote
) -> None:
    with pytest.raises(DeployError, match="no identifier: see `fab backups`"):
        backup.restore(server, "--of")
    assert not remote.called("backup")


def test_a_dry_run_asks_nothing(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    backup.backup(server, dry_run=True)
    backup.backups(server, dry_run=True)
    backup.drill(server, dry_run=True)
    assert backup.restore(server, dry_run=True) is False
    assert not remote.called("backup")
    assert capsys.readouterr().out.count("toxctl --json backup") == 4
