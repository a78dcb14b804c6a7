"""Lock, audit, hooks and signs of life of one attempt."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
import tools_answers as good
from local_remote import LocalProcess, LocalRemote, lines

from controller.deploy import gate, session
from controller.deploy.attempt import Attempt, attempt
from controller.deploy.connection import Done
from controller.deploy.errors import DeployError
from controller.deploy.hooks import HookError, Hooks
from controller.deploy.servers import Server


@pytest.fixture
def server(remote: LocalRemote) -> Server:
    good.well(remote, "/srv/m/new", good.releases(confirmed=good.confirmed()))
    return Server(remote)


HOLDER = {
    "id": "x", "task": "deploy-app", "who": "anna@home", "since": "2026-01-02T03:04:05Z",
    "phase": "upload",
}  # fmt: skip


@pytest.mark.parametrize(
    ("silent", "words"),
    [
        (2.0, "wait until that has ended, then type the same again"),
        (31.4, "nothing was heard for 31 s, its laptop is probably gone: `fab unlock`"),
    ],
)
def test_second_laptop_is_told_who_is_at_it(
    server: Server, remote: LocalRemote, silent: float, words: str
) -> None:
    remote.holder = {**HOLDER, "silent": silent}
    who = "locked by anna@home with deploy-app since 2026-01-02 03:04:05 UTC, phase upload; "
    with pytest.raises(DeployError, match=re.escape(who + words)), attempt(server, "prune", ""):
        pytest.fail("it went on")
    assert remote.session.phases == []


def test_times_as_seconds_are_shown_as_times() -> None:
    words = session.holder_words({"who": "a@b", "task": "prune", "since": 1767323045})
    assert words == "a@b with prune since 2026-01-02 03:04:05 UTC"


def test_server_without_sessions_names_the_playbook(server: Server, remote: LocalRemote) -> None:
    old = LocalProcess(lambda: Done("", "python3: can't open file releasectl\n", 2))
    remote.start = lambda words, user="root": old  # type: ignore[method-assign]  # a stand-in
    with (
        pytest.raises(DeployError, match=r"can't open file releasectl.*ansible-playbook site.yml"),
        attempt(server, "prune", ""),
    ):
        pytest.fail("it went on")


def test_lock_that_was_taken_away_stops_before_the_next_phase(
    server: Server, remote: LocalRemote
) -> None:
    def begin() -> None:
        with attempt(server, "deploy-model", "v") as now:
            now.enter("upload")
            remote.session.taken = True
            now.enter("verify")

    with pytest.raises(DeployError, match="the lock on nanode was taken away"):
        begin()
    assert remote.session.phases == ["prepare", "upload"]


def test_connection_that_is_gone_is_seen_before_the_next_phase(
    server: Server, remote: LocalRemote
) -> None:
    def begin() -> None:
        with attempt(server, "deploy-model", "v") as now:
            remote.lost = True
            now.enter("upload")

    with pytest.raises(DeployError, match="broke off in phase prepare of deploy-model"):
        begin()
    assert remote.session.end is None


def test_signs_of_life_go_on_until_the_end(
    server: Server, remote: LocalRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "BEAT_SECONDS", 0.01)
    with attempt(server, "deploy-model", "v"):
        beaten = threading.Event()
        for _ in range(500):
            if {} in remote.session.heard:
                break
            beaten.wait(0.01)
        assert {} in remote.session.heard
    assert remote.session.heard[-1] == {"end": {"result": "done", "reason": None}}
    assert "session" not in [thread.name for thread in threading.enumerate()]


def test_bug_ends_the_audit_too(server: Server, remote: LocalRemote) -> None:
    with pytest.raises(ZeroDivisionError), attempt(server, "deploy-model", "v"):
        1 / 0  # noqa: B018 (it has to raise)
    assert remote.session.end == {"result": "failed", "reason": "division by zero"}


# ---------------------------------------------------------------- hooks


def write_hook(directory: Path, name: str, code: int = 0) -> None:
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(
        '#!/bin/sh\necho "$(basename "$0") $TOX_COM_DET_TASK $TOX_COM_DET_PHASE $TOX_COM_DET_HOST '
        f'$TOX_COM_DET_RELEASE $TOX_COM_DET_URL" >> "$(dirname "$0")/log"\nexit {code}\n'
    )
    path.chmod(0o755)


def hooks(directory: Path | None) -> Hooks:
    return Hooks(directory, "deploy-model", "nanode", "v", "http://h")


def switch(now: Attempt) -> bool:
    now.enter("activate")
    return gate.switch(now, "model v", "/srv/m/new")


@pytest.fixture
def hooked(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of hooks that the server's attempts have."""
    directory = tmp_path / "hooks"
    directory.mkdir()
    monkeypatch.setattr("controller.deploy.attempt.hooks_of", lambda *_: hooks(directory))
    return directory


