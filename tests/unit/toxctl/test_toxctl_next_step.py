"""Why an activation failed, the command that it names, and the state after that command."""

from __future__ import annotations

import errno
import os
import threading
from http.server import ThreadingHTTPServer

import pytest
from fake_server import FakeServer

from toxctl import advice, alarms, verbs, watch
from toxctl.advice import next_step, with_step
from toxctl.errors import Interrupted, NginxDown, ToxctlError


def stop_nginx(server: FakeServer) -> None:
    server.http.shutdown()
    server.http.server_close()
    server.thread.join()


def start_nginx(server: FakeServer) -> None:
    """`systemctl start nginx`: on the same port."""
    server.http = ThreadingHTTPServer(("127.0.0.1", server.port), server.handler())
    server.thread = threading.Thread(target=server.http.serve_forever, args=(0.02,), daemon=True)
    server.thread.start()


def test_nginx_that_does_not_run_is_named_before_anything_is_started(serving: FakeServer) -> None:
    model = str(serving.model("two").path)
    stop_nginx(serving)
    error = serving.activate("--model", model, deadline="60", json=True).error
    assert error["kind"] == "nginx"
    assert error["serving"] is False
    assert "run `sudo systemctl start nginx` on the server" in error["error"]
    assert error["error"].endswith("slot blue stays live but cannot serve")
    assert not [line for line in serving.log() if line.startswith("start")]
    text = serving.run("status").stdout
    assert "warning: nothing serves: " in text
    assert "run `sudo systemctl start nginx` on the server" in text

    start_nginx(serving)
    assert serving.activate("--model", model).returncode == 0
    assert serving.live_model() == "two"
    assert "warning" not in serving.run("status").stdout


def test_nginx_that_ends_during_the_activation_is_named(serving: FakeServer) -> None:
    answer = serving.answer

    def ending(path: str, body: dict[str, object] | None) -> tuple[int, object]:
        if path.startswith("/green/"):
            threading.Thread(target=stop_nginx, args=(serving,)).start()
        return answer(path, body)

    serving.answer = ending  # type: ignore[method-assign]  # a server that answers so  # what nginx does
    two = serving.model("two", ready=(503, "starting"))
    error = serving.activate("--model", str(two.path), deadline="5", json=True).error
    assert "nginx is not running: run `sudo systemctl start nginx`" in error["error"]
    assert error["serving"] is False
    assert "stays live" not in error["error"]
    serving.answer = answer  # type: ignore[method-assign]
    serving.thread.join()
    two.ready = None
    start_nginx(serving)
    assert serving.activate("--model", str(two.path)).returncode == 0


@pytest.mark.parametrize(
    ("checks", "command"),
    [
        ({"collection": "MongoDB at a does not answer"}, "ansible-playbook site.yml --tags mongo"),
        ({"collection": "w.c is not restored"}, "`fab restore-embeddings`"),
        ({"golden_outputs": "toxic is 0.8"}, "`fab status --verify`"),
        ({"golden_outputs": "toxic is 0.8"}, "`fab restore-embeddings --verify`"),
        ({"known_answers": "toxic is 0.8"}, "`fab build-model`"),
        ({"head": "no head"}, "`fab build-model`"),
        ({"manifest": "changed"}, "`fab deploy-model`"),
    ],
)
def test_check_that_fails_names_its_command_and_the_next_run_succeeds(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch, checks: dict[str, str], command: str
) -> None:
    monkeypatch.setattr(watch, "NOT_READY_SECONDS", 0.1)
    model = serving.model("two", ready=(503, {"checks": {"manifest": "ok", **checks}}))
    error = serving.activate("--model", "two", json=True).error
    assert command in error["error"].rsplit("slot blue stays live: ", 1)[1]
    assert error["serving"] is True
    assert serving.live_model() == "one"
    model.ready = None
    assert serving.activate("--model", "two").returncode == 0


