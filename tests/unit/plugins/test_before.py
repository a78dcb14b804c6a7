"""Module `before`: what a server had before the first run is kept once, and given back."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import ansible
import pytest
from test_applied import PROJECT, python_2, started

MODULE = PROJECT / "plugins/modules/before.py"
OURS = "# Managed by tox_com_det with Ansible: what is changed here is overwritten\nport 1\n"


class Server:
    """A directory with a file that a template replaces, and the module's directory."""

    def __init__(self, root: Path, interpreter: str) -> None:
        self.file = root / "nginx.conf"
        self.kept = root / "state/before"
        self.interpreter = interpreter
        # Ansible's own package and none of its neighbours: they are not for Python 2.7.
        self.library = root / "library"
        self.library.mkdir()
        (self.library / "ansible").symlink_to(Path(ansible.__file__).parent)

    def run(self, state: str = "saved", check: bool = False, **more: Any) -> dict[str, Any]:
        """Return the module's answer."""
        arguments = {
            "paths": [str(self.file)], "state": state, "directory": str(self.kept),
            "_ansible_check_mode": check, **more,
        }  # fmt: skip
        done = subprocess.run(  # noqa: S603 (words of the tests, no shell)
            started(self.interpreter, MODULE),
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
            env={**os.environ, "PYTHONPATH": str(self.library), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        assert not answer.get("failed"), answer
        return answer


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path, sys.executable)


def test_a_file_is_kept_once_and_given_back_with_its_mode(server: Server) -> None:
    server.file.write_text("port 80\n")
    server.file.chmod(0o640)
    assert server.run(check=True)["changed"]
    assert not server.kept.exists()
    assert server.run()["files"] == [str(server.file)]
    assert stat.S_IMODE(server.kept.stat().st_mode) == 0o700
    server.file.write_text(OURS)
    server.file.chmod(0o644)
    # The second run sees the project's own file and keeps the first copy.
    assert not server.run()["changed"]
    assert server.run("restored", check=True)["changed"]
    assert server.file.read_text() == OURS
    assert server.run("restored")["files"] == [str(server.file)]
    assert server.file.read_text() == "port 80\n"
    assert stat.S_IMODE(server.file.stat().st_mode) == 0o640
    assert not server.run("restored")["changed"]


def test_a_file_that_did_not_exist_before_is_removed(server: Server) -> None:
    assert not server.run()["changed"]
    server.file.write_text(OURS)
    assert server.run("restored")["changed"]
    assert not server.file.exists()


def test_a_file_that_somebody_else_wrote_is_never_touched(server: Server) -> None:
    server.file.write_text("port 80\n")
    server.run()
    server.file.write_text("port 8080\n")
    assert not server.run("restored")["changed"]
    assert server.file.read_text() == "port 8080\n"


def test_the_packages_of_the_time_before_are_told(server: Server) -> None:
    assert server.run("restored")["packages"] is None
    server.kept.mkdir(parents=True)
    (server.kept / "packages.json").write_text('["bash", "sudo"]')
    found = server.run("restored")
    assert (found["changed"], found["packages"]) == (False, ["bash", "sudo"])


@pytest.mark.skipif(python_2() is None, reason="no Python 2.7 on this machine")
def test_the_module_is_valid_python_2() -> None:
    code = "import sys; compile(open(sys.argv[1]).read(), sys.argv[1], 'exec')"
    subprocess.run([str(python_2()), "-c", code, str(MODULE)], check=True)  # noqa: S603 (fixed)
