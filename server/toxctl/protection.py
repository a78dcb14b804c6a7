"""Why a release may be neither removed nor written over. Every verb that could do either asks here.

What a slot runs, is set to run, what was confirmed, the previous release and what current-app names
are protected, whatever state their directories are in.
"""

from __future__ import annotations

import os

from toxctl import memory, systemd
from toxctl.config import Config
from toxctl.errors import ToxctlError
from toxctl.slots import Slots

__all__ = ["Protection"]

# What toxctl run-slot puts into the environment of a slot's process.
RUNNING = {"app": "SLOT_APP", "model": "TOX_COM_DET_MODEL"}


class Protection:
    """Which releases of a server are protected at this moment, and why.

    Attributes:
        in_use: real directory -> reason, of what runs or is confirmed.
        kept: the same, of what only a return would need: previous releases, and idle slots.
        unknown: why some release may be in use whose name is not known; "" if that is not so.
    """

    def __init__(self, config: Config) -> None:
        slots = Slots(config)
        self.in_use: dict[str, str] = {}
        self.kept: dict[str, str] = {}
        self.unknown = ""
        live, confirmed = slots.live(), slots.confirmed()
        if confirmed:
            self._add(self.kept, confirmed.get("previous") or {}, "it is the previous release")
        for slot in slots.names:
            self._add_slot(slots, slot, is_live=slot == live)
        if confirmed:
            self._add(self.in_use, confirmed, "it is the confirmed release")
        elif os.path.lexists(slots.confirmed_file):
            self.unknown = self.unknown or (
                f"{slots.confirmed_file} cannot be read, so the previous release is not known: run "
                "`sudo toxctl activate` on the server, which writes it again"
            )
        if os.path.lexists(config.app_link):
            self.in_use.setdefault(os.path.realpath(config.app_link), "current-app names it")

    @staticmethod
    def _add(to: dict[str, str], release: dict[str, str], why: str) -> None:
        for kind in RUNNING:
            if release.get(kind):
                to.setdefault(os.path.realpath(release[kind]), why)

    def _add_slot(self, slots: Slots, slot: str, is_live: bool) -> None:
        """Add what a slot's file names, and what its process has started with."""
        pinned, state = slots.pinned(slot), systemd.unit_state(slots.unit(slot))
        named = pinned._asdict() if pinned else {}
        if is_live:
            self._add(self.in_use, named, "it is live")
        if state.running:
            running = _release_of_process(state.main_pid)
            self._add(self.in_use, named, f"slot {slot} runs it")
            self._add(self.in_use, running, f"slot {slot} runs it")
            if not named and not running:
                recover = "`sudo toxctl recover` on the server"
                command = recover if slots.confirmed() else "`fab deploy-model`"
                self.unknown = (
                    f"slot {slot} runs a release that {slots.file(slot)} does not name: run "
                    f"{command}"
                )
        else:
            self._add(self.kept, named, f"slot {slot} is set to run it")

    def gone(self) -> list[str]:
        """Return the real directories of what is in use, but is not there, as without its disk."""
        return sorted(path for path in self.in_use if not os.path.isdir(path))

    def why(self, path: str, damaged: bool = False) -> str:
        """Return why a release is protected; "" if it is not.

        Args:
            path: its real directory.
            damaged: it is damaged, so that nothing returns to it: only what is in use counts.
        """
        if path in self.in_use:
            return self.in_use[path]
        if self.unknown:
            return self.unknown
        return "" if damaged else self.kept.get(path, "")

    def require_free(self, path: str, refused: str) -> None:
        """Raise ToxctlError, kind `protected`, if a release is protected.

        Args:
            path: its real directory.
            refused: what is not done, such as `is not removed`.
        """
        why = self.why(path)
        if why:
            step = "" if "`" in why else ": see `fab status`"
            raise ToxctlError(f"{path} {refused}, because {why}{step}", "protected")


def _release_of_process(pid: int) -> dict[str, str]:
    """Return app and model that a slot's process was started with; {} if that cannot be read."""
    try:
        with open(f"{memory.PROC}/{pid}/environ", "rb") as file:
            lines = os.fsdecode(file.read()).split("\0")
    except OSError:
        return {}
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return {kind: values[name] for kind, name in RUNNING.items() if values.get(name)}
