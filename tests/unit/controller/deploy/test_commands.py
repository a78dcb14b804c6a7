"""The command lines for a server: every word is quoted, and sudo is used only if needed."""

from __future__ import annotations

import shlex

import pytest

from controller.deploy import commands

ODD = "a b'c;$(touch /tmp/x)\"*"


@pytest.mark.parametrize(
    ("login", "ask", "start"),
    [
        ("deploy", False, ["sudo", "-n", "-u", "root", "--"]),
        ("deploy", True, ["sudo", "-S", "-k", "-p", "", "-u", "root", "--"]),
        ("root", False, []),
    ],
)
def test_words_run_as_root_and_stay_single_words(login: str, ask: bool, start: list[str]) -> None:
    line = commands.as_root(["echo", ODD], login, ask)
    assert shlex.split(line) == [*start, "echo", ODD]


def test_sudo_is_asked_without_a_remembered_password() -> None:
    assert shlex.split(commands.sudo_is_free()) == ["sudo", "-n", "-k", "-u", "root", "--", "true"]


def test_toxctl_is_called_by_its_absolute_path_for_json_lines() -> None:
    words = commands.toxctl("verify", "--model", "/srv/m")
    assert words == ["/usr/local/sbin/toxctl", "--json", "verify", "--model", "/srv/m"]


def test_logs_are_of_both_slots() -> None:
    words = commands.logs("tox_com_det@{slot}.service", 7, follow=True)
    assert words[:5] == ["journalctl", "-u", "tox_com_det@*.service", "-n", "7"]
    assert words[-1] == "-f"
    assert "-f" not in commands.logs("tox_com_det@{slot}.service", 7, follow=False)
