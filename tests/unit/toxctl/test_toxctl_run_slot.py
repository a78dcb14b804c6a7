"""`toxctl run-slot`: what a slot runs is fixed when it starts."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from fake_server import PACKAGE_DIR, FakeServer

from toxctl import config, memory, run_slot


@pytest.fixture
def slot(serving: FakeServer) -> FakeServer:
    """A server whose slot blue has uWSGI; the slot's file names the app by a link."""
    uwsgi = serving.root / "apps/1.0/venv/bin/uwsgi"
    uwsgi.write_text(
        '#!/bin/sh\necho "$$ $TOX_COM_DET_SLOT $TOX_COM_DET_MODEL $PYTHONPATH $KEPT $(umask) $*"\n'
    )
    uwsgi.chmod(0o755)
    pinned = {"app": str(serving.root / "current-app"), "model": str(serving.models["one"].path)}
    (serving.root / "slots/blue.json").write_text(json.dumps(pinned))
    return serving


def run(server: FakeServer, slot: str, **more: str) -> tuple[int, str, str, int]:
    command = [sys.executable, "-m", "toxctl", "--config", str(server.config_path)]
    environment = {**os.environ, "KEPT": "kept", "PYTHONPATH": str(PACKAGE_DIR), **more}
    with subprocess.Popen(  # noqa: S603 (words of the tests, no shell)
        [*command, "run-slot", slot],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        umask=0o027,
    ) as process:
        out, err = process.communicate(timeout=300)
    return process.returncode, out, err, process.pid


def test_uwsgi_takes_the_place_of_the_process_with_real_paths(slot: FakeServer) -> None:
    code, out, err, pid = run(slot, "blue")
    assert (code, err) == (0, "")
    app = str(slot.root / "apps/1.0")  # not the link, which the next deploy moves
    *words, backlog, option, workers = out.split()
    assert backlog.isdigit()
    assert (option, workers) == ("--processes", "1")
    assert words == [
        str(pid), "blue", str(slot.models["one"].path), app, "kept", "0027",
        "--ini", str(slot.root / "uwsgi.ini"), "--listen",
    ]  # fmt: skip


def test_a_server_does_not_wait_for_a_journal_that_is_dead(slot: FakeServer) -> None:
    """The socket of a dead journald stays open in systemd, and is full at some time."""
    uwsgi = slot.root / "apps/1.0/venv/bin/uwsgi"
    uwsgi.write_text(
        f"#!{sys.executable}\nimport os\n"
        "for stream in (1, 2):\n"
        "    try:\n"
        "        while True:\n"
        "            os.write(stream, b'x' * 4096)\n"
        "    except BlockingIOError:\n"
        "        pass\n"
    )
    command = [sys.executable, "-m", "toxctl", "--config", str(slot.config_path)]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = subprocess.run(  # noqa: S603 (words of the tests, no shell)
            [*command, "run-slot", "blue"],
            stdout=theirs.fileno(),
            stderr=theirs.fileno(),
            env={**os.environ, "PYTHONPATH": str(PACKAGE_DIR)},
            timeout=300,
            check=False,
        )
    assert done.returncode == 0


def test_gunicorn_takes_the_place_of_the_process_if_the_inventory_says_so(
    slot: FakeServer,
) -> None:
    programs = slot.root / "apps/1.0/venv/bin"
    (programs / "uwsgi").rename(programs / "gunicorn")
    code, out, err, pid = run(slot, "blue", SLOT_SERVER="gunicorn")
    assert (code, err) == (0, "")
    assert out.split()[0] == str(pid)
    assert out.split()[-6:-4] == ["--config", str(slot.root / "gunicorn.conf.py")]
    assert out.split()[-2:] == ["--workers", "1"]
    assert "uwsgi cannot be run" in slot.run("run-slot", "blue").stderr


