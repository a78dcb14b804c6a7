"""The tasks against the real toxctl: session, lock, audit log, slots, releases and uploads."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_toxctl import VERIFIED, RealRemote, ServingBundles

from controller.deploy import predict
from controller.deploy.attempt import attempt
from controller.deploy.bundle import Bundle, load_bundle
from controller.deploy.errors import DeployError
from controller.deploy.server import Server
from controller.deploy.tasks.deploy_model import deploy_model
from controller.deploy.tasks.prune import prune
from controller.deploy.tasks.releases import releases
from controller.deploy.tasks.restore_embeddings import restore_embeddings
from controller.deploy.tasks.rollback import rollback
from controller.deploy.tasks.status import status
from controller.deploy.tasks.unlock import unlock
from controller.model_build.score_maps import set_maps
from tox_com_det.model.score_map import ScoreMap


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[ServingBundles]:
    made = ServingBundles(tmp_path / "server")
    made.answers("verify", f"echo '{json.dumps(VERIFIED)}'")
    made.answers("collections", "echo '{\"collections\": []}'")
    yield made
    made.close()


@pytest.fixture
def server(fake: ServingBundles) -> Server:
    return Server(RealRemote(fake))


@pytest.fixture
def bundle(built_bundle: Path) -> Bundle:
    return load_bundle(built_bundle)


@pytest.fixture
def second(built_bundle: Path, tmp_path: Path) -> Bundle:
    """The same model with a golden output less, which gets a release of its own."""
    directory = Path(shutil.copytree(built_bundle, tmp_path / "second"))
    manifest = json.loads((directory / "manifest.json").read_text())
    manifest["golden_outputs"]["cases"].pop()
    (directory / "manifest.json").write_text(json.dumps(manifest))
    return load_bundle(directory)


def attempts(server: Server) -> list[tuple[str, str]]:
    """Task and result of the audit log's entries, the oldest first."""
    history = server.toxctl("history").result()["attempts"]
    return [(one["task"], one["result"]) for one in reversed(history)]


def test_models_are_deployed_repeated_and_rolled_back(
    server: Server,
    fake: ServingBundles,
    bundle: Bundle,
    second: Bundle,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert deploy_model(server, bundle) is True
    assert fake.live_model() == bundle.version
    assert deploy_model(server, bundle) is False
    assert deploy_model(server, second) is True
    newer = fake.live_model()
    assert newer is not None
    assert newer.startswith(f"{bundle.version}-")
    assert rollback(server) is True
    assert fake.live_model() == bundle.version
    assert rollback(server, newer) is True
    assert fake.live_model() == newer
    assert attempts(server) == [
        ("deploy-model", "done"),
        ("deploy-model", "nothing"),
        ("deploy-model", "done"),
        ("rollback", "done"),
        ("rollback", "done"),
    ]
    assert server.toxctl("lock").result() == {"holder": None}

    monkeypatch.setattr(predict, "ask", lambda url, text, pin=None: predict.Scores("m", {}))
    capsys.readouterr()
    status(server)
    out = capsys.readouterr().out
    assert f"confirmed: model {newer} with app 1.0 since " in out
    assert f"previous: model {bundle.version} with app 1.0 (`fab rollback`)" in out
    assert "lock: free" in out
    assert "rollback" in out
    releases(server)
    rows = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in rows if "  model  " in line] == [newer, bundle.version]
    assert prune(server, keep=1, yes=True) is False


def test_score_maps_are_deployed_as_a_model_of_their_own(
    server: Server, fake: ServingBundles, bundle: Bundle, tmp_path: Path
) -> None:
    directory = Path(shutil.copytree(bundle.directory, tmp_path / "mapped"))
    set_maps(directory, {"TOXICITY": ScoreMap((0.0, 1.0), (0.0, 1.0))})
    mapped = load_bundle(directory)
    assert deploy_model(server, bundle) is True
    assert deploy_model(server, mapped) is True
    assert fake.live_model() == mapped.version != bundle.version
    assert rollback(server) is True
    assert fake.live_model() == bundle.version


def test_candidate_that_fails_after_the_switch_is_rolled_back(
    server: Server, fake: ServingBundles, bundle: Bundle, second: Bundle
) -> None:
    deploy_model(server, bundle)
    answer = fake.answer

    def failing(path: str, body: dict[str, object] | None) -> tuple[int, object]:
        if path.startswith("/live/") and fake.live() == "green":
            return 500, "boom"
        return answer(path, body)

    fake.answer = failing  # type: ignore[method-assign]  # what the candidate answers
    with pytest.raises(DeployError, match=r"after the switch: .*rolled back to the previous rele"):
        deploy_model(server, second)
    assert fake.live_model() == bundle.version
    assert fake.running() == ["blue"]
    assert attempts(server)[-1] == ("deploy-model", "failed")


def test_model_that_fails_its_verification_leaves_nothing(
    server: Server, fake: ServingBundles, bundle: Bundle
) -> None:
    refusal = {"error": "golden output differs", "kind": "answers"}
    fake.answers("verify", f"echo '{json.dumps(refusal)}'; exit 1")
    with pytest.raises(DeployError, match=r"golden output differs.*removed from the server"):
        deploy_model(server, bundle)
    assert list((fake.root / "models").iterdir()) == []
    assert fake.live() is None


def test_deploy_lock_of_another_laptop_is_respected_and_can_be_released(
    server: Server, fake: ServingBundles, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    def hold_the_lock() -> None:
        with attempt(Server(RealRemote(fake)), "deploy-app", "v") as held:
            # The session answers before it takes the first phase.
            end = time.monotonic() + 300
            while not server.toxctl("lock").result()["holder"]["phase"]:
                assert time.monotonic() < end
            words = r"is locked by .* with deploy-app since .* phase prepare"
            with pytest.raises(DeployError, match=words):
                deploy_model(server, bundle)
            assert unlock(server) is True
            # The session releases the lock a moment before its process has ended.
            end = time.monotonic() + 300
            while not held.session.process.ended() and time.monotonic() < end:
                time.sleep(0.01)
            held.enter("upload")

    with pytest.raises(DeployError, match="deploy lock on nanode was released by `fab unlock`"):
        hold_the_lock()
    assert "unlocked, it was held by" in capsys.readouterr().out
    assert attempts(server) == [("deploy-app", "unlocked")]
    assert deploy_model(server, bundle) is True


def test_word_vectors_are_uploaded_restored_and_cleaned_up(
    server: Server, fake: ServingBundles, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    restored = fake.root / "restored"
    fake.answers(
        "restore",
        f'case "$*" in *--check-only*) [ -e {restored} ] && exit 0; '
        "echo 'restore: w.c is not restored: run `fab restore-embeddings`' >&2; exit 1 ;; "
        f"esac; echo 'restoring   50 %  2 of 4 words  1.0 MB/s'; ls -R \"$6\"; touch {restored}",
    )
    assert restore_embeddings(server, bundle) is True
    out = capsys.readouterr().out
    assert "nanode: restoring   50 %  2 of 4\n" in out
    assert f"{bundle.manifest.embedding.collection}.bson" in out
    assert list((fake.root / "dumps").iterdir()) == []
    assert restore_embeddings(server, bundle) is False
    assert attempts(server) == [("restore-embeddings", "done"), ("restore-embeddings", "nothing")]