def test_live_slot_that_does_not_answer_is_not_said_to_serve(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toxctl.switch.LIVE_REQUEST_SECONDS", 0.1)
    serving.set_unit("blue", "active", "failed")
    serving.switch("start-fails")
    serving.model("two")
    error = serving.activate("--model", "two", json=True).error
    assert "run `sudo systemctl restart tox_com_det@blue.service` on the server" in error["error"]
    assert error["serving"] is False


@pytest.mark.parametrize(
    ("error", "command"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "`fab prune`"),
        (OSError(errno.EIO, "broken"), "`fab logs`"),
        (Interrupted("interrupted by SIGTERM"), "rerun the command"),
        (ToxctlError("systemctl enable failed", "systemd"), "`ansible-playbook site.yml --tags fl"),
        (ToxctlError("it crashed", "unit"), "`fab logs`"),
        (ToxctlError("unknown"), "`fab logs`"),
    ],
)
def test_every_cause_has_a_next_step(error: BaseException, command: str) -> None:
    assert command in next_step(error)


def test_error_that_names_its_command_gets_no_second_one() -> None:
    assert next_step(NginxDown("http://a")) == ""
    full = ToxctlError("the disk is full: run `fab prune`", "disk")
    assert with_step(full) is full


START = "start the database with `ansible-playbook site.yml --tags mongodb`, then rerun the command"


@pytest.mark.parametrize(
    ("kind", "words", "step"),
    [
        # What shows the cause does not start it.
        ("database", "MongoDB at a does not answer: see `systemctl status mongod`", START),
        ("disk", "/dump: No space left", "make room with `fab prune`, then rerun the command"),
        ("systemd", "systemctl stop a failed", "`ansible-playbook site.yml --tags flask_app`"),
    ],
)
def test_every_verb_names_what_repairs_database_disk_and_units(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch, kind: str, words: str, step: str
) -> None:
    def failing(*_: object) -> None:
        raise ToxctlError(words, kind, "more", free_bytes=1)

    monkeypatch.setitem(verbs.VERBS, "verify", failing)
    error = serving.json("verify", "--model", "one").error
    assert error["error"].startswith(f"{words}: ")
    assert step in error["error"]
    assert (error["kind"], error["details"], error["free_bytes"]) == (kind, "more", 1)


@pytest.mark.parametrize(
    ("number", "user", "kind", "step"),
    [
        (errno.ENOSPC, 0, "disk", "make room with `fab prune`, then rerun the command"),
        (errno.EDQUOT, 0, "disk", "make room with `fab prune`, then rerun the command"),
        (errno.EROFS, 0, "other", "`sudo dmesg` on the server says why; mount it for writing"),
        (errno.EACCES, 1000, "other", "rerun the command with `sudo`"),
        (errno.EACCES, 0, "other", "see `fab doctor`, then rerun the command"),
        (errno.ENOENT, 0, "other", "run `ansible-playbook site.yml --tags flask_app`"),
        (errno.EIO, 0, "other", "see `fab doctor`, then rerun the command"),
    ],
)
def test_what_the_system_refuses_is_a_line_with_the_next_command(
    serving: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    user: int,
    kind: str,
    step: str,
) -> None:
    def failing(*_: object) -> None:
        raise OSError(number, os.strerror(number), "/srv/keys.json")

    monkeypatch.setitem(verbs.VERBS, "keys", failing)
    monkeypatch.setattr(advice.os, "geteuid", lambda: user)
    error = serving.json("keys", "--add", "a").error
    assert error["error"].startswith(f"/srv/keys.json: {os.strerror(number)}: {step}")
    assert error["kind"] == kind


def test_a_disk_that_is_too_full_is_a_warning(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alarms, "LEAST_INODES", 1 << 62)
    serving.config["keep_free_mb"] = 1 << 40
    serving.write_config()
    found = serving.json("status").result["warnings"]
    assert len(found) == 2
    assert all("`fab prune`" in warning for warning in found)
    # Its figure differs from call to call.
    assert f"warning: {found[0][:12]}" in serving.run("status").stdout
