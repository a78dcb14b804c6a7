"""Action `refresh_package_lists`: when it waits, what it repeats, and what it fails with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from from_file import from_file

HOLDER = {"path": "/var/lib/dpkg/lock", "pid": 812, "process": "apt-get", "starter": ""}
LOCKED = {"holders": [HOLDER]}
FREE: dict[str, Any] = {"holders": []}
FAILED = {"failed": True, "msg": "Failed to update apt cache: unknown reason"}
UNREACHABLE = {"rc": 100, "stderr": "E: Failed to fetch http://a/x  Could not resolve 'a'\n"}
TAKEN = {"rc": 100, "stderr": "E: Could not get lock /var/lib/apt/lists/lock\n"}
BROKEN = {"rc": 100, "stderr": "E: The repository 'http://a s Release' does not have a file.\n"}
GOOD = {"rc": 0, "stderr": ""}


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch):
    module = from_file("plugins/action/refresh_package_lists.py")
    monkeypatch.setattr(module, "NETWORK_SECONDS", 0)
    return module


class Server:
    """An action whose modules answer one after the other, each kind in its order."""

    def __init__(self, plugin: Any, manager: str = "apt", check: bool = False, **answers: Any):
        self.answers = answers
        self.calls: list[str] = []
        self.said: list[str] = []
        action = object.__new__(plugin.ActionModule)
        action._task = SimpleNamespace(args={"lock_timeout": 60}, check_mode=check)
        action._display = SimpleNamespace(display=lambda text, **_: self.said.append(text))
        action._manager, action._host, action._end = manager, "nanode", None
        action._module = self.module
        self.action = action

    def module(self, name: str, **arguments: Any) -> dict[str, Any]:
        kind = {"package_lock": "lock", "ansible.legacy.apt": "apt"}.get(name, "")
        kind = kind or ("sources" if "grep" in arguments["argv"] else "update")
        self.calls.append(kind)
        return self.answers[kind].pop(0)

    def refresh(self) -> bool:
        changed = self.action._refresh()
        assert not any(self.answers.values()), f"not asked for: {self.answers}"
        return changed


def test_a_free_lock_costs_one_question_and_no_words(plugin):
    server = Server(plugin, lock=[FREE], apt=[{"changed": False}])
    assert server.refresh() is False
    assert server.said == []


@pytest.mark.parametrize("manager", ["apt", "pacman"])
def test_lists_that_are_known_to_be_current_cost_the_question_only(plugin, manager: str):
    server = Server(plugin, manager, lock=[LOCKED, FREE])
    server.action._task.args["current"] = True
    assert server.refresh() is False
    assert server.calls == ["lock", "lock"]


def test_each_look_at_a_held_lock_is_a_line(plugin):
    server = Server(plugin, lock=[LOCKED, LOCKED, FREE], apt=[{"changed": True}])
    assert server.refresh() is True
    assert len(server.said) == 2
    assert "waiting for apt, locked by apt-get (pid 812); giving up in" in server.said[0]


def test_check_mode_neither_waits_nor_refreshes(plugin):
    server = Server(plugin, check=True)
    assert server.refresh() is False
    assert server.calls == []


@pytest.mark.parametrize("manager", ["dnf", "yum"])
def test_other_package_managers_are_waited_for_and_refresh_themselves(plugin, manager: str):
    server = Server(plugin, manager, lock=[LOCKED, FREE])
    server.refresh()
    assert server.calls == ["lock", "lock"]
    assert f"waiting for {manager}" in server.said[0]


def test_the_end_of_the_wait_fails(plugin):
    server = Server(plugin, lock=[LOCKED, LOCKED])
    server.action._task.args["lock_timeout"] = 0
    with pytest.raises(plugin.Problem, match="still locked after 0 s by apt-get"):
        server.refresh()


def test_a_lock_taken_between_two_steps_is_waited_for_again(plugin):
    server = Server(plugin, lock=[FREE, LOCKED, FREE], apt=[FAILED], update=[TAKEN, GOOD])
    assert server.refresh() is True
    assert len(server.said) == 1


def test_a_network_that_comes_back_is_no_failure(plugin):
    server = Server(plugin, lock=[FREE], apt=[FAILED], update=[UNREACHABLE, GOOD])
    assert server.refresh() is True


def test_a_network_that_stays_away_is_asked_three_times(plugin):
    said = [UNREACHABLE] * 3
    server = Server(plugin, lock=[FREE], apt=[FAILED], update=said, sources=[{"stdout": ""}])
    with pytest.raises(plugin.Problem, match="Could not resolve"):
        server.refresh()
    assert server.calls.count("update") == 3


def test_a_broken_repository_is_not_asked_again(plugin):
    listed = {"stdout": "/etc/apt/sources.list.d/a.list:1:deb http://a s main\n"}
    server = Server(plugin, lock=[FREE], apt=[FAILED], update=[BROKEN], sources=[listed])
    with pytest.raises(plugin.Problem, match=r"a\.list, line 1: does not have a file"):
        server.refresh()


def test_a_server_that_is_lost_meanwhile_is_not_taken_for_a_free_lock(plugin):
    server = Server(plugin, lock=[{"failed": True, "msg": "no route"}])
    with pytest.raises(plugin.Problem, match="cannot be read: no route"):
        server.refresh()


NOTHING = {"rc": 0, "stdout": " there is nothing to do\n", "stderr": ""}


def test_a_new_arch_server_is_upgraded_as_a_whole(plugin):
    server = Server(plugin, "pacman", lock=[FREE], update=[{"rc": 0, "stdout": "upgrading a\n"}])
    assert server.refresh() is True
    assert server.said == [
        "nanode: no package lists of today: upgrading the whole system (pacman -Syu)"
    ]


def test_an_upgrade_without_anything_to_do_is_no_change(plugin):
    assert Server(plugin, "pacman", lock=[FREE], update=[NOTHING]).refresh() is False


@pytest.mark.parametrize("chosen", [{"cache_valid_time": 86400}, {"upgrade": False}])
def test_current_lists_of_arch_are_left_alone_and_so_are_those_of_an_inventory(plugin, chosen):
    server = Server(plugin, "pacman", lock=[FREE])
    server.action._task.args |= chosen
    assert server.refresh() is False
    assert server.said == []


def test_a_lock_that_pacman_meets_later_is_waited_for(plugin):
    taken = {"rc": 1, "stderr": "error: failed to synchronize (unable to lock database)\n"}
    server = Server(plugin, "pacman", lock=[FREE, LOCKED, FREE], update=[taken, NOTHING])
    assert server.refresh() is False


def test_a_failed_upgrade_says_why(plugin):
    said = "warning: a\nerror: failed to commit transaction (conflicting files)\nb: /x exists\n"
    server = Server(plugin, "pacman", lock=[FREE], update=[{"rc": 1, "stderr": said}])
    with pytest.raises(plugin.Problem, match=r"conflicting files.*sudo pacman -Syu.*rerun"):
        server.refresh()


def test_a_lock_that_a_killed_pacman_left_is_not_waited_for(plugin):
    left = {"path": "/var/lib/pacman/db.lck", "pid": 0, "process": "", "starter": ""}
    server = Server(plugin, "pacman", lock=[{"holders": [{**left, "left_over": True}]}])
    with pytest.raises(plugin.Problem, match=r"was killed.*sudo rm /var/lib/pacman/db\.lck"):
        server.refresh()
    assert server.said == []
