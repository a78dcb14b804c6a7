"""The deploy lock, audit log, hooks and heartbeat of one attempt."""

from __future__ import annotations

import io
import re
import sys
import threading
from pathlib import Path

import pytest
import toxctl_answers as good
from local_remote import LocalProcess, LocalRemote, lines, result, went_well

from controller.deploy import gate, session
from controller.deploy.attempt import Attempt, attempt
from controller.deploy.errors import DeployError
from controller.deploy.hooks import HookError, Hooks
from controller.deploy.remote import ConnectionLost, Done
from controller.deploy.server import Server
from controller.deploy.session import Session


@pytest.fixture
def server(remote: LocalRemote) -> Server:
    went_well(remote, "/srv/m/new")
    return Server(remote)


HOLDER = {
    "id": "x", "task": "deploy-app", "who": "anna@home", "since": "2026-01-02T03:04:05Z",
    "phase": "upload",
}  # fmt: skip


@pytest.mark.parametrize(
    ("silent", "words"),
    [
        (2.0, "wait until it has ended (see `fab status`), then rerun the command"),
        (31.4, "no heartbeat for 31 s, its laptop is probably gone: run `fab unlock`"),
    ],
)
def test_second_laptop_is_told_who_holds_the_lock(
    server: Server, remote: LocalRemote, silent: float, words: str
) -> None:
    remote.holder = {**HOLDER, "silent": silent}
    who = "locked by anna@home with deploy-app since 2026-01-02 03:04:05 UTC, phase upload; "
    with pytest.raises(DeployError, match=re.escape(who + words)), attempt(server, "prune", ""):
        pytest.fail("it continued")
    assert remote.session.phases == []


def test_times_as_seconds_are_shown_as_times() -> None:
    words = session.describe_holder({"who": "a@b", "task": "prune", "since": 1767323045})
    assert words == "a@b with prune since 2026-01-02 03:04:05 UTC"


def test_session_that_does_not_start_names_the_playbook(
    server: Server, remote: LocalRemote
) -> None:
    broken = LocalProcess(lambda _: Done("", "toxctl: cannot import session\n", 1))
    remote.start = lambda arguments: broken  # type: ignore[method-assign]  # a stand-in
    with (
        pytest.raises(DeployError, match=r"cannot import session.*ansible-playbook site.yml"),
        attempt(server, "prune", ""),
    ):
        pytest.fail("it continued")


def test_lock_that_was_taken_away_stops_before_the_next_phase(
    server: Server, remote: LocalRemote
) -> None:
    def begin() -> None:
        with attempt(server, "deploy-model", "v") as now:
            now.enter("upload")
            remote.session.taken = True
            now.enter("verify")

    with pytest.raises(DeployError, match="the deploy lock on nanode was released by `fab unlock`"):
        begin()
    assert remote.session.phases == ["prepare", "upload"]


def test_lost_connection_is_noticed_before_the_next_phase(
    server: Server, remote: LocalRemote
) -> None:
    def begin() -> None:
        with attempt(server, "deploy-model", "v") as now:
            remote.lost = True
            now.enter("upload")

    with pytest.raises(
        DeployError, match="the connection was lost in phase prepare of deploy-model"
    ):
        begin()
    assert remote.session.end is None


