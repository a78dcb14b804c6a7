"""`fab rollback`: return to a release that is still on the server, through the same gate."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.deploy import gate
from controller.deploy.attempt import attempt, hooks_of
from controller.deploy.dry_run import begin_dry_run, would_clean, would_run_hooks
from controller.deploy.errors import DeployError
from controller.deploy.next_steps import ENVIRONMENT
from controller.deploy.remote_toxctl import ToxctlError
from controller.deploy.server import Server

__all__ = ["rollback"]

TASK = "rollback"
LIST = "`fab releases` lists them"
NEXT_STEPS = {
    **ENVIRONMENT,
    "collection": "restore its word vectors with `fab restore-embeddings --bundle DIRECTORY`, the "
    "bundle that it was deployed from, then rerun the command",
    "": "`fab releases` lists the others",
}


@dataclass(frozen=True)
class Goal:
    """The model and the app that are to be live, and what is confirmed now."""

    model: str
    app: str
    confirmed: Mapping[str, Any]

    @property
    def live(self) -> bool:
        """Whether that is live already."""
        return (self.confirmed["model"], self.confirmed["app"]) == (self.model, self.app)

    def __str__(self) -> str:
        return gate.describe({"model": self.model, "app": self.app})


def find_goal(server: Server, name: str | None) -> Goal:
    """Return the release of that name, or the previous release.

    Raises DeployError: nothing live, no previous release, no such release, an incomplete one.
    """
    status = server.toxctl("status").result()
    confirmed = status["confirmed"]
    if not confirmed:
        raise DeployError(f"no model is live on {server.name}: run `fab deploy-model`")
    if name is None:
        previous = confirmed.get("previous")
        if not previous:
            raise DeployError(
                f"{server.name} has no release before {gate.describe(confirmed)}: "
                f"choose one with --release, {LIST}"
            )
        return Goal(str(previous["model"]), str(previous["app"]), confirmed)
    entries = [one for one in [*status["models"], *status["apps"]] if one["name"] == name]
    if not entries:
        raise DeployError(f"{server.name} has no release {name}: {LIST}")
    entry = entries[0]
    if not entry["complete"]:
        raise DeployError(f"the release {name} on {server.name} is incomplete: {LIST}")
    if entry["kind"] == "model":
        return Goal(str(entry["path"]), str(confirmed["app"]), confirmed)
    return Goal(str(confirmed["model"]), str(entry["path"]), confirmed)


def rollback(server: Server, release: str | None = None, *, dry_run: bool = False) -> bool:
    """Return to a release, by default the previous one; return whether anything changed.

    Raises DeployError: the release that was live stays live.
    """
    if dry_run:
        report_plan(server, release)
        return False
    with attempt(server, TASK, release or "") as now:
        goal = find_goal(server, release)
        to = {"app": goal.app, "model": goal.model}
        now.note(**{"from": gate.app_and_model(goal.confirmed)}, to=to)
        if not goal.live:
            server.say(f"from {gate.describe(goal.confirmed)} to {goal}")
            try:
                gate.verify(now, goal.model, goal.app)
            except ToxctlError as error:
                left = f"{gate.describe(goal.confirmed)} stays live"
                raise gate.refusal(str(goal), server, error, left, NEXT_STEPS) from None
            now.enter("activate")
        return gate.switch(now, str(goal), goal.model, goal.app)


def report_plan(server: Server, release: str | None) -> None:
    """Print what a rollback would do."""
    begin_dry_run(server, TASK)
    goal = find_goal(server, release)
    if goal.live:
        server.say(f"nothing to do: {goal} is already live")
        return
    server.say(f"verify: {goal}, as it is on the server; nothing is uploaded")
    server.say(f"activate: from {gate.describe(goal.confirmed)} to {goal}; then confirm")
    would_clean(server)
    would_run_hooks(server, hooks_of(server, TASK, release or posixpath.basename(goal.model)))
