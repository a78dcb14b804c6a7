"""The tasks that only read: status, releases, logs, test-model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import toxctl_answers as good
from local_remote import LocalRemote, result

from controller.deploy import predict
from controller.deploy.bundle import load_bundle
from controller.deploy.errors import DeferredError, DeployError
from controller.deploy.remote import Done
from controller.deploy.server import Server
from controller.deploy.tasks import check_model, logs, releases, status
from controller.deploy.typed import typed

NEW = "/srv/tox_com_det/models/new"
BEFORE = {"app": good.APP, "model": good.OLD, "at": "2026-01-01T00:00:00Z"}
REPORT: dict[str, Any] = {
    "confirmed": good.confirmed(NEW, good.APP, BEFORE),
    "models": [
        good.entry("model", NEW, live=True, running=True, collection="word_embeddings.c"),
        good.entry("model", good.OLD, previous=True),
        good.entry("model", "/x/half", complete=False),
    ],
    "apps": [good.entry("app", good.APP)],
    "slots": {
        "blue": good.slot(
            active="active", sub="running", enabled=True, memory_bytes=90_000_000,
            app=good.APP, model=NEW, ready={"status": 200, "answer": {}},
        ),
        "green": good.slot(app=good.APP, model=good.OLD),
    },
}  # fmt: skip
ATTEMPTS = [
    {
        "task": "deploy-model", "who": "anna@home", "begin": "2026-01-02T03:04:05Z",
        "seconds": 12.34, "result": "failed", "phase": "verify",
        "to": {"app": good.APP, "model": NEW},
    },
    {"task": "prune", "who": "b@c", "begin": "2026-01-01T03:04:05Z", "result": "done"},
]  # fmt: skip


@pytest.fixture
def server(remote: LocalRemote) -> Server:
    remote.answers["status"] = result(remote.status(**REPORT))
    remote.answers["history"] = result({"attempts": ATTEMPTS})
    server = Server(remote)
    remote.calls.clear()
    return server


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "ask", lambda *_: predict.Scores("new", {"toxic": 0.5}))


def test_service_that_requires_a_key_serves(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ask(*_: str) -> predict.Scores:
        raise predict.KeyRefused("a key is required")

    monkeypatch.setattr(predict, "ask", ask)
    status.status(server)
    assert "service: answers, and requires a key" in capsys.readouterr().out


@pytest.mark.usefixtures("answering")
def test_commands_in_warnings_keep_the_inventory_that_was_typed(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    warning = "the log is large: run `ansible-playbook site.yml --tags log_rotation`"
    remote.answers["status"] = result(remote.status(**REPORT, warnings=[warning]))
    with typed("status", {"inventory": "x"}):
        status.status(server)
    assert f"warning: {warning[:-1]} --inventory x`\n" in capsys.readouterr().out


@pytest.mark.usefixtures("answering")
def test_status_shows_what_is_live_and_installed_and_the_last_deploys(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    status.status(server)
    assert remote.calls == [["status"], ["history", "-n", "5"]]
    out = capsys.readouterr().out
    for words in (
        f"nanode: http://127.0.0.1, user {remote.host.user}\n",
        "toxctl: 0.2.0\n",
        "live: blue\n",
        "* blue   active/running, enabled, model new, app 1.0-aaa, 90.0 MB, ready\n",
        "  green  inactive/dead, disabled, model old, app 1.0-aaa\n",
        "confirmed: model new with app 1.0-aaa since 2026-01-02 03:04 UTC\n",
        "previous: model old with app 1.0-aaa (`fab rollback`)\n",
        "installed: 3 models, 1 app, 4.0 kB (`fab releases`); 1 upload, 5.0 MB\n",
        "memory: 1024.0 MB available of 2048.0 MB\n",
        "disk: 10000.0 MB free\n",
        "lock: free\n",
        "  2026-01-02 03:04 UTC  deploy-model  anna@home  failed in verify  12.3 s  new with 1.0",
        "  2026-01-01 03:04 UTC  prune         b@c        done\n",
        "service: answers with model new\n",
    ):
        assert words in out
    held = {"who": "anna@home", "task": "prune", "since": "today", "silent": 99.0}
    remote.answers["status"] = result(remote.status(**REPORT, lock=held))
    remote.answers["history"] = result({"attempts": []})
    status.status(server)
    out = capsys.readouterr().out
    assert "lock: held by anna@home with prune since today, its laptop is probably gone" in out
    assert "last deploys: none\n" in out


def test_normalization_of_the_live_model_is_shown() -> None:
    live = good.entry("model", NEW, live=True, normalization="unicode", windows=16)
    old = good.entry("model", good.OLD, normalization="keras")
    assert "texts: normalization unicode, read in up to 16 windows\n" in report_lines(
        models=[live, old]
    )
    assert "texts:" not in report_lines(models=[good.entry("model", NEW, live=True), old])


def test_settings_of_the_live_models_build_are_shown_with_their_origins() -> None:
    said = "25 tokens (model), padding pre (assumed)"
    live = good.entry("model", NEW, live=True, settings=said)
    other = good.entry("model", good.OLD, settings="30 tokens (option)")
    report = report_lines(models=[live, other])
    assert f"settings of the build: {said}\n" in report
    assert "30 tokens" not in report
    # an older toxctl, and a bundle of an older build, say nothing of them
    for nothing in (good.entry("model", NEW, live=True), {**live, "settings": None}):
        assert "settings of the build" not in report_lines(models=[nothing])


def test_service_that_does_not_answer_is_reported(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(url: str, text: str, pin: str | None) -> predict.Scores:
        raise DeployError("connection refused")

    monkeypatch.setattr(predict, "ask", silent)
    with pytest.raises(DeferredError, match="nanode does not serve: see `fab logs`"):
        status.status(server)
    assert "service: connection refused" in capsys.readouterr().out


def report_lines(**changes: Any) -> str:
    return "\n".join(status.status_lines(good.status({}, **changes)))


def test_empty_server_has_a_status() -> None:
    text = report_lines()
    assert "live: nothing yet, run `fab deploy-model`" in text
    assert "confirmed: nothing\ninstalled: 0 models, 0 apps, 0.0 kB" in text


def test_running_and_interrupted_activations_are_reported() -> None:
    holder = {"who": "anna", "pid": 7, "since": "noon"}
    assert "activation: running by anna, pid 7, since noon" in report_lines(activation=holder)
    words = "activation: interrupted; the next deploy returns to slot blue, confirmed last"
    assert words in report_lines(confirmed=good.confirmed(), unfinished=True)


def test_slot_that_is_not_ready_shows_its_own_answer() -> None:
    answer = {"status": 503, "answer": {"checks": {"vectors": "missing"}}}
    line = status.slot_line("blue", good.slot(active="active", ready=answer), live=True)
    assert line.endswith('NOT READY: {"checks": {"vectors": "missing"}}')


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (1_073_741_824, "1024.0 MB available of 1073.7 MB"),
        (None, "1024.0 MB available of 2048.0 MB"),
        (1 << 62, "1024.0 MB available of 2048.0 MB"),
    ],
)
def test_memory_of_a_container_is_measured_by_its_limit(limit: int | None, words: str) -> None:
    memory = {
        "limit": limit, "used": 300_000_000, "available": 1_024_000_000, "total": 2_048_000_000,
    }  # fmt: skip
    assert status.memory_text(memory) == words


def test_releases_are_a_table_with_their_states(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    releases.releases(server)
    assert remote.calls == [["status"]]
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "nanode: 4 releases, 10000.0 MB free"
    assert rows[1].split() == ["KIND", "NAME", "INSTALLED", "SIZE", "STATE", "WORD", "VECTORS"]
    assert [row.split()[1] for row in rows[2:]] == ["new", "old", "half", "1.0-aaa"]
    states = ["live", "previous", "incomplete", "kept"]
    assert all(f"  {state}" in row for state, row in zip(states, rows[2:], strict=True))
    assert rows[2].endswith("word_embeddings.c")


def test_logs_are_read_by_journalctl_and_its_failure_is_reported(
    server: Server, remote: LocalRemote
) -> None:
    remote.answers["journalctl"] = Done("a line\n", "", 0)
    logs.logs(server, 7)
    assert remote.shown == [["journalctl", "-u", "tox_com_det@*.service", "-n", "7", "--no-pager"]]
    remote.answers["journalctl"] = Done("", "No journal files were found.\n", 1)
    with pytest.raises(
        DeployError, match="cannot be read: No journal files were found: see `fab do"
    ):
        logs.logs(server)


def test_following_logs_ends_well_with_ctrl_c_alone(server: Server, remote: LocalRemote) -> None:
    def until(*signal: str) -> Callable[[], Done]:
        def interrupted() -> Done:
            raise KeyboardInterrupt(*signal)

        return interrupted

    remote.answers["journalctl"] = until()
    with pytest.raises(SystemExit) as caught:
        logs.logs(server, follow=True)
    assert caught.value.code == 0
    with pytest.raises(KeyboardInterrupt):
        logs.logs(server)
    remote.answers["journalctl"] = until("SIGTERM")
    with pytest.raises(KeyboardInterrupt):
        logs.logs(server, follow=True)


@pytest.mark.usefixtures("answering")
def test_dry_runs_name_the_commands_and_run_none(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    status.status(server, dry_run=True)
    releases.releases(server, dry_run=True)
    logs.logs(server, 7, follow=False, dry_run=True)
    check_model.check_model(server, ["a"], dry_run=True)
    assert remote.calls == remote.shown == []
    out = capsys.readouterr().out
    assert "journalctl -u 'tox_com_det@*.service' -n 7" in out
    assert "/usr/local/sbin/toxctl --json history -n 5" in out
    assert "POST http://127.0.0.1/predict: the golden outputs, then 1 comments" in out


def test_live_model_is_checked_with_its_own_manifest(
    server: Server,
    remote: LocalRemote,
    built_bundle: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    manifest = load_bundle(built_bundle).manifest
    golden = manifest.golden_outputs
    answers = {
        case.text: dict(zip(manifest.labels, case.scores, strict=True)) for case in golden.cases
    }
    one = next(iter(answers.values()))

    def ask(url: str, text: str, pin: str | None, key: str | None) -> predict.Scores:
        return predict.Scores(manifest.model_version, answers.get(text, one))

    monkeypatch.setattr(predict, "ask", ask)
    remote.answers["status"] = result(remote.status(**REPORT, manifest=manifest.to_dict()))
    check_model.check_model(server, ["a comment"])
    assert remote.calls == [["status", "--quick", "--manifest"]]
    out = capsys.readouterr().out
    assert f"{len(golden.cases)} golden outputs match, largest difference 0.0e+00" in out
    assert out.splitlines()[-1].endswith("  a comment")


def test_server_without_a_live_model_names_the_task(server: Server, remote: LocalRemote) -> None:
    remote.answers["status"] = result(remote.status(manifest=None))
    with pytest.raises(DeployError, match="no model is live on nanode: run `fab deploy-model`"):
        check_model.check_model(server)


def test_invalid_manifest_of_the_live_model_is_one_line(
    server: Server, remote: LocalRemote
) -> None:
    remote.answers["status"] = result(remote.status(manifest={"format_version": 99}))
    words = "live model's manifest on nanode is invalid .*fab build-model deploy-model"
    with pytest.raises(DeployError, match=words):
        check_model.check_model(server)