def test_connection_that_is_lost_before_a_switch_began_is_no_lost_switch(
    server: Server, hooked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The phase is announced before what is to go live is noted."""

    def begin() -> None:
        with attempt(server, "deploy-model", "v") as now:
            now.note(**{"from": {"app": good.APP, "model": good.OLD}})
            monkeypatch.setattr(now.session, "send", lost)
            switch(now)

    def lost(_: object) -> None:
        raise ConnectionLost("gone")

    words = "in phase activate .*; no switch had begun, .* still live: .*rerun `fab deploy-model`$"
    with pytest.raises(DeployError, match=words):
        begin()


def test_heartbeat_continues_until_the_end(
    server: Server, remote: LocalRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "HEARTBEAT_SECONDS", 0.01)
    with attempt(server, "deploy-model", "v"):
        beaten = threading.Event()
        for _ in range(500):
            if {} in remote.session.heard:
                break
            beaten.wait(0.01)
        assert {} in remote.session.heard
    assert remote.session.heard[-1] == {"end": {"result": "done", "reason": None}}
    for thread in threading.enumerate():
        if thread.name == "session":
            thread.join(300)
            assert not thread.is_alive()


def test_unexpected_exception_ends_the_audit_log_entry_too(
    server: Server, remote: LocalRemote
) -> None:
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


def test_hook_runs_although_nobody_reads_the_output(
    server: Server, hooked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `fab deploy-model | head`."""
    write_hook(hooked, "after-activate")
    with attempt(server, "deploy-model", "v") as now:
        now.enter("activate")
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", Unread())
            now.enter("confirm")
    assert (hooked / "log").read_text().startswith("after-activate ")


class Unread(io.StringIO):
    """An output whose reader is gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def test_hook_that_fails_before_the_switch_ends_the_attempt(
    server: Server, remote: LocalRemote, hooked: Path
) -> None:
    write_hook(hooked, "before-activate", 3)
    with (
        pytest.raises(
            HookError, match=r"before-activate failed with exit code 3.*rerun `fab deploy-model`"
        ),
        attempt(server, "deploy-model", "v") as now,
    ):
        switch(now)
    assert not remote.called("activate")
    assert remote.session.end is not None
    assert remote.session.end["result"] == "failed"


@pytest.mark.parametrize("name", ["after-activate", "before-confirm"])
def test_hook_that_fails_during_the_switch_rolls_it_back(
    server: Server, remote: LocalRemote, hooked: Path, name: str
) -> None:
    write_hook(hooked, name, 1)
    error = {"error": "interrupted by SIGTERM", "details": "journal", "back_seconds": 0.2}
    remote.answers["activate"] = lines({"phase": "activate"}, {"phase": "confirm"}, error, code=1)
    remote.answers["stop"] = result({"pid": 1})
    with (
        pytest.raises(
            DeployError,
            match=f"{name} failed with exit code 1.*rolled back to the previous .* 0.2 s",
        ),
        attempt(server, "deploy-model", "v") as now,
    ):
        switch(now)
    assert remote.called("stop") == [["stop"]]
    assert not remote.called("prune")


def test_activation_that_cannot_be_stopped_is_undone_when_it_is_complete(
    server: Server, remote: LocalRemote, hooked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_hook(hooked, "before-confirm", 1)
    before = {"app": good.APP, "model": good.OLD, "at": "x"}
    remote.answers["activate"] = lines(*good.activated("/srv/m/new", previous=before))
    remote.answers["stop"] = lines({"error": "no permission", "kind": "other"}, code=1)
    with (
        pytest.raises(DeployError, match=r"before-confirm failed.*rolled back to model old with"),
        attempt(server, "deploy-model", "v") as now,
    ):
        switch(now)
    assert "the activation could not be stopped (no permission)" in capsys.readouterr().out
    assert remote.called("activate")[-1] == ["activate", "--model", good.OLD, "--app", good.APP]


def test_hook_that_fails_after_the_switch_rolls_it_back(
    server: Server, remote: LocalRemote, hooked: Path
) -> None:
    write_hook(hooked, "after-confirm", 1)
    before = {"app": good.APP, "model": good.OLD, "at": "x"}
    remote.answers["activate"] = lines(*good.activated("/srv/m/new", previous=before))
    with (
        pytest.raises(DeployError, match=r"rolled back to model old with app 1\.0-aaa"),
        attempt(server, "deploy-model", "v") as now,
    ):
        switch(now)
    again = remote.called("activate")[-1]
    assert again == ["activate", "--model", good.OLD, "--app", good.APP]


def test_rollback_that_fails_too_is_reported_with_both_reasons(
    server: Server, remote: LocalRemote, hooked: Path
) -> None:
    write_hook(hooked, "after-confirm", 1)
    before = {"app": good.APP, "model": good.OLD, "at": "x"}
    answers = [
        lines(*good.activated("/srv/m/new", previous=before)),
        lines({"error": "not activated: no memory", "kind": "memory"}, code=1),
    ]
    remote.answers["activate"] = lambda: answers.pop(0)
    words = r"after-confirm failed.*rollback to model old with app 1\.0-aaa failed \(not activated"
    with (
        pytest.raises(DeployError, match=words),
        attempt(server, "deploy-model", "v") as now,
    ):
        switch(now)


def test_hook_that_fails_after_the_first_switch_leaves_the_only_release_live(
    server: Server, remote: LocalRemote, hooked: Path
) -> None:
    write_hook(hooked, "after-confirm", 1)
    with (
        pytest.raises(DeployError, match="nothing was live before, so the new release stays live"),
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
    assert remote.session.end == {"result": "done", "reason": None}


def test_hook_that_can_never_run_is_reported_before_anything_is_done(
    server: Server, remote: LocalRemote, hooked: Path
) -> None:
    write_hook(hooked, "before-uplaod")
    with pytest.raises(HookError, match="is for an unknown phase"), attempt(server, "t", ""):
        pytest.fail("it continued")
    (hooked / "before-uplaod").rename(hooked / "before-upload")
    (hooked / "before-upload").chmod(0o644)
    with (
        pytest.raises(HookError, match=r"is not executable: run `chmod \+x"),
        attempt(server, "t", ""),
    ):
        pytest.fail("it continued")
    assert remote.sessions == []


def test_missing_hooks_directory_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(HookError, match="check deploy_hooks_dir"):
        hooks(tmp_path / "none").names()
    assert hooks(None).names() == []


def test_hook_that_cannot_be_run_is_reported(tmp_path: Path) -> None:
    (tmp_path / "before-upload").write_text("#!/no/such/shell\n")
    (tmp_path / "before-upload").chmod(0o755)
    with pytest.raises(HookError, match=r"cannot be run .*fix it, then rerun `fab deploy-model`"):
        hooks(tmp_path).run("before", "upload", print)


def test_session_skips_what_the_login_shell_prints() -> None:
    opened = Session.__new__(Session)
    opened.process = ["Welcome", '{"motd": 1}', 'Hi {"result": {"locked": true}}']  # type: ignore[assignment]  # its lines
    assert opened.receive() == {"result": {"locked": True}}
