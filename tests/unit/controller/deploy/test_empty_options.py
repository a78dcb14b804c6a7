"""An option with nothing in it, such as a shell variable that is not set, is never its default."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from from_file import from_file
from invoke import Collection
from invoke.exceptions import ParseError
from invoke.parser.argument import Argument

from controller.deploy.errors import DeployError
from controller.deploy.inventory import read_hosts
from controller.deploy.paths import BUNDLE, ROOT, user_path

COLLECTION = Collection.from_module(from_file("fabfile.py"))
EMPTY = ("", " ", "\t\n", "\u00a0")


def texts_of(task: str) -> list[Argument]:
    return [one for one in COLLECTION[task].get_arguments() if one.kind is str]


@pytest.mark.parametrize("task", sorted(COLLECTION.task_names))
def test_no_option_takes_an_empty_text(task: str) -> None:
    for option in texts_of(task):
        for value in EMPTY:
            with pytest.raises(ParseError, match=r"^error: --[a-z0-9-]+ is empty: give it a value"):
                option.value = value
            assert option.raw_value is None
            assert option.value == option.default


def test_options_that_decide_how_much_is_reached_are_among_them() -> None:
    for task, name in (("prune", "limit"), ("restore", "of"), ("deploy-model", "bundle")):
        assert name in {one.name for one in texts_of(task)}


@pytest.mark.parametrize(
    "words",
    [
        ["prune", "--yes", "--limit", ""],
        ["restore", "--of="],
        ["build-model", "--dry-run", "deploy-model", "--bundle", " "],
        ["inspect-model", "--file", ""],
    ],
)
def test_an_empty_option_is_one_line_before_any_task_begins(words: list[str]) -> None:
    done = subprocess.run(  # noqa: S603 (words of the test, no shell)
        [sys.executable, "-m", "controller.deploy.program", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    option = next(one for one in reversed(words) if one.startswith("--")).rstrip("=")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: {option} is empty: give it a value, or leave it out: see `fab --help TASK`\n"
    )


@pytest.mark.parametrize(
    "limit", ["", " ", ",", ":", " , ", "::", "!", "&", "~", "!~", "a,~", "a:~", "~,a", "&~"]
)
def test_a_limit_that_names_no_host_is_not_all_of_them(limit: str) -> None:
    with pytest.raises(DeployError, match=r"^--limit is '.*', which names no host: name one of"):
        read_hosts("a,b,", limit)


def test_a_file_of_a_limit_that_names_no_host_is_not_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    for text in ("", "\n \n"):
        path.write_text(text)
        with pytest.raises(DeployError, match="which names no host"):
            read_hosts("a,b,", f"@{path}")


def test_limits_that_name_hosts_reach_those(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("tox_com_det: {hosts: {web1: , web2: , db1: }}\n")
    (tmp_path / "chosen").write_text("web2\n")
    found = {
        limit: [host.name for host in read_hosts(str(tmp_path / "hosts.yml"), limit)]
        for limit in ("~web,", f"@{tmp_path / 'chosen'}")
    }
    assert list(found.values()) == [["web1", "web2"], ["web2"]]


def test_an_empty_path_is_neither_the_default_nor_the_current_directory() -> None:
    assert user_path(None, BUNDLE) == BUNDLE
    for given in ("", " ", "a\0b"):
        with pytest.raises(DeployError, match="is no path: name a file or a directory"):
            user_path(given, BUNDLE)
