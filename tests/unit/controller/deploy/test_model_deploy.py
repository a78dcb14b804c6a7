"""fab deploy-model: what it does on a server, in which order, and what every failure leaves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import tools_answers as good
from local_remote import GONE, LocalRemote, lines

from controller.deploy import model_deploy
from controller.deploy.attempt import Interrupted
from controller.deploy.bundle import Bundle, load_bundle, sha256_of
from controller.deploy.connection import Done
from controller.deploy.errors import DeployError
from controller.deploy.servers import Server


@pytest.fixture
def bundle(built_bundle: Path) -> Bundle:
    return load_bundle(built_bundle)


@pytest.fixture
def server(remote: LocalRemote, bundle: Bundle) -> Server:
    """A server whose tools answer as in a deploy that goes well."""
    good.well(remote, str(model_dir(remote, bundle)), good.releases(confirmed=good.confirmed()))
    return Server(remote)


def model_dir(remote: LocalRemote, bundle: Bundle) -> Path:
    return remote.root / "models" / bundle.version


def make_live(remote: LocalRemote, bundle: Bundle) -> None:
    """Let the server say that the bundle's model, which was sent, is what is live."""
    directory = str(model_dir(remote, bundle))
    remote.answers["status"] = good.slots(good.confirmed(directory))
    remote.answers["activate"] = good.activated(directory, changed=False)


def tool_calls(remote: LocalRemote) -> list[str]:
    """The commands of the server's tools, in order."""
    calls = [call for call in remote.calls if len(call) > 3 and call[2].endswith("ctl")]
    return [call[3] for call in calls]


