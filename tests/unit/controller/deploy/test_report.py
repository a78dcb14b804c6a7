"""What the tasks show that only look."""

from __future__ import annotations

import json

import pytest
import tools_answers as good
from local_remote import LocalRemote, lines

from controller.deploy import predict, report
from controller.deploy.connection import Done
from controller.deploy.errors import DeployError
from controller.deploy.servers import Server

NEW = "/srv/tox_com_det/models/new"
BEFORE = {"app": good.APP, "model": good.OLD, "at": "2026-01-01T00:00:00Z"}
FOUND = good.releases(
    models=[
        good.entry("model", NEW, live=True, running=True, collection="word_embeddings.c"),
        good.entry("model", good.OLD, previous=True),
        good.entry("model", "/x/half", complete=False),
    ],
    apps=[good.entry("app", good.APP)],
    confirmed=good.confirmed(NEW, good.APP, BEFORE),
)
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
    remote.answers = {
        "status": Done("live: blue\n* blue   active\n", "", 0),
        "releases": lines({"result": FOUND}),
        "history": lines({"result": {"attempts": ATTEMPTS}}),
        "lock": lines({"result": {"holder": None}}),
    }
    return Server(remote)


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "ask", lambda url, text: predict.Scores("new", {"toxic": 0.5}))


@pytest.mark.usefixtures("answering")
def test_status_shows_what_is_live_what_is_there_and_the_last_deploys(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.status(server) is True
    out = capsys.readouterr().out
    for words in (
        "nanode: http://127.0.0.1, user deploy\n",
        "* blue   active\n",
        "confirmed: model new with app 1.0-aaa since 2026-01-02 03:04 UTC\n",
        "previous: model old with app 1.0-aaa (fab rollback)\n",
        "there: 3 models, 1 app, 4.0 kB (fab releases); 1 upload, 5.0 MB\n",
        "memory: ",
        "disk: ",
        "lock: free\n",
        "  2026-01-02 03:04 UTC  deploy-model  anna@home  failed in verify  12.3 s  new with 1.0",
        "  2026-01-01 03:04 UTC  prune         b@c        done\n",
        "service: answers with model new\n",
    ):
        assert words in out
    held = {"who": "anna@home", "task": "prune", "since": "today", "silent": 99.0}
    remote.answers["lock"] = lines({"result": {"holder": held}})
    remote.answers["history"] = lines({"result": {"attempts": []}})
    report.status(server)
    out = capsys.readouterr().out
    assert "lock: held by anna@home with prune since today, its laptop is probably gone" in out
    assert "last deploys: none\n" in out


def test_service_that_does_not_answer_is_told(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(url: str, text: str) -> predict.Scores:
        raise DeployError("nobody answers")

    monkeypatch.setattr(predict, "ask", silent)
    assert report.status(server) is False
    assert "service: nobody answers" in capsys.readouterr().out


def test_empty_server_has_a_status(capsys: pytest.CaptureFixture[str]) -> None:
    print("\n".join(report.there_lines(good.releases())))
    assert "confirmed: nothing\nthere: 0 models, 0 apps, 0.0 kB" in capsys.readouterr().out


def test_releases_are_a_table_with_their_states(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    report.releases(server)
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "nanode: 4 releases, 10000.0 MB free"
    assert rows[1].split() == ["KIND", "NAME", "INSTALLED", "SIZE", "STATE", "WORD", "VECTORS"]
    assert [row.split()[1] for row in rows[2:]] == ["new", "old", "half", "1.0-aaa"]
    states = ["live", "previous", "not complete", "kept"]
    assert all(f"  {state}" in row for state, row in zip(states, rows[2:], strict=True))
    assert rows[2].endswith("word_embeddings.c")


@pytest.mark.usefixtures("answering")
def test_dry_runs_name_the_questions_and_ask_none(
    server: Server, remote: LocalRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report.status(server, dry_run=True) is True
    report.releases(server, dry_run=True)
    report.logs(server, 7, follow=False, dry_run=True)
    report.check_model(server, ["a"], dry_run=True)
    assert remote.calls == []
    out = capsys.readouterr().out
    assert "journalctl -u 'tox_com_det@*.service' -n 7" in out
    assert "releasectl history -n 5" in out
    assert "POST http://127.0.0.1/predict: the known answers, then 1 comments" in out


def test_no_live_model_names_the_task(server: Server, remote: LocalRemote) -> None:
    remote.answers = {"status": Done(json.dumps({"live": None, "slots": {}}), "", 0)}
    with pytest.raises(DeployError, match="no model is live on nanode: type `fab deploy-model`"):
        report.live_manifest(server)


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
    assert report.memory_words(f"{limit}--\n{meminfo}") == words
