"""fab deploy-model: what it does on a server, in which order, and what every failure leaves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import toxctl_answers as good
from local_remote import GONE, LocalRemote, error, lines, result, went_well

from controller.deploy.attempt import Interrupted
from controller.deploy.bundle import Bundle, load_bundle, sha256_of
from controller.deploy.errors import DeployError
from controller.deploy.remote import Done
from controller.deploy.server import Server
from controller.deploy.tasks.deploy_model import deploy_model


@pytest.fixture
def bundle(built_bundle: Path) -> Bundle:
    return load_bundle(built_bundle)


@pytest.fixture
def server(remote: LocalRemote, bundle: Bundle) -> Server:
    """A server on which another model is live, and whose toxctl answers as if all goes well."""
    remote.confirm(good.confirmed())
    went_well(remote, str(model_dir(remote, bundle)))
    remote.answers["verify"] = lambda: verified(remote)
    server = Server(remote)
    remote.calls.clear()
    return server


def model_dir(remote: LocalRemote, bundle: Bundle) -> Path:
    return remote.root / "models" / bundle.version


def verified(remote: LocalRemote) -> Done:
    """What a verification that passes does: it marks the model as complete."""
    call = remote.called("verify")[-1]
    if "--complete" in call:
        (Path(call[call.index("--model") + 1]) / ".complete").touch()
    return result(good.VERIFIED)


def make_live(remote: LocalRemote, bundle: Bundle) -> None:
    """Let the bundle's model, which was uploaded, be live."""
    directory = str(model_dir(remote, bundle))
    remote.confirm(good.confirmed(directory))
    remote.answers["activate"] = lines(*good.activated(directory, changed=False))


def verbs(remote: LocalRemote) -> list[str]:
    """The verbs of toxctl that were called, in order."""
    return [call[0] for call in remote.calls]