def test_phases_come_in_order_and_the_audit_has_what_came_of_it(
    server: Server, remote: LocalRemote, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert model_deploy.deploy_model(server, bundle) is True
    phases = ["prepare", "upload", "verify", "activate", "confirm", "clean"]
    assert remote.session.phases == phases
    out = capsys.readouterr().out.splitlines()
    assert [line for line in out if line.split()[-1] in phases] == [
        f"nanode: {phase}" for phase in phases
    ]
    assert "nanode: 12 known answers come out" in "\n".join(out)
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

    def look(name: str, answer: Done):
        def run() -> Done:
            seen[name] = sorted(path.name for path in model_dir(remote, bundle).iterdir())
            return answer

        return run

    for name in ("verify", "activate"):
        remote.answers[name] = look(name, remote.answers[name])
    model_deploy.deploy_model(server, bundle)
    assert seen == {
        "verify": ["head.onnx", "manifest.json"],
        "activate": [".complete", "head.onnx", "manifest.json"],
    }
    assert tool_calls(remote) == ["session", "status", "verify", "activate", "prune"]
    prune = remote.called("prune")[0]
    assert prune[-2:] == ["--session", remote.session.id_]


def test_model_that_is_live_already_is_neither_sent_nor_verified(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    model_deploy.deploy_model(server, bundle)
    sent = remote.sent
    make_live(remote, bundle)
    remote.calls.clear()
    assert model_deploy.deploy_model(server, bundle) is False
    assert remote.sent == sent
    assert tool_calls(remote) == ["session", "status", "activate"]
    assert len(remote.calls) == 4
    assert remote.session.end == {"result": "nothing", "reason": None}


def test_complete_model_that_is_not_live_is_verified_and_not_sent(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    model_deploy.deploy_model(server, bundle)
    sent = remote.sent
    assert model_deploy.deploy_model(server, bundle) is True
    assert remote.sent == sent
    assert tool_calls(remote).count("verify") == 2


def test_same_model_with_another_manifest_leaves_the_release_that_may_be_live_alone(
    server: Server, remote: LocalRemote, bundle: Bundle, tmp_path: Path
) -> None:
    model_deploy.deploy_model(server, bundle)
    make_live(remote, bundle)
    before = (model_dir(remote, bundle) / "manifest.json").read_bytes()
    data = json.loads(before)
    data["golden_outputs"]["cases"].pop()
    other = Path(shutil.copytree(bundle.directory, tmp_path / "other"))
    (other / "manifest.json").write_text(json.dumps(data))
    second = load_bundle(other)
    assert second.version == bundle.version
    model_deploy.deploy_model(server, second)
    assert (model_dir(remote, bundle) / "manifest.json").read_bytes() == before
    activated = Path(remote.called("activate")[-1][-2])
    assert activated.name.startswith(f"{bundle.version}-")
    assert (activated / "manifest.json").read_bytes() == (other / "manifest.json").read_bytes()
    assert (activated / ".complete").exists()


@pytest.mark.parametrize(
    ("kind", "discarded", "words"),
    [
        ("answers", True, "it was removed there, what served before serves on: build it again"),
        ("head", True, "fab build-model"),
        ("hash", True, "it was removed there.*: type `fab deploy-model` again$"),
        ("memory", True, "see `fab status` for what uses the memory"),
        ("collection", False, "type `fab restore-embeddings`$"),
        ("database", False, "see `fab status`, then type `fab deploy-model` again"),
    ],
)
def test_release_that_is_refused_is_never_switched_to_and_a_bad_one_is_removed(
    server: Server, remote: LocalRemote, bundle: Bundle, kind: str, discarded: bool, words: str
) -> None:
    refusal = {"error": "it will not do", "kind": kind, "details": {"why": 1}}
    remote.answers["verify"] = lines(refusal, code=1)
    remote.answers["discard"] = lines({"result": {}})
    with pytest.raises(DeployError, match=rf"\(it will not do\).*{words}") as caught:
        model_deploy.deploy_model(server, bundle)
    assert '"why": 1' in caught.value.details
    assert bool(remote.called("discard")) is discarded
    assert not remote.called("activate")
    assert not (model_dir(remote, bundle) / ".complete").exists()
    assert remote.session.end["result"] == "failed"
    assert "it will not do" in remote.session.end["reason"]


def test_command_that_the_server_names_is_not_said_twice(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    words = "c is not restored: run `fab restore-embeddings`"
    remote.answers["verify"] = lines({"error": words, "kind": "collection"}, code=1)
    with pytest.raises(DeployError) as caught:
        model_deploy.deploy_model(server, bundle)
    assert str(caught.value).count("fab restore-embeddings") == 1


def test_complete_release_that_is_refused_later_stays(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    model_deploy.deploy_model(server, bundle)
    remote.answers["verify"] = lines({"error": "no", "kind": "answers"}, code=1)
    with pytest.raises(DeployError, match=r"\(no\); what served before serves on: build it again"):
        model_deploy.deploy_model(server, bundle)
    assert not remote.called("discard")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.42, "the old version was back after 0.4 s"), (None, "the old version served all the time")],
)
def test_failed_switch_says_why_and_how_fast_the_old_one_was_back(
    server: Server, remote: LocalRemote, bundle: Bundle, seconds: float | None, words: str
) -> None:
    details = "probe: 500\nlast 50 journal lines:\nboom"
    error = {"error": "not activated: it crashed", "details": details, "back_seconds": seconds}
    remote.answers["activate"] = lines({"phase": "confirm"}, error, code=1)
    with pytest.raises(DeployError, match=f"it crashed; {words}") as caught:
        model_deploy.deploy_model(server, bundle)
    assert caught.value.details == details
    assert remote.session.phases[-1] == "confirm"
    assert not remote.called("prune")


def test_what_was_removed_is_one_line_and_a_failure_there_fails_nothing(
    server: Server, remote: LocalRemote, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = [{"kind": "model", "name": name, "bytes": 1, "why": "old"} for name in ("a", "b")]
    remote.answers["prune"] = lines({"result": {**good.NOTHING_PRUNED, "remove": gone}})
    model_deploy.deploy_model(server, bundle)
    assert "nanode: removed model a, model b\n" in capsys.readouterr().out
    remote.answers["prune"] = lines({"error": "the disk is on fire", "kind": "other"}, code=1)
    assert model_deploy.deploy_model(server, bundle) is True
    assert "warning: nothing was cleaned up (the disk is on fire)" in capsys.readouterr().out
    assert remote.session.end["result"] == "done"


def test_disk_without_room_is_told_before_anything_is_sent(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.free_kib = 65_000
    with pytest.raises(DeployError, match=r"is too full for the model: .*fab prune"):
        model_deploy.deploy_model(server, bundle)
    assert remote.sent == 0
    assert remote.session.phases == ["prepare"]


@pytest.mark.parametrize(
    ("where", "phase", "words"),
    [
        ("status", "prepare", "nothing was changed there"),
        ("verify", "verify", "switches nothing: see `fab status`, then type `fab deploy-model` ag"),
        ("activate", "activate", "goes on to its end by itself.*`fab rollback` brings back"),
        ("prune", "clean", "the change itself is done"),
    ],
)
def test_lost_connection_and_interrupt_say_what_goes_on_in_each_phase(
    server: Server, remote: LocalRemote, bundle: Bundle, where: str, phase: str, words: str
) -> None:
    remote.answers[where] = GONE
    with pytest.raises(DeployError, match=f"broke off in phase {phase} of .*{words}") as caught:
        model_deploy.deploy_model(server, bundle)
    assert "\n" not in str(caught.value)
    assert remote.session.end is None  # the server writes it
    assert remote.session.closed

    def interrupt() -> Done:
        raise KeyboardInterrupt

    remote.answers[where] = interrupt
    with pytest.raises(Interrupted, match=f"interrupted in phase {phase} of .*{words}"):
        model_deploy.deploy_model(server, bundle)
    if phase == "activate":
        assert remote.session.end is None  # the server waits for the switch, then writes it
    else:
        assert remote.session.end["result"] == "interrupted"
    assert remote.session.closed


def test_cut_upload_fails_the_attempt_and_the_next_one_goes_on(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.cut_after = 1000
    with pytest.raises(DeployError, match="type the same again, it goes on from there"):
        model_deploy.deploy_model(server, bundle)
    assert remote.session.end["result"] == "failed"
    remote.cut_after = None
    assert model_deploy.deploy_model(server, bundle) is True


def test_nonsense_of_a_tool_is_one_line_and_ends_the_audit(
    server: Server, remote: LocalRemote, bundle: Bundle
) -> None:
    remote.answers["verify"] = Done("Killed\n", "", 137)
    with pytest.raises(DeployError, match=r"releasectl on nanode ended with code 137.*\(Killed\)"):
        model_deploy.deploy_model(server, bundle)
    assert remote.session.end["result"] == "failed"


def test_dry_run_writes_nothing_and_says_all_of_it(
    server: Server, remote: LocalRemote, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    held = {"who": "anna@home", "task": "prune", "since": "now", "silent": 1}
    remote.answers["lock"] = lines({"result": {"holder": held}})
    before = sorted(remote.root.rglob("*"))
    model_deploy.dry_run(server, bundle)
    out = capsys.readouterr().out
    assert sorted(remote.root.rglob("*")) == before
    assert remote.sessions == []
    assert tool_calls(remote) == ["lock", "status"]
    for words in (
        "it would not begin now: locked by anna@home with prune",
        "upload into",
        "head.onnx (",
        f"{bundle.manifest.embedding.count} words in word_embeddings.",
        f"from model old with app 1.0-aaa to model {bundle.version}, the app stays",
        "newest 5 models and apps",
    ):
        assert words in out
    model_deploy.deploy_model(server, bundle)
    model_deploy.dry_run(server, bundle)
    assert "head.onnx (" in capsys.readouterr().out.split("dry run")[-1]
    make_live(remote, bundle)
    model_deploy.dry_run(server, bundle)
    assert "is live already, with the same hashes" in capsys.readouterr().out


def test_dry_run_knows_what_a_cut_upload_left(
    server: Server, remote: LocalRemote, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    incoming = remote.root / "incoming" / "deploy"
    incoming.mkdir()
    head = bundle.model_files[1]
    (incoming / f"{sha256_of(head)}.part").write_bytes(head.read_bytes()[:2000])
    model_deploy.dry_run(server, bundle)
    assert "2.0 kB of it there already" in capsys.readouterr().out