def test_hooks_run_around_each_phase_with_their_variables(server: Server, hooked: Path) -> None:
    for name in ("before-prepare", "after-prepare", "before-confirm", "after-confirm"):
        write_hook(hooked, name)
    with attempt(server, "deploy-model", "v") as now:
        switch(now)
    assert (hooked / "log").read_text().splitlines() == [
        f"{name} deploy-model {name.split('-')[1]} nanode v http://h"
        for name in ("before-prepare", "after-prepare", "before-confirm", "after-confirm")
    ]


def test_hook_that_fails_before_the_switch_ends_the_attempt(
    server: Server, remote: LocalRemote, hooked: Path
) -> None:
    write_hook(hooked, "before-activate", 3)
    with (
        pytest.raises(HookError, match="before-activate ended with code 3"),
        attempt(server, "deploy-model", "v") as now,
    ):
        switch(now)
    assert not remote.called("activate")
    assert remote.session.end["result"] == "failed"


@pytest.mark.parametrize("name", ["after-activate", "before-confirm"])
def test_hook_that_fails_in_the_switch_makes_the_server_go_back(
    server: Server, remote: LocalRemote, hooked: Path, name: str
) -> None:
    write_hook(hooked, name, 1)
    error = {"error": "interrupted by SIGTERM", "details": "journal", "back_seconds": 0.2}
    remote.answers["activate"] = lines({"phase": "activate"}, {"phase": "confirm"}, error, code=1)
    remote.answers["stop"] = lines()
    with (
        pytest.raises(DeployError, match=f"{name} ended with code 1.*back after 0.2 s"),
        attempt(server, "deploy-model", "v") as now,
    ):
        switch(now)
    assert remote.called("stop")[0][-1] == "stop"
    assert not remote.called("prune")


def test_hook_that_fails_after_the_switch_brings_the_old_one_back(
    server: Server, remote: LocalRemote, hooked: Path
) -> None:
    write_hook(hooked, "after-confirm", 1)
    before = {"app": good.APP, "model": good.OLD, "at": "x"}
    remote.answers["activate"] = good.activated("/srv/m/new", previous=before)
    with (
        pytest.raises(DeployError, match=r"model old with app 1\.0-aaa is live again"),
        attempt(server, "deploy-model", "v") as now,
    ):
        switch(now)
    again = remote.called("activate")[-1]
    assert again[4:8] == ["--model", good.OLD, "--app", good.APP]


def test_hook_that_fails_after_the_first_switch_has_nothing_to_go_back_to(
    server: Server, remote: LocalRemote, hooked: Path
) -> None:
    write_hook(hooked, "after-confirm", 1)
    with (
        pytest.raises(DeployError, match="nothing was live before, so the new version stays"),
        attempt(server, "deploy-model", "v") as now,
    ):
        switch(now)
    assert len(remote.called("activate")) == 1


def test_hook_after_clean_only_warns(
    server: Server, remote: LocalRemote, hooked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_hook(hooked, "after-clean", 1)
    with attempt(server, "deploy-model", "v") as now:
        assert switch(now) is True
    assert "warning: the hook" in capsys.readouterr().out
    assert remote.session.end["result"] == "done"


def test_hook_that_can_never_run_is_told_before_anything_is_done(
    server: Server, remote: LocalRemote, hooked: Path
) -> None:
    write_hook(hooked, "before-uplaod")
    with pytest.raises(HookError, match="is for no phase"), attempt(server, "t", ""):
        pytest.fail("it went on")
    (hooked / "before-uplaod").rename(hooked / "before-upload")
    (hooked / "before-upload").chmod(0o644)
    with pytest.raises(HookError, match=r"is not executable: chmod \+x"), attempt(server, "t", ""):
        pytest.fail("it went on")
    assert remote.sessions == []


def test_missing_directory_of_hooks_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(HookError, match="look at deploy_hooks_dir"):
        hooks(tmp_path / "none").names()
    assert hooks(None).names() == []


def test_hook_that_is_no_program_is_told(tmp_path: Path) -> None:
    (tmp_path / "before-upload").write_text("#!/no/such/shell\n")
    (tmp_path / "before-upload").chmod(0o755)
    with pytest.raises(HookError, match="cannot be run"):
        hooks(tmp_path).run("before", "upload")
