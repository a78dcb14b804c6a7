"""fab restore-embeddings: sent once, restored by toxctl, removed once it is verified."""

from __future__ import annotations

from pathlib import Path

import pytest
from local_remote import GONE, LocalRemote, error, lines, result

from controller.deploy.bundle import Bundle, load_bundle
from controller.deploy.errors import DeployError
from controller.deploy.remote import Done
from controller.deploy.server import Server
from controller.deploy.tasks.restore_embeddings import restore_embeddings
from toxctl.advice import STEPS

MISSING = {"restored": False, "problem": "c is not restored", "kind": "collection"}
RESTORED = {"restored": True, "problem": "", "kind": None}
AWAY = {"restored": False, "problem": "MongoDB at x does not answer: see y", "kind": "database"}
RESTORING = lines(
    {"say": "checking the dump"},
    {"progress": {"what": "restoring", "done": 3, "total": 4}},
    {"result": {"restored": True}},
)


@pytest.fixture
def bundle(built_bundle: Path) -> Bundle:
    return load_bundle(built_bundle)


@pytest.fixture
def server(remote: LocalRemote) -> Server:
    """A server without the word vectors, on which a restore goes well."""
    remote.answers["--check"] = result(MISSING)
    remote.answers["--collection"] = RESTORING
    return Server(remote)


def dumps(remote: LocalRemote) -> list[str]:
    return sorted(path.name for path in (remote.root / "dumps").rglob("*.*"))


def test_dump_is_restored_by_toxctl_and_then_removed(
    server: Server, remote: LocalRemote, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    collection = bundle.manifest.embedding.collection
    seen: list[list[str]] = []

    def restore() -> Done:
        seen.append(dumps(remote))
        return RESTORING

    remote.answers["--collection"] = restore
    assert restore_embeddings(server, bundle) is True
    assert seen == [["manifest.json", f"{collection}.bson", f"{collection}.metadata.json"]]
    assert remote.called("restore") == [
        ["restore", "--check"],
        ["restore", "--collection", collection],
    ]
    assert list((remote.root / "dumps").iterdir()) == []
    out = capsys.readouterr().out
    assert "nanode: checking the dump\n" in out
    assert "nanode: restoring   75 %  3 of 4\n" in out
    assert remote.session.phases == ["prepare", "upload", "verify", "clean"]
    assert remote.session.end == {"result": "done", "reason": None}
    assert set(remote.session.notes["hashes"]) == {path.name for path in bundle.dump_files}


def test_restored_collection_is_not_sent_and_a_left_over_dump_is_removed(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    collection = bundle.manifest.embedding.collection
    (remote.root / "dumps" / collection).mkdir()
    remote.answers["--check"] = result(RESTORED)
    assert restore_embeddings(server, bundle) is False
    assert remote.sent == 0
    assert remote.called("restore") == [["restore", "--check"]]
    assert list((remote.root / "dumps").iterdir()) == []
    assert remote.session.end == {"result": "nothing", "reason": None}


def test_restored_words_are_compared_and_repaired_if_that_is_asked(
    server: Server, remote: LocalRemote, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    collection = bundle.manifest.embedding.collection
    remote.answers["--check"] = result(RESTORED)
    restore_embeddings(server, bundle, verify=True, dry_run=True)
    assert "and repair what differs" in capsys.readouterr().out
    assert remote.sent == 0
    assert restore_embeddings(server, bundle, verify=True) is True
    assert ["restore", "--collection", collection, "--verify"] in remote.called("restore")
    assert list((remote.root / "dumps").iterdir()) == []
    assert remote.session.end == {"result": "done", "reason": None}


def test_failed_restore_keeps_the_dump_for_the_next_run(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.answers["--collection"] = error("the disk is full", "disk")
    words = "the disk is full.*words that are there: make room with `fab prune`, then rerun"
    with pytest.raises(DeployError, match=words):
        restore_embeddings(server, bundle)
    sent = remote.sent
    assert sent > bundle.dump_files[1].stat().st_size
    with pytest.raises(DeployError, match="the disk is full"):
        restore_embeddings(server, bundle)
    assert remote.sent == sent


def test_no_dump_is_sent_if_the_database_is_down(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.answers["--check"] = result(AWAY)
    with pytest.raises(DeployError, match=r"does not answer.*: start the database with `ansible"):
        restore_embeddings(server, bundle)
    assert remote.sent == 0
    assert dumps(remote) == []


def test_a_next_step_that_toxctl_names_is_not_repeated(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.answers["--collection"] = error("MongoDB does not answer", "database")
    with pytest.raises(DeployError, match="there: start the database with `ansible-playbook"):
        restore_embeddings(server, bundle)
    remote.answers["--collection"] = error(f"no answer: {STEPS['database']}", "database")
    with pytest.raises(DeployError) as caught:
        restore_embeddings(server, bundle)
    assert str(caught.value).count("ansible-playbook") == 1
    remote.answers["--collection"] = error("bad dump", "other")
    with pytest.raises(DeployError, match="there: fix it, then rerun `fab restore-embeddings`"):
        restore_embeddings(server, bundle)


def test_space_for_dump_and_collection_is_required(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.free_bytes = 66_000 * 1024
    with pytest.raises(DeployError, match="is too full for"):
        restore_embeddings(server, bundle)
    assert remote.sent == 0
    assert dumps(remote) == []


def test_connection_that_is_lost_during_a_restore_is_reported(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.answers["--collection"] = GONE
    words = r"in phase verify of restore-embeddings .*the next run starts it again"
    with pytest.raises(DeployError, match=words):
        restore_embeddings(server, bundle)


def test_dry_run_changes_nothing(
    server: Server, remote: LocalRemote, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    name = bundle.manifest.embedding.collection
    restore_embeddings(server, bundle, dry_run=True)
    out = capsys.readouterr().out
    assert "nanode: c is not restored\n" in out
    assert f"upload: {name}.metadata.json (" in out
    assert "nothing to do" not in out
    remote.answers["--check"] = result(RESTORED)
    restore_embeddings(server, bundle, dry_run=True)
    out = capsys.readouterr().out
    assert f"nothing to do: {name} is already restored" in out
    assert "upload: " not in out
    assert dumps(remote) == []
    assert not remote.parts.exists()
    assert remote.sessions == []
    remote.answers["--check"] = result(AWAY)
    with pytest.raises(DeployError, match="MongoDB at x does not answer"):
        restore_embeddings(server, bundle, dry_run=True)
