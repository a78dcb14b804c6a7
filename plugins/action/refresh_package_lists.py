"""Refresh the package lists of a server: wait for other package managers, name what is broken."""

from __future__ import annotations

import time
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from controller.package_lists.locks import LOCKS, holder_words, left_over, still_locked
from controller.package_lists.repositories import (
    PACMAN_COMMAND,
    SOURCES_COMMAND,
    UPDATE_COMMAND,
    broken_repositories,
    failed_upgrade,
    is_lock,
    is_network,
)

# How often the wait is mentioned, and how long the network may need to come back.
REPORT_SECONDS = 30
NETWORK_SECONDS = 10
NETWORK_RETRIES = 2
DOCUMENTATION = """
name: refresh_package_lists
short_description: Refreshes the package lists when no other package manager runs
description:
  - Waits while cloud-init, unattended-upgrades or anything else holds the package manager's lock,
    and says who does. Then refreshes the lists of apt; yum and dnf do that by themselves.
  - Where pacman has no current lists, upgrades the whole system, the only way that Arch Linux
    supports to refresh them, and returns C(upgraded).
  - Fails with one line for each repository that apt cannot use, with its file and the next command.
  - In check mode it neither waits nor refreshes, since nothing is locked then.
options:
  current:
    description: Whether the lists are known to be current; then it only waits.
    type: bool
    default: false
  cache_valid_time:
    description: Seconds for which lists are current.
    type: int
    default: 0
  lock_timeout:
    description: Seconds to wait for other package managers.
    type: int
    default: 600
  upgrade:
    description: Whether pacman may upgrade the system where O(cache_valid_time) is 0.
    type: bool
    default: true
"""


class Problem(Exception):
    """What the task fails with; may have lines that are shown before it."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(lines[0])
        self.lines = lines


class ActionModule(ActionBase):
    """Runs module package_lock until no lock is held, then apt's module."""

    _VALID_ARGS = frozenset({"cache_valid_time", "current", "lock_timeout", "upgrade"})

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the action's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._variables = task_vars or {}
        self._host = str(self._variables.get("inventory_hostname", ""))
        self._manager = str(self._variables.get("ansible_facts", {}).get("pkg_mgr", ""))
        self._end: float | None = None
        try:
            changed = self._refresh()
            return {**result, "changed": changed, "upgraded": changed and self._manager == "pacman"}
        except Problem as problem:
            lines = problem.lines
        if len(lines) == 1:
            return {**result, "failed": True, "msg": lines[0]}
        # Lines of their own: the default callback shows a result as one line of JSON.
        for line in lines:
            self._display.error(line, wrap_text=False)
        message = f"{len(lines)} repositories of {self._host} cannot be used, see above"
        return {**result, "failed": True, "msg": message, "problems": lines}

    def _seconds(self, name: str, default: int) -> int:
        return int(self._task.args.get(name, default))

    def _refresh(self) -> bool:
        """Wait for the lock and refresh the lists; return whether they changed."""
        if self._task.check_mode:
            return False
        self._wait()
        if boolean(self._task.args.get("current", False)):
            return False
        if self._manager == "pacman":
            return self._upgrade()
        if self._manager != "apt":
            return False
        done = self._module(
            "ansible.legacy.apt",
            update_cache=True,
            cache_valid_time=self._seconds("cache_valid_time", 0),
            update_cache_retries=1,
        )
        if not done.get("failed"):
            return bool(done.get("changed"))
        self._update()
        return True

    def _upgrade(self) -> bool:
        """Upgrade the whole system where it has no current lists; return whether it changed."""
        wanted = boolean(self._task.args.get("upgrade", True))
        if self._seconds("cache_valid_time", 0) or not wanted:
            return False
        self._display.display(
            f"{self._host}: no package lists of today: upgrading the whole system (pacman -Syu)",
            color="bright blue",
        )
        done = self._command(PACMAN_COMMAND)
        if done.get("rc") != 0:
            said = str(done.get("stderr") or done.get("msg", ""))
            if is_lock(said):
                self._wait()
                return self._upgrade()
            raise Problem([failed_upgrade(said, self._host)])
        return "there is nothing to do" not in str(done.get("stdout", ""))

    def _update(self) -> None:
        """Run apt-get, which gives the reasons, and again after what passes by itself."""
        retries = NETWORK_RETRIES
        while True:
            done = self._command(UPDATE_COMMAND)
            said = str(done.get("stderr") or done.get("msg", ""))
            if done.get("rc") == 0:
                return
            if is_lock(said):
                # Taken since: ends with words when the time is over.
                self._wait()
            elif retries and is_network(said):
                retries -= 1
                time.sleep(NETWORK_SECONDS)
            else:
                listed = str(self._command(SOURCES_COMMAND).get("stdout", ""))
                raise Problem(broken_repositories(said, listed, self._host))

    def _wait(self) -> None:
        """Wait until no other package manager runs, with a line for each holder and half minute."""
        locks = LOCKS.get(self._manager, {})
        if not locks:
            return
        found = self._holders(locks, 0)
        seconds = self._seconds("lock_timeout", 600)
        while found:
            # From the first look at a held lock on, however slow the connection was before.
            self._end = self._end or time.monotonic() + seconds
            left = round(self._end - time.monotonic())
            if any(one.get("left_over") for one in found):
                raise Problem([left_over(self._manager, self._host, found)])
            if left <= 0:
                raise Problem([still_locked(self._manager, self._host, found, seconds)])
            self._display.display(
                f"{self._host}: waiting for {self._manager}, locked by {holder_words(found)}; "
                f"giving up in {left} s (package_lists_lock_timeout)",
                color="bright blue",
            )
            found = self._holders(locks, min(REPORT_SECONDS, left))

    def _holders(self, locks: dict[str, list[str]], timeout: int) -> list[dict[str, Any]]:
        done = self._module("package_lock", timeout=timeout, **locks)
        if done.get("failed") or "holders" not in done:
            raise Problem([f"the locks of {self._manager} cannot be read: {done.get('msg', done)}"])
        return list(done["holders"])

    def _command(self, argv: list[str]) -> dict[str, Any]:
        # The words that are searched for are English.
        return self._module("ansible.legacy.command", argv=["env", "LC_ALL=C", *argv])

    def _module(self, name: str, **arguments: Any) -> dict[str, Any]:
        return dict(
            self._execute_module(module_name=name, module_args=arguments, task_vars=self._variables)
        )