def test_phases_come_in_order_and_the_audit_log_gets_the_outcome(
    server: Server, remote: LocalRemote, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deploy_model(server, bundle) is True
    phases = ["prepare", "upload", "verify", "activate", "confirm", "clean"]
    assert remote.session.phases == phases
    out = capsys.readouterr().out.splitlines()
    assert [line for line in out if line.split()[-1] in phases] == [
        f"nanode: {phase}" for phase in phases
    ]
    assert "nanode: 12 golden outputs match" in "\n".join(out)
    assert out[-1].startswith(f"nanode: model {bundle.version} is live (")
    assert remote.session.end == {"result": "done", "reason": None}
    directory = str(model_dir(remote, bundle))
    assert remote.session.notes == {
        "from": {"app": good.APP, "model": good.OLD},
        "to": {"app": good.APP, "model": directory},
        "hashes": {path.name: sha256_of(path) for path in bundle.model_files},
    }
    assert remote.session.heard[0]["task"] == "deploy-model"
    assert "@" in remote.session.heard[0]["who"]


def test_model_is_verified_before_it_is_complete_and_complete_before_the_switch(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    seen: dict[str, list[str]] = {}

    def listing(verb: str, answer: Callable[[], Done]) -> Callable[[], Done]:
        def run() -> Done:
            seen[verb] = sorted(path.name for path in model_dir(remote, bundle).iterdir())
            return answer()

        return run

    activated = lines(*good.activated(str(model_dir(remote, bundle))))
    remote.answers["verify"] = listing("verify", lambda: verified(remote))
    remote.answers["activate"] = listing("activate", lambda: activated)
    deploy_model(server, bundle)
    assert seen == {
        "verify": ["head.onnx", "manifest.json"],
        "activate": [".complete", "head.onnx", "manifest.json"],
    }
    assert verbs(remote) == ["session", "place", "place", "verify", "activate", "prune"]
    assert remote.called("place")[0] == ["place", "--plan"]
    assert remote.called("prune") == [["prune", "--auto", "--session", remote.session.id_]]
    assert list(remote.parts.iterdir()) == []


def test_model_that_is_already_live_is_neither_sent_nor_verified(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    deploy_model(server, bundle)
    sent = remote.sent
    make_live(remote, bundle)
    remote.calls.clear()
    assert deploy_model(server, bundle) is False
    assert remote.sent == sent
    assert verbs(remote) == ["session", "place", "activate"]
    assert remote.session.end == {"result": "nothing", "reason": None}


def test_complete_model_that_is_not_live_is_verified_and_not_sent(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    deploy_model(server, bundle)
    sent = remote.sent
    assert deploy_model(server, bundle) is True
    assert remote.sent == sent
    assert verbs(remote).count("verify") == 2


def test_same_model_with_another_manifest_gets_a_release_of_its_own(
    server: Server, remote: LocalRemote, bundle: Bundle, tmp_path: Path
) -> None:
    deploy_model(server, bundle)
    make_live(remote, bundle)
    before = (model_dir(remote, bundle) / "manifest.json").read_bytes()
    data = json.loads(before)
    data["golden_outputs"]["cases"].pop()
    other = Path(shutil.copytree(bundle.directory, tmp_path / "other"))
    (other / "manifest.json").write_text(json.dumps(data))
    second = load_bundle(other)
    assert second.version == bundle.version
    deploy_model(server, second)
    assert (model_dir(remote, bundle) / "manifest.json").read_bytes() == before
    activated = Path(remote.called("activate")[-1][-1])
    assert activated.name.startswith(f"{bundle.version}-")
    assert (activated / "manifest.json").read_bytes() == (other / "manifest.json").read_bytes()
    assert (activated / ".complete").exists()


@pytest.mark.parametrize(
    ("kind", "discarded", "words"),
    [
        (
            "answers",
            True,
            "it was removed from the server, the previous release stays live: build it again",
        ),
        ("head", True, "fab build-model"),
        ("manifest", True, "run `fab deploy-app`.*, then rerun `fab deploy-model`"),
        ("hash", True, "it was removed from the server.*: rerun `fab deploy-model`$"),
        ("memory", True, "see `fab status` for what uses the memory"),
        ("collection", False, "run `fab restore-embeddings`$"),
        ("database", False, "start the database with `ansible-playbook site.yml --tags mongodb`"),
        ("disk", False, "make room with `fab prune`, then rerun the command"),
        ("systemd", False, "run `ansible-playbook site.yml --tags flask_app`, then rerun"),
        ("other", False, "see `fab status`, then rerun `fab deploy-model`"),
    ],
)
def test_release_that_fails_its_verification_is_never_activated_and_a_bad_one_is_removed(
    server: Server, remote: LocalRemote, bundle: Bundle, kind: str, discarded: bool, words: str
) -> None:
    remote.answers["verify"] = lines(
        {"error": "it is unusable", "kind": kind, "details": {"why": 1}}, code=1
    )
    with pytest.raises(DeployError, match=rf"\(it is unusable\).*{words}") as caught:
        deploy_model(server, bundle)
    assert '"why": 1' in caught.value.details
    assert model_dir(remote, bundle).exists() is not discarded
    assert not remote.called("activate")
    assert remote.session.end is not None
    assert remote.session.end["result"] == "failed"
    assert "it is unusable" in remote.session.end["reason"]


@pytest.mark.parametrize("kind", ["manifest", "head"])
def test_first_deploy_with_an_older_app_leads_to_a_command_that_needs_no_live_model(
    remote: LocalRemote, bundle: Bundle, kind: str
) -> None:
    """`fab deploy-app` would lead back here."""
    went_well(remote, str(model_dir(remote, bundle)))
    remote.answers["verify"] = error("unknown key", kind)
    with pytest.raises(DeployError) as caught:
        deploy_model(Server(remote), bundle)
    words = str(caught.value)
    assert "run `ansible-playbook site.yml --tags flask_app`, whose app" in words
    assert "fab deploy-app" not in words
    assert "; it was removed from the server, nothing is live, as before: run" in words


@pytest.mark.parametrize("answer", [{}, {"serving": False}])
def test_first_switch_that_fails_does_not_speak_of_a_release_before(
    remote: LocalRemote, bundle: Bundle, answer: dict[str, bool]
) -> None:
    went_well(remote, str(model_dir(remote, bundle)))
    remote.answers["verify"] = lambda: verified(remote)
    remote.answers["activate"] = lines({"error": "not activated: no", **answer}, code=1)
    with pytest.raises(DeployError, match=r"not activated: no; nothing is live, as before$"):
        deploy_model(Server(remote), bundle)


def test_bad_release_that_cannot_be_removed_is_reported_with_both_reasons(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.answers["verify"] = error("bad head", "head")
    remote.answers["discard"] = error("the disk is read-only")
    words = r"\(bad head\); it could not be removed from the server \(the disk is read-only\), the"
    with pytest.raises(DeployError, match=words):
        deploy_model(server, bundle)


@pytest.mark.parametrize("option", ["", " --verify"])
def test_command_that_toxctl_names_is_not_repeated(
    server: Server, remote: LocalRemote, bundle: Bundle, option: str
) -> None:
    words = f"c is not restored: run `fab restore-embeddings{option}`"
    remote.answers["verify"] = error(words, "collection")
    with pytest.raises(DeployError) as caught:
        deploy_model(server, bundle)
    assert str(caught.value).count("fab restore-embeddings") == 1


def test_complete_release_that_fails_later_stays_on_the_server(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    deploy_model(server, bundle)
    remote.answers["verify"] = error("no", "answers")
    with pytest.raises(DeployError, match=r"\(no\); the previous release stays live: build it"):
        deploy_model(server, bundle)
    assert not remote.called("discard")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.42, "rolled back to the previous release after 0.4 s"),
        (None, "the previous release stayed live"),
    ],
)
def test_failed_switch_says_why_and_how_fast_the_rollback_was(
    server: Server, remote: LocalRemote, bundle: Bundle, seconds: float | None, words: str
) -> None:
    details = "probe: 500\nlast 50 journal lines:\nboom"
    failure = {"error": "not activated: it crashed", "details": details, "back_seconds": seconds}
    remote.answers["activate"] = lines({"phase": "confirm"}, failure, code=1)
    with pytest.raises(DeployError, match=f"it crashed; {words}") as caught:
        deploy_model(server, bundle)
    assert caught.value.details == details
    assert remote.session.phases[-1] == "confirm"
    assert not remote.called("prune")


def test_removed_releases_are_one_line_and_a_failure_to_remove_them_is_a_warning(
    server: Server, remote: LocalRemote, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = [{"kind": "model", "name": name, "bytes": 1, "why": "old"} for name in ("a", "b")]
    remote.answers["prune"] = result({**good.NOTHING_PRUNED, "remove": gone})
    deploy_model(server, bundle)
    assert "nanode: removed model a, model b\n" in capsys.readouterr().out
    remote.answers["prune"] = error("the disk failed")
    assert deploy_model(server, bundle) is True
    assert "warning: nothing was cleaned up (the disk failed)" in capsys.readouterr().out
    assert remote.session.end == {"result": "done", "reason": None}


def test_full_disk_is_reported_before_anything_is_sent(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.free_bytes = 65_000 * 1024
    with pytest.raises(DeployError, match=r"is too full for the model: .*fab prune"):
        deploy_model(server, bundle)
    assert remote.sent == 0
    assert remote.session.phases == ["prepare"]


@pytest.mark.parametrize(
    ("where", "phase", "words"),
    [
        ("--plan", "prepare", "nothing was changed on the server"),
        (
            "verify",
            "verify",
            "switches nothing: see `fab status`, then rerun `fab deploy-model`",
        ),
        ("activate", "activate", "completes the switch.*`fab rollback --release old` returns"),
        ("prune", "clean", "the change itself is complete"),
    ],
)
def test_lost_connection_and_interrupt_say_what_continues_in_each_phase(
    server: Server, remote: LocalRemote, bundle: Bundle, where: str, phase: str, words: str
) -> None:
    remote.answers[where] = GONE
    with pytest.raises(DeployError, match=f"was lost in phase {phase} of .*{words}") as caught:
        deploy_model(server, bundle)
    assert "\n" not in str(caught.value)
    assert remote.session.end is None  # the server writes it
    assert remote.session.closed

    def interrupt() -> Done:
        raise KeyboardInterrupt

    remote.answers[where] = interrupt
    holder = {"who": "anna", "pid": 7, "since": "noon"}
    report = remote.status(confirmed=good.confirmed(), activation=holder)
    remote.answers["status"] = result(report)
    with pytest.raises(Interrupted, match=f"interrupted in phase {phase} of .*{words}"):
        deploy_model(server, bundle)
    if phase == "activate":
        assert remote.session.end is None  # the server waits for the switch, then writes it
    else:
        assert remote.session.end is not None
        assert remote.session.end["result"] == "interrupted"
    assert remote.session.closed


def test_interrupted_upload_fails_the_attempt_and_the_next_one_resumes(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.cut_after = 1000
    with pytest.raises(DeployError, match="rerun the command, it resumes from there"):
        deploy_model(server, bundle)
    assert remote.session.end is not None
    assert remote.session.end["result"] == "failed"
    remote.cut_after = None
    assert deploy_model(server, bundle) is True
    total = sum(path.stat().st_size for path in bundle.model_files)
    assert remote.sent == total - 1000


def test_toxctl_that_is_killed_is_one_line_and_ends_the_audit_log_entry(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.answers["verify"] = Done("Killed\n", "", 137)
    with pytest.raises(DeployError, match=r"toxctl on nanode ended with exit code 137.*\(Killed\)"):
        deploy_model(server, bundle)
    assert remote.session.end is not None
    assert remote.session.end["result"] == "failed"


def test_dry_run_changes_nothing_and_reports_every_step(
    server: Server, remote: LocalRemote, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(remote.root.rglob("*"))
    deploy_model(server, bundle, dry_run=True)
    out = capsys.readouterr().out
    created = set(remote.root.rglob("*")) - set(before)
    assert created == {remote.root / "server.json"}  # of LocalRemote itself
    assert remote.sessions == []
    assert remote.calls == [["place", "--plan", "--dry-run"]]
    for words in (
        "dry run of deploy-model: nothing is changed",
        f"upload into {model_dir(remote, bundle)}: manifest.json (",
        "head.onnx (",
        f"{bundle.manifest.embedding.count} words in word_embeddings.",
        f"from model old with app 1.0-aaa to model {bundle.version}, the app stays",
        "newest 5 models and apps",
    ):
        assert words in out
    deploy_model(server, bundle)
    deploy_model(server, bundle, dry_run=True)
    out = capsys.readouterr().out.split("dry run")[-1]
    assert "head.onnx (" in out
    assert out.count("already uploaded") == 2
    make_live(remote, bundle)
    deploy_model(server, bundle, dry_run=True)
    assert "is already live, with the same hashes" in capsys.readouterr().out


def test_dry_run_names_the_holder_of_the_deploy_lock(
    server: Server, remote: LocalRemote, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    held = {"who": "anna@home", "task": "prune", "since": "now", "silent": 1}
    remote.answers["status"] = result(remote.status(lock=held))
    deploy_model(Server(remote), bundle, dry_run=True)
    out = capsys.readouterr().out
    assert "it could not begin now: locked by anna@home with prune" in out


def test_dry_run_lists_the_hooks(
    server: Server,
    remote: LocalRemote,
    bundle: Bundle,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for name in ("after-clean", "before-upload"):
        (hooks / name).touch(0o755)
    remote.host = replace(remote.host, hooks_dir=hooks)
    deploy_model(server, bundle, dry_run=True)
    assert f"hooks in {hooks}: before-upload, after-clean\n" in capsys.readouterr().out


def test_dry_run_reports_what_an_interrupted_upload_left(
    server: Server, remote: LocalRemote, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.parts.mkdir()
    head = bundle.model_files[1]
    (remote.parts / f"{sha256_of(head)}.part").write_bytes(head.read_bytes()[:2000])
    deploy_model(server, bundle, dry_run=True)
    assert "2.0 kB of it already uploaded" in capsys.readouterr().out
