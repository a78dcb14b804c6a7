"""The two slots of a server: which is live, what each runs, what was confirmed last.

Two instances of one systemd unit, each with a socket of its own. nginx connects to the fixed path
`live_link`, a symbolic link to the live slot's socket, which a switch replaces by rename.
"""

from __future__ import annotations

import os
import time
from typing import Any, NamedTuple

from toxctl import damage, facts, usable
from toxctl.config import Config
from toxctl.errors import ToxctlError
from toxctl.files import clock, link_target, read_json, write_json

__all__ = ["Release", "Slots"]


class Release(NamedTuple):
    """What a slot runs: an app and a model, both real directories."""

    app: str
    model: str


class Slots:
    """The slots of one server, as its server.json describes them."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.names = config.slots

    def unit(self, slot: str) -> str:
        """Return the name of a slot's unit."""
        return self.config.unit.format(slot=slot)

    def socket(self, slot: str) -> str:
        """Return the path of a slot's socket."""
        return self.config.socket.format(slot=slot)

    def url(self, slot: str) -> str:
        """Return a slot's address on nginx's loopback server; `live` follows the link."""
        return f"{self.config.probe_url.rstrip('/')}/{slot}"

    def live(self) -> str | None:
        """Return the slot that the link points to; None for no link, or one to no slot."""
        target = link_target(self.config.live_link)
        return next((slot for slot in self.names if target == self.socket(slot)), None)

    def idle(self, live: str | None) -> str:
        """Return the slot that a candidate may use: never the live one."""
        return next(slot for slot in self.names if slot != live)

    # ---- what a slot runs from its next start on

    def file(self, slot: str) -> str:
        """Return the file that says what a slot runs."""
        return os.path.join(self.config.slots_dir, f"{slot}.json")

    def pinned(self, slot: str | None) -> Release | None:
        """Return what the slot is set to run; None if that is not known."""
        if slot is None:
            return None
        try:
            value = read_json(self.file(slot))
            return Release(os.path.realpath(value["app"]), os.path.realpath(value["model"]))
        except (ValueError, KeyError, TypeError):
            return None

    def pin(self, slot: str, release: Release) -> None:
        """Let the slot run this release from its next start on."""
        write_json(self.file(slot), release._asdict())

    # ---- what has proven itself

    @property
    def confirmed_file(self) -> str:
        """The file that says what was confirmed last."""
        return os.path.join(self.config.state_dir, "confirmed.json")

    def confirmed(self) -> dict[str, Any] | None:
        """Return what was live last after it had proven itself; None if that is not known."""
        value = read_json(self.confirmed_file)
        try:
            if value["slot"] in self.names and value["app"] and value["model"]:
                return dict(value)
        except (ValueError, KeyError, TypeError):
            pass
        return None

    def confirm(self, slot: str, release: Release) -> dict[str, Any]:
        """Record that the slot has proven this release, and return what is recorded."""
        before = self.confirmed()
        previous = None
        if before is not None:
            same = Release(before["app"], before["model"]) == release
            damaged = damage.known(self.config)
            kept = {name: before.get(name) for name in ("app", "model", "at")}
            # Nothing can return to a damaged release: the one before it stays the previous one.
            useless = before["app"] in damaged or before["model"] in damaged
            previous = before.get("previous") if same or useless else kept
        value = {"slot": slot, **release._asdict(), "at": clock(), "previous": previous}
        deployed = round(time.time())  # the same moment, however long the disk takes
        write_json(self.confirmed_file, value)
        facts.record(os.path.dirname(self.config.path), deployed=deployed)
        return value

    def forget(self, path: str) -> None:
        """Forget a release that was removed: as the previous release, and of idle slots."""
        confirmed = self.confirmed()
        previous = (confirmed or {}).get("previous") or {}
        if confirmed and path in (previous.get("app"), previous.get("model")):
            write_json(self.confirmed_file, {**confirmed, "previous": None})
        for slot in self.names:
            pinned = self.pinned(slot)
            if slot != self.live() and pinned and path in pinned:
                os.unlink(self.file(slot))

    def requested(self, app: str | None, model: str | None) -> Release:
        """Return the release to activate: what is given, the rest as it is now.

        Args:
            app: path or name; None for the live one, or the target of app_link.
            model: path or name; None for the live one.

        Raises:
            ToxctlError: no model is live and none is given, or one of them is not complete, or
                damaged; the given model is not in models_dir.
        """
        live = self.pinned(self.live())
        if model is not None:
            self._require_installed(model)
        elif live is None:
            raise ToxctlError("no model is live yet: give --model, or run `fab deploy-model`")
        else:
            model = live.model
        if app is None:
            app = live.app if live else self.config.app_link
        release = Release(self.config.app_path(app), self.config.model_path(model))
        for kind, path in release._asdict().items():
            usable.require(self.config, kind, path)
        return release

    def _require_installed(self, model: str) -> None:
        """Refuse a model elsewhere: prune and backups do not know what it needs.

        A name in models_dir may be a link to another disk.
        """
        models = self.config.models_dir
        named = os.path.abspath(model if "/" in model else os.path.join(models, model))
        places = {os.path.dirname(path) for path in (named, self.config.model_path(model))}
        if places.isdisjoint((os.path.abspath(models), os.path.realpath(models))):
            raise ToxctlError(
                f"the model {model} is not in {models}, so `toxctl prune` would "
                "drop its word vectors: install it there with `fab deploy-model`"
            )
