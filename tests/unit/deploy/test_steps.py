"""What the tasks do on a server, and in which order."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from local_remote import LocalRemote

from deploy import steps
from deploy.bundle import Bundle, load_bundle
from deploy.connection import Done
from deploy.errors import DeployError
from deploy.server import ServerConfig

GOOD = Done("", "", 0)


@pytest.fixture
def bundle(built_bundle: Path) -> Bundle:
    return load_bundle(built_bundle)


@pytest.fixture
def server(remote: LocalRemote) -> steps.Server:
    return steps.Server(remote)


def model_dir(remote: LocalRemote, bundle: Bundle) -> Path:
    return remote.root / "models" / bundle.version


def test_model_is_complete_before_it_is_activated(
    server: steps.Server, remote: LocalRemote, bundle: Bundle
) -> None:
    seen: list[list[str]] = []

    def activate() -> Done:
        seen.append(sorted(path.name for path in model_dir(remote, bundle).iterdir()))
        return GOOD

    remote.answers = {"--check-only": GOOD, "activate": activate}
    steps.deploy_model(server, bundle)
    assert seen == [[".complete", "head.onnx", "manifest.json"]]
    call = remote.called("activate")[0]
    assert call[0] == "root"
    assert call[1:] == [
        "/usr/bin/python3.11",
        "/opt/tox_com_det/bin/slotctl",
        "activate",
        "--model",
        str(model_dir(remote, bundle)),
    ]


def test_without_its_word_vectors_a_model_is_not_activated(
    server: steps.Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.answers = {"--check-only": Done("", "restore: no marker\n", 1)}
    with pytest.raises(DeployError, match=r"\(no marker\): type `fab restore-embeddings`"):
        steps.deploy_model(server, bundle)
    assert not remote.called("activate")
    assert not (model_dir(remote, bundle) / ".complete").exists()
    assert remote.called("--check-only")[0][0] == "tox_com_det"


def test_same_model_again_sends_nothing(
    server: steps.Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.answers = {"--check-only": GOOD, "activate": GOOD}
    steps.deploy_model(server, bundle)
    sent = remote.sent
    steps.deploy_model(server, bundle)
    assert remote.sent == sent


def test_same_model_with_another_manifest_leaves_the_release_that_may_be_live_alone(
    server: steps.Server, remote: LocalRemote, bundle: Bundle, tmp_path: Path
) -> None:
    remote.answers = {"--check-only": GOOD, "activate": GOOD}
    steps.deploy_model(server, bundle)
    before = (model_dir(remote, bundle) / "manifest.json").read_bytes()
    data = json.loads(before)
    data["known_answers"]["cases"].pop()
    other = Path(shutil.copytree(bundle.directory, tmp_path / "other"))
    (other / "manifest.json").write_text(json.dumps(data))
    second = load_bundle(other)
    assert second.version == bundle.version
    steps.deploy_model(server, second)
    assert (model_dir(remote, bundle) / "manifest.json").read_bytes() == before
    activated = Path(remote.called("activate")[-1][-1])
    assert activated.name.startswith(f"{bundle.version}-")
    assert (activated / "manifest.json").read_bytes() == (other / "manifest.json").read_bytes()
    assert (activated / ".complete").exists()


def test_model_that_fails_its_gate_is_an_error(
    server: steps.Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.answers = {"--check-only": GOOD, "activate": Done("", "slotctl: not activated", 1)}
    with pytest.raises(DeployError, match="was not put into service on nanode"):
        steps.deploy_model(server, bundle)


def test_dump_is_restored_as_the_services_user_and_removed(
    server: steps.Server, remote: LocalRemote, bundle: Bundle
) -> None:
    collection = bundle.manifest.embedding.collection
    there: list[list[str]] = []

    def restore() -> Done:
        there.append(sorted(path.name for path in (remote.root / "dumps").rglob("*.*")))
        return GOOD

    remote.answers = {"--check-only": Done("", "restore: not there", 1), "--dump": restore}
    assert steps.restore_embeddings(server, bundle) is True
    assert there == [["manifest.json", f"{collection}.bson", f"{collection}.metadata.json"]]
    call = remote.called("--dump")[0]
    assert call[0] == "tox_com_det"
    assert call[-1] == str(remote.root / "dumps" / collection)
    assert list((remote.root / "dumps").iterdir()) == []


def test_what_is_restored_already_is_not_sent(
    server: steps.Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.answers = {"--check-only": GOOD}
    assert steps.restore_embeddings(server, bundle) is False
    assert remote.sent == bundle.model_files[0].stat().st_size
    assert not remote.called("--dump")
    assert list((remote.root / "dumps").iterdir()) == []


def test_failed_restore_keeps_the_dump_for_the_next_try(
    server: steps.Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.answers = {
        "--check-only": Done("", "restore: not there", 1),
        "--dump": Done("", "restore: disk full\n", 1),
    }
    with pytest.raises(DeployError, match=r"disk full.*type the same again"):
        steps.restore_embeddings(server, bundle)
    sent = remote.sent
    with pytest.raises(DeployError, match="disk full"):
        steps.restore_embeddings(server, bundle)
    assert remote.sent == sent


def test_no_dump_is_sent_to_a_database_that_is_away(
    server: steps.Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.answers = {"--check-only": Done("", "restore: MongoDB at x does not answer: see y", 1)}
    with pytest.raises(DeployError, match="does not answer"):
        steps.restore_embeddings(server, bundle)
    assert list((remote.root / "dumps").rglob("*.bson")) == []


def test_machine_that_is_not_set_up_names_the_playbook(remote: LocalRemote) -> None:
    remote.run = lambda command: Done("", "No such file", 1)  # type: ignore[method-assign]
    with pytest.raises(DeployError, match=r"type `ansible-playbook site.yml`"):
        steps.Server(remote)


def test_no_live_model_names_the_task(server: steps.Server, remote: LocalRemote) -> None:
    remote.answers = {"status": Done(json.dumps({"live": None, "slots": {}}), "", 0)}
    with pytest.raises(DeployError, match="no model is live on nanode: type `fab deploy-model`"):
        steps.live_manifest(server)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"surprise": 1}, "an unknown surprise"),
        ({"user": None}, "user is None"),
        ({"http_port": "80"}, "http_port is '80'"),
        ({"format": 2}, "not in format 1"),
    ],
)
def test_server_json_of_another_form_is_refused(
    remote: LocalRemote, change: dict, words: str
) -> None:
    text = json.dumps({**remote.server_json, **change})
    with pytest.raises(DeployError, match=words):
        ServerConfig.parse(text, "nanode")


def test_missing_key_of_server_json_is_named(remote: LocalRemote) -> None:
    del remote.server_json["env_file"]
    with pytest.raises(DeployError, match="no env_file"):
        ServerConfig.parse(json.dumps(remote.server_json), "nanode")


@pytest.mark.parametrize(
    ("public", "port", "address", "url"),
    [
        (None, 80, "192.0.2.1", "http://192.0.2.1"),
        (None, 8080, "2001:db8::1", "http://[2001:db8::1]:8080"),
        ("https://tox.example/", 80, "192.0.2.1", "https://tox.example"),
    ],
)
def test_url_is_the_public_one_where_there_is_one(
    remote: LocalRemote, public: str | None, port: int, address: str, url: str
) -> None:
    remote.server_json.update(public_url=public, http_port=port)
    assert remote.config.url(address) == url


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("1073741824 300000000\n", "300.0 MB used (with files cached) of 1073.7 MB"),
        ("9223372036854771712 1\n", "1024.0 MB available of 2048.0 MB"),
        ("max 1\n", "1024.0 MB available of 2048.0 MB"),
        ("", "1024.0 MB available of 2048.0 MB"),
    ],
)
def test_memory_of_a_container_is_its_limit(limit: str, words: str) -> None:
    meminfo = "MemTotal:       2000000 kB\nMemAvailable:   1000000 kB\n"
    assert steps.memory_words(f"{limit}--\n{meminfo}") == words
