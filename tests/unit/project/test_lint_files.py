"""Each Python and shell file of the project reaches its linters, with or without a suffix."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from lint_files import PROJECT, files_of, language, main, project_files

# Written down here, not taken from lint_files.
FIRST_LINES = {
    b"#!/bin/sh": "shell",
    b"#!/bin/bash": "shell",
    b"#!/usr/bin/env bash": "shell",
    b"#!/usr/bin/env python3": "python",
    b"#!/usr/bin/python3": "python",
}


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 (the developer's own git)
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [Path(name) for name in listed.split("\0") if name and (PROJECT / name).is_file()]


@pytest.mark.skipif(not (PROJECT / ".git").exists(), reason="this is not a Git checkout")
@pytest.mark.parametrize(("kind", "suffix"), [("python", ".py"), ("shell", ".sh")])
def test_no_tracked_file_is_missing(kind: str, suffix: str):
    listed = files_of(kind)
    assert listed
    for path in tracked():
        if (PROJECT / path).is_symlink():
            # Its target is checked under its own name.
            assert path.suffix != suffix or (PROJECT / path).resolve().is_relative_to(PROJECT)
            continue
        first = (PROJECT / path).read_bytes().split(b"\n", 1)[0]
        expected = path.suffix == suffix or FIRST_LINES.get(first) == kind
        # Jinja: tests/unit/roles checks the file that the template becomes.
        expected = expected and path.suffix != ".j2"
        if first.startswith(b"#!") and not path.suffix:
            assert first in FIRST_LINES, f"{path}: add {first!r} to FIRST_LINES"
        assert (path in listed) == expected, path


def test_programs_without_a_suffix_are_found():
    assert Path("bench/embeddings") in files_of("python")
    assert {Path(".ci/run"), Path("scripts/venv"), Path("scripts/test")} <= set(files_of("shell"))


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.py", "", "python"),
        ("a.pyi", "", "python"),
        ("a.sh", "", "shell"),
        ("a", "#!/usr/bin/env python3\n", "python"),
        ("a", "#!/usr/bin/env -S python3 -I\n", "python"),
        ("a", "#! /usr/libexec/platform-python\n", "python"),
        ("a", "#!/usr/bin/python3.11 -I\n", "python"),
        ("a", "#!/bin/sh\n", "shell"),
        ("a", "#!/usr/bin/env bash\n", "shell"),
        ("a", "#!/usr/bin/perl\n", None),
        ("a", "#!/usr/bin/shellcheck\n", None),
        ("a.conf", "# python\n", None),
        ("a", "", None),
        ("a.py.j2", "#!/usr/bin/python3\n", None),
    ],
)
def test_suffix_and_first_line_tell_the_language(tmp_path: Path, name: str, text: str, found: str):
    (tmp_path / name).write_text(text)
    assert language(tmp_path / name) == found


def test_binary_files_and_links_are_left_out(tmp_path: Path):
    (tmp_path / "data").write_bytes(bytes(range(256)))
    (tmp_path / "one.py").touch()
    (tmp_path / "two.py").symlink_to("one.py")
    assert files_of("python", tmp_path) == [Path("one.py")]
    assert project_files(tmp_path) == [Path("data"), Path("one.py")]


def test_a_new_file_is_found_before_it_is_committed_and_an_ignored_one_is_not(tmp_path: Path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)  # noqa: S603, S607 (git itself)
    (tmp_path / ".gitignore").write_text("/build/\n")
    for name in ("build/made.py", "scripts/new"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("#!/usr/bin/env python3\n")
    assert files_of("python", tmp_path) == [Path("scripts/new")]


@pytest.mark.parametrize("git", [False, True])
def test_without_a_listing_of_git_the_files_are_searched(tmp_path: Path, git: bool):
    if git:
        (tmp_path / ".git").write_text("gitdir: /nonexistent\n")
    for name in (".ci/run", "build/made", ".venv/bin/activate"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("#!/bin/sh\n")
    assert files_of("shell", tmp_path) == [Path(".ci/run")]


def test_the_command_prints_one_file_a_line(capsys: pytest.CaptureFixture[str]):
    assert main(["shell"]) == 0
    assert ".ci/run" in capsys.readouterr().out.splitlines()
    assert main(["fortran"]) == 2
