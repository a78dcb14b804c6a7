"""fab restore-embeddings: sent once, restored as the service's user, removed when verified."""

from __future__ import annotations

from pathlib import Path

import pytest
import tools_answers as good
from local_remote import GONE, LocalRemote, lines

from controller.deploy import embeddings
from controller.deploy.bundle import Bundle, load_bundle
from controller.deploy.connection import Done
from controller.deploy.errors import DeployError
from controller.deploy.servers import Server

MISSING = Done("", "restore: not there\n", 1)


@pytest.fixture
def bundle(built_bundle: Path) -> Bundle:
    return load_bundle(built_bundle)


@pytest.fixture
def server(remote: LocalRemote) -> Server:
    remote.answers = {
        "status": good.slots(None),
        "--check-only": MISSING,
        "--dump": Done("restoring 100 %\n", "", 0),
    }
    return Server(remote)


def test_dump_is_restored_as_the_services_user_and_removed(
    server: Server, remote: LocalRemote, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    collection = bundle.manifest.embedding.collection
    there: list[list[str]] = []

    def restore() -> Done:
        there.append(sorted(path.name for path in (remote.root / "dumps").rglob("*.*")))
        return Done("restoring 100 %\n", "", 0)

    remote.answers["--dump"] = restore
    assert embeddings.restore_embeddings(server, bundle) is True
    assert there == [["manifest.json", f"{collection}.bson", f"{collection}.metadata.json"]]
    call = remote.called("--dump")[0]
    assert call[0] == "tox_com_det"
    assert call[-1] == str(remote.root / "dumps" / collection)
    assert list((remote.root / "dumps").iterdir()) == []
    assert "nanode: restoring 100 %" in capsys.readouterr().out
    assert remote.session.phases == ["prepare", "upload", "verify", "clean"]
    assert remote.session.end["result"] == "done"
    assert set(remote.session.notes["hashes"]) == {path.name for path in bundle.dump_files}


def test_what_is_restored_already_is_not_sent(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.answers["--check-only"] = lines()
    assert embeddings.restore_embeddings(server, bundle) is False
    assert remote.sent == bundle.model_files[0].stat().st_size
    assert not remote.called("--dump")
    assert list((remote.root / "dumps").iterdir()) == []
    assert remote.session.end["result"] == "nothing"


def test_failed_restore_keeps_the_dump_for_the_next_try(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.answers["--dump"] = Done("", "restore: disk full\n", 1)
    with pytest.raises(DeployError, match=r"disk full.*type the same again"):
        embeddings.restore_embeddings(server, bundle)
    sent = remote.sent
    with pytest.raises(DeployError, match="disk full"):
        embeddings.restore_embeddings(server, bundle)
    assert remote.sent == sent


def test_no_dump_is_sent_to_a_database_that_is_away(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.answers["--check-only"] = Done("", "restore: MongoDB at x does not answer: see y", 1)
    with pytest.raises(DeployError, match="does not answer"):
        embeddings.restore_embeddings(server, bundle)
    assert list((remote.root / "dumps").rglob("*.bson")) == []


def test_disk_without_room_for_dump_and_collection_is_told(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.free_kib = 66_000
    with pytest.raises(DeployError, match="is too full for"):
        embeddings.restore_embeddings(server, bundle)
    assert list((remote.root / "dumps").rglob("*.bson")) == []


def test_connection_that_goes_away_while_it_restores_is_told(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.answers["--dump"] = GONE
    with pytest.raises(
        DeployError, match=r"in phase verify of restore-embeddings .*begun anew by the next"
    ):
        embeddings.restore_embeddings(server, bundle)


def test_dry_run_writes_nothing(
    server: Server, remote: LocalRemote, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    name = bundle.manifest.embedding.collection
    remote.answers["lock"] = lines({"result": {"holder": None}})
    listing = {"collections": [{"name": "other", "bytes": 1, "kept": True, "dropped": False}]}
    before = sorted(remote.root.rglob("*"))
    words = embeddings.commands.collections(server.config)
    remote.answers[words[2]] = lines(listing)
    embeddings.dry_run(server, bundle)
    out = capsys.readouterr().out
    assert "is there already" not in out
    assert f"upload: {name}.metadata.json (" in out
    listing["collections"][0]["name"] = name
    remote.answers[words[2]] = lines(listing)
    embeddings.dry_run(server, bundle)
    assert f"{name} is there already: it would be checked" in capsys.readouterr().out
    assert sorted(remote.root.rglob("*")) == before
    assert remote.sessions == []
    remote.answers[words[2]] = Done("", "boom\nno database\n", 1)
    with pytest.raises(DeployError, match="could not list its collections: no database"):
        embeddings.dry_run(server, bundle)
