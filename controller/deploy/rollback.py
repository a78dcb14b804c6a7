"""`fab rollback`: back to a release that is still there, through the same gate as a new one."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.deploy import gate
from controller.deploy.attempt import attempt, hooks_of
from controller.deploy.dry_run import begin_dry_run, would_clean, would_run_hooks
from controller.deploy.errors import DeployError
from controller.deploy.servers import Server
from controller.deploy.tools import ToolError, releasectl

__all__ = ["dry_run", "rollback"]

TASK = "rollback"
COMMANDS = {
    "collection": "bring its word vectors with `fab restore-embeddings --bundle` first",
    "": "`fab releases` lists the others",
}


@dataclass(frozen=True)
class Target:
    """What is to be live, and what is."""

    model: str
    app: str
    confirmed: Mapping[str, Any]

    @property
    def live(self) -> bool:
        """Whether that is what serves already."""
        return (self.confirmed["model"], self.confirmed["app"]) == (self.model, self.app)

    @property
    def words(self) -> str:
        """Model and app in words."""
        return gate.release_words({"model": self.model, "app": self.app})


def target(server: Server, name: str | None) -> Target:
    """Return where to go back to: the named release, or what was confirmed before.

    Raises DeployError: nothing live, nothing before, no such release, one that is not complete.
    """
    found = releasectl(server, "releases").answer()
    confirmed = found["confirmed"]
    if not confirmed:
        raise DeployError(f"no model is live on {server.name}: type `fab deploy-model`")
    if name is None:
        previous = confirmed.get("previous")
        if not previous:
            raise DeployError(
                f"nothing was live on {server.name} before {gate.release_words(confirmed)}: "
                "name a release with --release, `fab releases` lists them"
            )
        return Target(str(previous["model"]), str(previous["app"]), confirmed)
    entries = [entry for entry in [*found["models"], *found["apps"]] if entry["name"] == name]
    if not entries:
        raise DeployError(f"{server.name} has no release {name}: `fab releases` lists them")
    entry = entries[0]
    if not entry["complete"]:
        raise DeployError(
            f"the release {name} on {server.name} is not complete: `fab releases` lists them"
        )
    if entry["kind"] == "model":
        return Target(str(entry["path"]), str(confirmed["app"]), confirmed)
    return Target(str(confirmed["model"]), str(entry["path"]), confirmed)


def rollback(server: Server, name: str | None) -> bool:
    """Go back; return whether anything changed. DeployError: what served before serves on."""
    with attempt(server, TASK, name or "") as now:
        aim = target(server, name)
        now.note(**{"from": gate.told(aim.confirmed)}, to={"app": aim.app, "model": aim.model})
        if not aim.live:
            server.say(f"from {gate.release_words(aim.confirmed)} to {aim.words}")
            try:
                gate.verify(now, aim.model, aim.app)
            except ToolError as error:
                left = "what served before serves on"
                raise gate.refused(aim.words, server, error, left, COMMANDS) from None
            now.enter("activate")
        return gate.switch(now, aim.words, aim.model, aim.app)


def dry_run(server: Server, name: str | None) -> None:
    """Say where a rollback would go."""
    begin_dry_run(server, TASK)
    aim = target(server, name)
    if aim.live:
        server.say(f"nothing: {aim.words} is live already")
        return
    server.say(f"verify: {aim.words}, as it is on the server; nothing is sent")
    server.say(f"activate: from {gate.release_words(aim.confirmed)} to {aim.words}; then confirm")
    would_clean(server)
    release = posixpath.basename(aim.model) if name is None else name
    would_run_hooks(server, hooks_of(server, TASK, release))