def test_plan_has_program_arguments_and_added_variables(
    slot: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = slot.root / "somaxconn"
    kernel.write_text("128\n")
    monkeypatch.setattr(run_slot, "KERNEL_BACKLOG", str(kernel))
    found = config.load(str(slot.config_path))
    program, arguments, added = run_slot.plan(found, "blue", "uwsgi")
    settings = str(slot.root / "uwsgi.ini")
    assert arguments == [program, "--ini", settings, "--listen", "128", "--processes", "1"]
    assert added == {
        "TOX_COM_DET_SLOT": "blue",
        "TOX_COM_DET_MODEL": str(slot.models["one"].path),
        "SLOT_APP": str(slot.root / "apps/1.0"),
        "PYTHONPATH": str(slot.root / "apps/1.0"),
    }


@pytest.mark.parametrize(("kernel", "expected"), [("4096\n", "1024"), ("x", "128"), (None, "128")])
def test_as_many_connections_wait_as_the_kernel_allows(
    slot: FakeServer, monkeypatch: pytest.MonkeyPatch, kernel: str | None, expected: str
) -> None:
    """uWSGI does not start with more."""
    path = slot.root / "somaxconn"
    if kernel is not None:
        path.write_text(kernel)
    monkeypatch.setattr(run_slot, "KERNEL_BACKLOG", str(path))
    found = config.load(str(slot.config_path))
    for server, option in (("uwsgi", "--listen"), ("gunicorn", "--backlog")):
        program = slot.root / "apps/1.0/venv/bin" / server
        program.write_text("")
        program.chmod(0o755)
        _, arguments, _ = run_slot.plan(found, "blue", server)
        assert arguments[3:5] == [option, expected]


def test_unknown_server_is_refused_in_one_line(
    slot: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLOT_SERVER", "waitress")
    done = slot.run("run-slot", "blue")
    assert done.returncode == 1
    words = "toxctl: slot blue: SLOT_SERVER is waitress, not one of uwsgi, gunicorn\n"
    assert done.stderr == words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("red", "there is no slot red, only blue, green"),
        ("green", "green.json is missing: run `fab deploy-model`"),
    ],
)
def test_slot_without_a_release_says_so_in_one_line(
    slot: FakeServer, name: str, words: str
) -> None:
    done = slot.run("run-slot", name)
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "blue.json cannot be read"),
        ("[]", "holds no JSON object"),
        ("{}", "blue.json has no app: run `fab deploy-model`"),
        ('{"app": "/", "model": "/nowhere"}', "/nowhere (model in"),
    ],
)
def test_incomplete_file_of_a_slot_says_what_is_missing(
    slot: FakeServer, text: str, words: str
) -> None:
    (slot.root / "slots/blue.json").write_text(text)
    assert words in slot.run("run-slot", "blue").stderr


def test_app_without_a_server_says_how_to_install_one(slot: FakeServer) -> None:
    (slot.root / "apps/1.0/venv/bin/uwsgi").unlink()
    error = slot.run("run-slot", "blue").stderr
    assert "uwsgi cannot be run: run `ansible-playbook site.yml --tags flask_app`" in error


GIB = 1 << 30


@pytest.mark.parametrize(
    ("wanted", "processors", "memory_max", "whole", "expected"),
    [
        ("0", 4, "300M", GIB, 1),
        ("0", 2, "300M", 4 * GIB, 2),
        ("0", 4, "300M", 8 * GIB, 2),
        ("0", 4, "1G", 8 * GIB, 4),
        ("0", 4, "1G", 2 * GIB, 2),
        ("0", 4, "100M", 8 * GIB, 1),
        ("0", 1, "1G", 8 * GIB, 1),
        ("3", 1, "100M", GIB, 3),
    ],
)
def test_as_many_workers_as_processors_and_memory_allow(
    slot: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    wanted: str,
    processors: int,
    memory_max: str,
    whole: int,
    expected: int,
) -> None:
    found = dataclasses.replace(config.load(str(slot.config_path)), memory_max=memory_max)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)))
    monkeypatch.setattr(memory, "usable_by_units", lambda: whole)
    assert run_slot.count_workers(found, wanted) == expected


@pytest.mark.parametrize("wanted", ["", "two", "-1", "65", "1.5", "99999"])
def test_a_number_of_workers_that_is_none_is_refused(slot: FakeServer, wanted: str) -> None:
    code, out, err, _ = run(slot, "blue", SLOT_PROCESSES=wanted)
    assert (code, out) == (1, "")
    assert "correct flask_app_processes" in err


def test_several_workers_share_a_directory_for_their_metrics(
    slot: FakeServer, tmp_path: Path
) -> None:
    uwsgi = slot.root / "apps/1.0/venv/bin/uwsgi"
    uwsgi.write_text('#!/bin/sh\necho "$PROMETHEUS_MULTIPROC_DIR $*"\n')
    code, out, _, _ = run(slot, "blue", SLOT_PROCESSES="2", RUNTIME_DIRECTORY=str(tmp_path))
    assert code == 0
    assert out.split()[0] == str(tmp_path / "metrics")
    assert out.split()[-2:] == ["--processes", "2"]
    assert (tmp_path / "metrics").stat().st_mode & 0o777 == 0o750
    one = run(slot, "blue", SLOT_PROCESSES="1", RUNTIME_DIRECTORY=str(tmp_path))[1]
    assert "metrics" not in one
