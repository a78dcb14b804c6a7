"""The gate that every switch passes: verify, activate and confirm, then clean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from controller.deploy.attempt import SWITCHING, Attempt
from controller.deploy.balancer import without
from controller.deploy.errors import DeployError
from controller.deploy.releases import describe
from controller.deploy.remote import ConnectionLost
from controller.deploy.remote_toxctl import ToxctlError
from controller.deploy.server import Server
from controller.deploy.word_vectors import LEAVE
from controller.progress import megabytes

__all__ = ["app_and_model", "describe", "refusal", "stays_live", "switch", "verify"]

NAMED = ("damaged", "protected", "nginx")  # kinds whose message ends with the next command
ADVICE = re.compile(r": (re)?run `fab [^`]+`( again)?$")
NOTHING = "nothing is live, as before"


def release_options(model: str | None, app: str | None) -> list[str]:
    """Return toxctl's options for what is to run; what is not given stays as it is."""
    options = ["--model", model] if model else []
    return [*options, "--app", app] if app else options


def app_and_model(release: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return app and model of a release for the audit log."""
    return {key: (release or {}).get(key) for key in ("app", "model")}


def stays_live(release: Mapping[str, Any] | None) -> str:
    """Return what stays as it was, by what is confirmed; its app and model may be None."""
    is_live = any(app_and_model(release).values())
    return "the previous release stays live" if is_live else NOTHING


def verify(now: Attempt, model: str, app: str | None = None, complete: bool = False) -> None:
    """Verify the release beside the live one; ToxctlError if it fails.

    `complete`: a model that passes is marked as complete.
    """
    now.enter("verify")
    options = [*release_options(model, app), *(["--complete"] if complete else [])]
    found = now.server.toxctl("verify", *options).result()
    now.server.say(
        f"{found['golden_outputs']} golden outputs match (largest difference "
        f"{found['worst']:.1e}), {found['count']} words in {found['collection']}, "
        f"{megabytes(found['peak_bytes'])} of memory (limit {megabytes(found['limit_bytes'])})"
    )


def activate(now: Attempt, model: str | None = None, app: str | None = None) -> dict[str, Any]:
    """Switch, and watch it: toxctl reports the phases, which run their hooks.

    Returns toxctl's result. Raises DeployError: the previous release is live, with the health
    check's answer and the journal's lines in its details.
    """
    failures: list[DeployError] = []

    def on_phase(phase: str) -> None:
        if phase not in SWITCHING or failures:
            return
        try:
            now.enter(phase)
        except ConnectionLost:
            raise
        except DeployError as error:
            failures.append(error)
            now.say(f"{error}; rolling back")
            stop(now.server)

    call = now.server.toxctl("activate", *release_options(model, app))
    call.say = now.say
    try:
        result = call.result(on_phase)
    except ToxctlError as error:
        reason = failures[0] if failures else error
        left = rolled_back(error.answer, now.notes.get("from"))
        raise DeployError(f"{reason}; {left}", error.details) from None
    now.server.switched = bool(result["changed"])
    now.note(to=app_and_model(result))
    if not failures and result["changed"]:
        try:
            now.leave()
        except DeployError as error:
            failures.append(error)
    if failures:  # the switch was complete before it could be stopped
        raise DeployError(f"{failures[0]}; {return_to(now.server, result.get('previous'))}")
    return result


def stop(server: Server) -> None:
    """Make the running activation roll back; one that completes all the same is undone later."""
    try:
        server.toxctl("stop").result()
    except ConnectionLost:
        raise
    except DeployError as error:
        server.say(f"warning: the activation could not be stopped ({error})")


def rolled_back(answer: Mapping[str, Any], before: Mapping[str, Any] | None) -> str:
    """Return what a failed activation left, and how fast the rollback was.

    `before`: app and model that were live.
    """
    seconds = answer.get("back_seconds")
    if isinstance(seconds, int | float):
        return f"rolled back to the previous release after {seconds:.1f} s"
    if not any(app_and_model(before).values()):
        return NOTHING
    if answer.get("serving") is False:
        return "no request is answered at the moment"
    return "the previous release stayed live"


def return_to(server: Server, previous: Mapping[str, Any] | None) -> str:
    """Activate the release that was live before a complete switch; return what came of it."""
    if not previous:
        return "nothing was live before, so the new release stays live: see `fab status`"
    try:
        options = release_options(str(previous["model"]), str(previous["app"]))
        server.toxctl("activate", *options).result()
    except ConnectionLost:
        raise
    except DeployError as error:
        return f"the rollback to {describe(previous)} failed ({error}): see `fab status`"
    server.switched = False
    return f"rolled back to {describe(previous)}"


def refusal(
    what: str, server: Server, error: ToxctlError, left: str, next_steps: Mapping[str, str]
) -> DeployError:
    """Return the line for a release that failed its verification.

    Args:
        what: the release.
        server: where it failed.
        error: toxctl's refusal.
        left: the state of the server.
        next_steps: kind of failure -> next command, "" for all others. A command that is already
            in toxctl's own message is not repeated.
    """
    step = next_steps.get(error.kind, next_steps[""])
    if error.kind in NAMED:
        return DeployError(
            f"{what} did not go live on {server.name}; {left}: {error}", error.details
        )
    command = step.partition("`")[2].partition("`")[0]
    # An app cannot know that it is the wrong one: what it advises would not help.
    reason = ADVICE.sub("", str(error)) if error.kind == "manifest" else str(error)
    words = f"{what} did not go live on {server.name} ({reason}); {left}"
    if not command or (f"`{command}`" not in words and f"`{command} -" not in words):
        words = f"{words}: {step}"
    return DeployError(words, error.details)


def switch(now: Attempt, what: str, model: str | None = None, app: str | None = None) -> bool:
    """Activate what was verified, or is already live, and clean up; return whether it changed."""
    now.note(to={"app": app, "model": model})
    # In another phase it is live already: nothing will be switched.
    balancers = now.server.balancers if now.phase == "activate" else ()
    with without(balancers, now.server.name):
        result = activate(now, model, app)
    if not result["changed"]:
        now.outcome = "nothing"
        return False
    clean(now)
    now.leave()
    now.server.say(f"{what} is live ({now.times()})")
    return True


def clean(now: Attempt) -> None:
    """Remove what no longer has to be kept; a failure here undoes nothing."""
    now.enter("clean")
    shared = len(now.server.remote.host.app_hosts) > 1  # the others may need the collections
    options = ["--auto", *[LEAVE] * shared, "--session", now.session.id]
    try:
        found = now.server.toxctl("prune", *options).result()
    except ConnectionLost:
        raise
    except DeployError as error:
        now.server.say(f"warning: nothing was cleaned up ({error}): run `fab prune`")
        return
    if found["remove"]:
        names = ", ".join(f"{item['kind']} {item['name']}" for item in found["remove"])
        now.server.say(f"removed {names}")
