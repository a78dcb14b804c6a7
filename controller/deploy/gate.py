"""The gate that every switch goes through: verify, activate and confirm, then clean."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from controller.deploy import commands
from controller.deploy.attempt import SWITCHING, Attempt
from controller.deploy.connection import ConnectionLost
from controller.deploy.errors import DeployError
from controller.deploy.progress import megabytes
from controller.deploy.servers import Server
from controller.deploy.tools import ToolError, releasectl, slotctl

__all__ = ["activate", "refused", "release_words", "switch", "told", "verify"]


def release_options(model: str | None, app: str | None) -> list[str]:
    """Return the options of both tools for what is to run; what is not given stays as it is."""
    options = ["--model", model] if model else []
    return [*options, "--app", app] if app else options


def release_words(release: Mapping[str, Any] | None) -> str:
    """Return model and app of a confirmed state in words."""
    if not release:
        return "nothing"
    names = (posixpath.basename(str(release[key])) for key in ("model", "app"))
    return "model {} with app {}".format(*names)


def told(release: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return app and model of a state for the audit."""
    return {key: (release or {}).get(key) for key in ("app", "model")}


def verify(now: Attempt, model: str, app: str | None = None) -> None:
    """Let the server prove the release beside what serves; ToolError when it is not good."""
    now.enter("verify")
    found = releasectl(now.server, "verify", *release_options(model, app)).answer()
    now.server.say(
        f"{found['known_answers']} known answers come out (largest difference "
        f"{found['worst']:.1e}), {found['count']} words in {found['collection']}, "
        f"{megabytes(found['peak_bytes'])} of memory (limit {megabytes(found['limit_bytes'])})"
    )


def activate(now: Attempt, model: str | None = None, app: str | None = None) -> dict[str, Any]:
    """Switch, and watch it: slotctl's lines drive the phases and their hooks.

    Returns slotctl's result. Raises DeployError: the old version serves (again), with the probe's
    answer and the journal's lines in its details.
    """
    refused: list[DeployError] = []

    def on_phase(phase: str) -> None:
        if phase not in SWITCHING or refused:
            return
        try:
            now.enter(phase)
        except ConnectionLost:
            raise
        except DeployError as error:
            refused.append(error)
            now.server.say(f"{error}; going back")
            now.server.remote.run_as(commands.slotctl(now.server.config, "stop"))

    call = slotctl(now.server, "activate", *release_options(model, app), "--json")
    try:
        result = call.answer(on_phase)
    except ToolError as error:
        reason = refused[0] if refused else error
        raise DeployError(f"{reason}; {back_words(error.answer)}", error.details) from None
    if not refused and result["changed"]:
        try:
            now.leave()
        except DeployError as error:
            refused.append(error)
    if refused:  # the switch was over before it could be stopped
        raise DeployError(f"{refused[0]}; {go_back(now.server, result.get('previous'))}")
    return result


def back_words(answer: Mapping[str, Any]) -> str:
    """Return what a failed activation left, and how fast."""
    back = answer.get("back_seconds")
    if isinstance(back, int | float):
        return f"the old version was back after {back:.1f} s"
    return "the old version served all the time"


def go_back(server: Server, previous: Mapping[str, Any] | None) -> str:
    """Activate what was before a switch that is complete; return what came of it in words."""
    if not previous:
        return "nothing was live before, so the new version stays: `fab status`"
    try:
        options = release_options(str(previous["model"]), str(previous["app"]))
        slotctl(server, "activate", *options, "--json").answer()
    except ConnectionLost:
        raise
    except DeployError as error:
        return f"going back to {release_words(previous)} failed ({error}): `fab status`"
    return f"{release_words(previous)} is live again"


def refused(
    what: str, server: Server, error: ToolError, left: str, commands_of: Mapping[str, str]
) -> DeployError:
    """Return the line for a release that the server refused, with the next command for that kind.

    `commands_of`: kind of failure -> next command, "" for all others. A command that the server's
    own words name is not said twice.
    """
    command = commands_of.get(error.kind, commands_of[""])
    named = command.partition("`")[2].partition("`")[0]
    words = f"{what} was not put into service on {server.name} ({error}); {left}"
    if not named or f"`{named}`" not in words:
        words = f"{words}: {command}"
    return DeployError(words, error.details)


def switch(now: Attempt, what: str, model: str | None = None, app: str | None = None) -> bool:
    """Activate what was verified, or is live already, and clean up; return whether it changed."""
    now.note(to={"app": app, "model": model})
    result = activate(now, model, app)
    now.note(to=told(result))
    if not result["changed"]:
        now.result = "nothing"
        return False
    clean(now)
    now.leave()
    now.server.say(f"{what} is live ({now.times()})")
    return True


def clean(now: Attempt) -> None:
    """Remove what no longer has to be kept; a failure here takes nothing back."""
    now.enter("clean")
    try:
        found = releasectl(now.server, "prune", "--auto", "--session", now.session.id).answer()
    except ConnectionLost:
        raise
    except DeployError as error:
        now.server.say(f"warning: nothing was cleaned up ({error}): type `fab prune`")
        return
    if found["remove"]:
        names = ", ".join(f"{item['kind']} {item['name']}" for item in found["remove"])
        now.server.say(f"removed {names}")
