"""What a slot runs is pinned when it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_server import ROOT

RUN_SLOT = ROOT / "roles" / "flask_app" / "files" / "run-slot"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    uwsgi = tmp_path / "apps" / "1" / "venv" / "bin" / "uwsgi"
    uwsgi.parent.mkdir(parents=True)
    uwsgi.write_text(
        '#!/bin/sh\necho "$$ $TOX_COM_DET_SLOT $TOX_COM_DET_MODEL $PYTHONPATH $KEPT $*"\n'
    )
    uwsgi.chmod(0o755)
    (tmp_path / "models" / "m").mkdir(parents=True)
    (tmp_path / "current").symlink_to(tmp_path / "apps" / "1")
    (tmp_path / "slots").mkdir()
    config = {"slots": ["blue", "green"], "slots_dir": str(tmp_path / "slots")}
    (tmp_path / "server.json").write_text(json.dumps(config))
    pinned = {"app": str(tmp_path / "current"), "model": str(tmp_path / "models" / "m")}
    (tmp_path / "slots" / "blue.json").write_text(json.dumps(pinned))
    return tmp_path


def run(root: Path, slot: str, **more: str) -> tuple[int, str, str, int]:
    command = [sys.executable, str(RUN_SLOT), slot, "--config", str(root / "server.json")]
    environment = {**os.environ, "KEPT": "kept", **more}
    with subprocess.Popen(  # noqa: S603 (words of the tests, no shell)
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        out, err = process.communicate(timeout=20)
    return process.returncode, out, err, process.pid


def test_uwsgi_takes_the_place_of_the_process_with_real_paths(root: Path) -> None:
    code, out, err, pid = run(root, "blue")
    assert (code, err) == (0, "")
    app = str(root / "apps" / "1")  # not the link, which the next deploy moves
    assert out.split() == [
        str(pid), "blue", str(root / "models" / "m"), app, "kept",
        "--ini", str(root / "uwsgi.ini"),
    ]  # fmt: skip


def test_gunicorn_takes_the_place_of_the_process_where_the_inventory_says_so(root: Path) -> None:
    programs = root / "apps" / "1" / "venv" / "bin"
    (programs / "uwsgi").rename(programs / "gunicorn")
    code, out, err, pid = run(root, "blue", SLOT_SERVER="gunicorn")
    assert (code, err) == (0, "")
    assert out.split()[0] == str(pid)
    assert out.split()[-2:] == ["--config", str(root / "gunicorn.conf.py")]
    assert "uwsgi cannot be run" in run(root, "blue")[2]


def test_an_unknown_server_is_refused_in_one_line(root: Path) -> None:
    code, _, err, _ = run(root, "blue", SLOT_SERVER="waitress")
    assert code == 1
    assert err == "run-slot blue: SLOT_SERVER is waitress, not one of uwsgi, gunicorn\n"


@pytest.mark.parametrize(
    ("slot", "words"),
    [("red", "there is no slot red"), ("green", "green.json is not there: run slotctl activate")],
)
def test_slot_without_a_release_says_so_in_one_line(root: Path, slot: str, words: str) -> None:
    code, _, err, _ = run(root, slot)
    assert code == 1
    assert words in err
    assert err.count("\n") == 1


def test_half_a_release_says_what_is_missing(root: Path) -> None:
    (root / "models" / "m").rmdir()
    assert "(model in" in run(root, "blue")[2]
    (root / "models" / "m").mkdir()
    (root / "apps" / "1" / "venv" / "bin" / "uwsgi").unlink()
    assert "uwsgi cannot be run" in run(root, "blue")[2]
