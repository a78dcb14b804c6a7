"""The command line of toxctl, and the installed directory that it runs from."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import asdict
from pathlib import Path

import pytest
from fake_server import PACKAGE_DIR, FakeServer

import toxctl
from controller.deploy import toxctl_release
from toxctl import cli, events, verbs
from toxctl.version import __version__


def test_version_is_printed_without_a_server_json(server: FakeServer) -> None:
    server.config_path.unlink()
    assert server.run("--version").stdout == f"toxctl {__version__}\n"
    assert toxctl.__version__ == __version__


def test_each_verb_of_the_command_line_has_a_function() -> None:
    help_text = cli.parser().format_help()
    assert all(re.search(rf"^    {verb} ", help_text, re.MULTILINE) for verb in verbs.VERBS)


@pytest.mark.parametrize("words", [[], ["nothing"], ["activate", "--mod", "x"], ["run-slot"]])
def test_wrong_usage_exits_with_2(server: FakeServer, words: list[str]) -> None:
    done = server.run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: toxctl" in done.stderr


def test_fault_of_the_system_is_one_line(serving: FakeServer) -> None:
    (serving.root / "deploy-lock").mkdir()
    done = serving.run("lock")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("toxctl: ")
    assert serving.json("lock").error["kind"] == "other"


def test_interrupted_from_the_keyboard_it_ends_with_one_line(
    serving: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(verbs.VERBS, "lock", interrupted)
    error = serving.json("lock").error
    assert (error["error"], error["kind"]) == ("interrupted by SIGINT", "interrupted")


def test_phases_are_for_the_laptop_only(capsys: pytest.CaptureFixture[str]) -> None:
    events.start(as_json=False)
    events.phase("watch")
    assert capsys.readouterr().out == ""
    assert not events.is_json()


# ---------------------------------------------------------------- as it is installed


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A version as the role installs it, behind a link as on the server."""
    release = toxctl_release.build(tmp_path / "built")
    link = tmp_path / "current"
    link.symlink_to(release.path)
    return link


def run(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run it as its wrapper does. The environment is plain: its coverage is not the checkout's."""
    return subprocess.run(  # noqa: S603 (words of the tests, no shell)
        [sys.executable, "-I", "-B", str(path), *words],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"PATH": os.environ["PATH"]},
    )


def test_installed_directory_runs_by_its_path(installed: Path, server: FakeServer) -> None:
    assert run(installed, "--version").stdout == f"toxctl {__version__}\n"
    done = run(installed, "--config", str(server.config_path), "--json", "lock")
    assert json.loads(done.stdout) == {"result": {"holder": None}}
    assert not list(Path(os.path.realpath(installed)).rglob("__pycache__"))


def test_running_version_does_not_change_with_the_link(installed: Path) -> None:
    """A late import must not come from a version that was installed meanwhile."""
    release = os.path.realpath(installed)
    (Path(release) / "toxctl/cli.py").write_text(
        "import sys\n\ndef main():\n    print(sys.path[0])\n"
    )
    assert run(installed).stdout == f"{release}\n"


def test_installed_directory_needs_nothing_but_the_standard_library(
    installed: Path, tmp_path: Path
) -> None:
    script = tmp_path / "modules.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(installed)!r}); import toxctl.cli\n"
        "names = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(names - set(sys.stdlib_module_names) - {'__main__', 'toxctl'}))\n"
    )
    # -S: without the packages of this environment.
    command = [sys.executable, "-S", "-I", "-B", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={})  # noqa: S603 (words of the tests, no shell)
    assert done.stdout == "[]\n"


def test_checkout_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "toxctl", "--version"]
    environment = {"PYTHONPATH": str(PACKAGE_DIR), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)  # noqa: S603 (words of the tests, no shell)
    assert done.stdout == f"toxctl {__version__}\n"


def test_same_files_have_the_same_version_and_are_built_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = toxctl_release.build(tmp_path / "a")
    assert first.changed
    assert re.fullmatch(rf"{re.escape(__version__)}-[0-9a-f]{{12}}", first.version)
    assert toxctl_release.main(["--out", str(tmp_path / "a")]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again == {**asdict(first), "changed": False}
    other = toxctl_release.build(tmp_path / "b")
    assert other.version == first.version
    assert Path(other.tar).read_bytes() == Path(first.tar).read_bytes()
    # No links: what is installed does not depend on the checkout.
    assert not [path for path in Path(first.path).rglob("*") if path.is_symlink()]
    with tarfile.open(first.tar) as archive:
        files = {member.name for member in archive if member.isfile()}
    assert files == {
        path.relative_to(first.path).as_posix()
        for path in Path(first.path).rglob("*")
        if path.is_file()
    }


def test_damaged_or_changed_build_is_made_anew(tmp_path: Path) -> None:
    package = tmp_path / "package"
    shutil.copytree(PACKAGE_DIR / "toxctl", package)
    first = toxctl_release.build(tmp_path / "out", package)
    (Path(first.path) / "toxctl/cli.py").write_text("")
    again = toxctl_release.build(tmp_path / "out", package)
    assert (again.version, again.changed) == (first.version, True)
    assert (Path(again.path) / "toxctl/cli.py").read_text()
    (package / "cli.py").write_text("# changed\n")
    assert toxctl_release.build(tmp_path / "out", package).version != first.version


def test_incomplete_checkout_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(toxctl_release.build, "__defaults__", (tmp_path, tmp_path))
    assert toxctl_release.main([]) == 1
    assert "__main__.py is missing: is the checkout complete?" in capsys.readouterr().err
