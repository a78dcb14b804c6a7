"""Module `applied`: a changed file is noticed until a handler has recorded it."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import ansible
import pytest
import yaml
from module_run import START

PROJECT = Path(__file__).resolve().parents[3]
MODULE = PROJECT / "plugins/modules/applied.py"
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
# Version 0.1 kept such a copy of app.env.
COPY = b"TOX_COM_DET_MONGODB_URI=mongodb://app:secret@127.0.0.1:27017\n"


def started(interpreter: str, module: Path) -> list[str]:
    """Return the command that runs a module with `module_utils` of ansible.cfg."""
    return [interpreter, "-c", START, str(PROJECT / "plugins/module_utils"), str(module)]


def python_2() -> str | None:
    """The Python 2.7 of this machine, as CentOS 7 has it; pyenv's need not be on the PATH."""
    candidates = [str(path) for path in Path.home().glob(".pyenv/versions/2.7*/bin/python2.7")]
    candidates += [path for path in [shutil.which("python2.7")] if path]
    return next((path for path in candidates if runs(path)), None)


def runs(program: str) -> bool:
    """Whether a program can be started: a shim of pyenv may name a version that is not chosen."""
    return subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode == 0  # noqa: S603 (a fixed program)


@pytest.fixture(
    params=[
        "python3",
        pytest.param(
            "python2.7",
            marks=[
                pytest.mark.skipif(python_2() is None, reason="no Python 2.7 on this machine"),
                pytest.mark.skipif(
                    not ansible.__version__.startswith("2.16."),
                    reason="only ansible-core 2.16 manages Python 2.7 (make venv CORE=2.16)",
                ),
            ],
        ),
    ]
)
def interpreter(request: pytest.FixtureRequest) -> str:
    return sys.executable if request.param == "python3" else str(python_2())


class Applied:
    """Runs the module on a target of its own: one file and one directory of records."""

    def __init__(self, directory: Path, interpreter: str) -> None:
        self.path = directory / "service.conf"
        self.path.write_bytes(b"one\n")
        self.records = directory / "lib" / "applied"
        self._command = started(interpreter, MODULE)
        # Ansible's own package and none of its neighbours: they are not for Python 2.7.
        library = directory / "library"
        library.mkdir()
        (library / "ansible").symlink_to(Path(ansible.__file__).parent)
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(library),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    @property
    def record(self) -> Path:
        return self.records / str(self.path).replace("/", "_")

    def run(self, state: str, check: bool = False) -> dict:
        """Return the module's answer."""
        arguments = {
            "paths": [str(self.path)],
            "directory": str(self.records),
            "state": state,
            "_ansible_check_mode": check,
        }
        done = subprocess.run(  # noqa: S603 (words of the tests, no shell)
            self._command,
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def changed(self, state: str, check: bool = False) -> bool:
        answer = self.run(state, check)
        assert not answer.get("failed"), answer
        assert answer["unapplied"] == ([str(self.path)] if answer["changed"] else [])
        return answer["changed"]


@pytest.fixture
def applied(tmp_path: Path, interpreter: str) -> Applied:
    return Applied(tmp_path, interpreter)


def test_a_file_is_unapplied_until_it_is_recorded(applied: Applied):
    assert applied.changed("compared")
    assert applied.changed("compared"), "an interrupted run must not count as applied"
    assert applied.changed("recorded")
    assert not applied.changed("compared")
    assert not applied.changed("recorded")
    applied.path.write_bytes(b"two\n")
    assert applied.changed("compared")
    applied.path.write_bytes(b"one\n")
    assert not applied.changed("compared"), "the service runs with these contents"


def test_only_the_hash_is_stored_and_only_its_owner_reads_it(applied: Applied):
    applied.run("recorded")
    assert applied.record.read_text() == hashlib.sha256(b"one\n").hexdigest() + "\n"
    for path, mode in ((applied.records.parent, 0o700), (applied.records, 0o700)):
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert stat.S_IMODE(applied.record.stat().st_mode) == 0o600
    assert [path.name for path in applied.records.iterdir()] == [applied.record.name]


def test_check_mode_writes_nothing(applied: Applied):
    for state in ("compared", "recorded"):
        assert applied.changed(state, check=True)
    assert not applied.records.parent.exists()
    applied.path.unlink()
    for state in ("compared", "recorded"):
        assert applied.changed(state, check=True), "a check of a new server has written no file"


def test_a_missing_file_fails_the_task(applied: Applied):
    applied.path.unlink()
    for state in ("compared", "recorded"):
        answer = applied.run(state)
        assert answer["failed"]
        assert f"{applied.path} does not exist" in answer["msg"]


def test_a_directory_in_the_way_is_named(applied: Applied):
    applied.records.parent.write_text("")
    answer = applied.run("recorded")
    assert answer["failed"]
    assert str(applied.records.parent) in answer["msg"]


@pytest.mark.parametrize(("current", "unapplied"), [(COPY, False), (COPY + b"more\n", True)])
def test_a_copy_of_version_0_1_counts_as_a_record_and_becomes_a_hash(
    applied: Applied, current: bytes, unapplied: bool
):
    applied.records.mkdir(parents=True)
    applied.record.write_bytes(COPY)
    applied.record.chmod(0o644)
    applied.path.write_bytes(current)
    assert applied.changed("compared", check=True) == unapplied
    assert applied.record.read_bytes() == COPY, "check mode"
    assert applied.changed("compared") == unapplied
    assert applied.record.read_text() == hashlib.sha256(COPY).hexdigest() + "\n"
    assert stat.S_IMODE(applied.record.stat().st_mode) == 0o600
    assert applied.changed("compared") == unapplied


def test_a_handler_that_was_lost_is_notified_by_the_next_run(tmp_path: Path):
    """In a play, with the handlers as the roles have them."""
    path, runs = tmp_path / "service.conf", tmp_path / "runs"
    path.write_text("one\n")
    arguments = {"paths": [str(path)], "directory": str(tmp_path / "applied")}
    restart = {
        "ansible.builtin.command": {
            "argv": ["sh", "-c", f"echo run >> {runs}; test ! -e {runs}.fail"]
        },
        "changed_when": True,
    }
    play = {
        "name": "Apply",
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "tasks": [{"name": "Compare", "applied": arguments, "notify": "Restart"}],
        "handlers": [
            {"name": "Restart", **restart},
            {
                "name": "Record",
                "applied": {**arguments, "state": "recorded"},
                "listen": "Restart",
            },
        ],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))

    def run(*options: str) -> int:
        done = subprocess.run(  # noqa: S603 (words of the tests, no shell)
            [PLAYBOOK, "--inventory", "localhost,", *options, str(tmp_path / "play.yml")],
            cwd=PROJECT,  # its ansible.cfg names the module's directory
            env={**os.environ, "ANSIBLE_PYTHON_INTERPRETER": shlex.quote(sys.executable)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Compare" in done.stdout, done.stderr
        return done.returncode

    failing = tmp_path / "runs.fail"
    failing.touch()
    assert run() != 0
    failing.unlink()
    assert run() == 0
    assert runs.read_text() == "run\n" * 2
    assert run() == 0
    assert runs.read_text() == "run\n" * 2
