"""`fab deploy-app`: the app with its own environment, through the same gate as a model."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.deploy import app_release, gate
from controller.deploy.attempt import Attempt, attempt, hooks_of
from controller.deploy.dry_run import begin_dry_run, would_clean, would_run_hooks
from controller.deploy.errors import DeployError
from controller.deploy.next_steps import ENVIRONMENT
from controller.deploy.paths import APP_PACKAGE, APP_REQUIREMENTS
from controller.deploy.remote_toxctl import ToxctlError
from controller.deploy.server import Server
from controller.deploy.targets import TARGETS, Target
from controller.deploy.transfer import send
from controller.deploy.uploads import check_space, plan_uploads
from controller.progress import megabytes

__all__ = ["deploy_app"]

TASK = "deploy-app"
AFTERMATH = {
    "upload": "the uploaded data is kept; an installation that has begun runs to its end and "
    "switches nothing",
}
NEXT_STEPS = {
    **ENVIRONMENT,
    "collection": "run `fab restore-embeddings`",
    # The live app has read it: this checkout's is older than the live model's bundle.
    "manifest": "use the checkout that built the live model, or build a model with this one and "
    "run `fab deploy-model` first",
    "": "fix it, then rerun `fab deploy-app`",
}
UNPACKED = 4  # an installed release takes about this many times the size of its tar


@dataclass(frozen=True)
class Plan:
    """The app's release, what the server has of it, and what is confirmed there.

    Attributes:
        path: where it is installed and whole; None if it has to be installed.
        problems: what is installed of it and cannot be used, because it is damaged.
    """

    version: str
    path: str | None
    problems: Sequence[str]
    confirmed: Mapping[str, Any]

    @property
    def live(self) -> bool:
        """Whether this very release is live."""
        return self.path is not None and self.confirmed["app"] == self.path

    @property
    def model(self) -> str:
        """The live model, with which the app has to prove itself."""
        return str(self.confirmed["model"])


def target_of(server: Server) -> Target:
    """Return the system that the server's wheels are for."""
    name = server.settings.wheel_target
    if name not in TARGETS:
        raise DeployError(
            f"{server.name} needs wheels for {name}, which this checkout does not support "
            f"({', '.join(sorted(TARGETS))}): update the checkout"
        )
    return TARGETS[name]


def local_version(server: Server) -> str:
    """Return the version of this checkout's app for the server's system."""
    target = target_of(server)
    return app_release.version_of(APP_PACKAGE, APP_REQUIREMENTS / f"{target.name}.txt", target)


def make_plan(server: Server, version: str, dry_run: bool = False) -> Plan:
    """Ask the server; DeployError if no model is live, with which the app could be verified."""
    found = plan_uploads(server, [], dry_run, version)
    if not found.confirmed:
        raise DeployError(
            f"no model is live on {server.name}, so the app cannot be verified: run "
            "`fab restore-embeddings deploy-model` first"
        )
    return Plan(version, found.app, found.app_problems, found.confirmed)


def deploy_app(server: Server, *, dry_run: bool = False) -> bool:
    """Bring this checkout's app into service; return whether anything changed.

    Raises DeployError: the previous release stays live.
    """
    version = local_version(server)
    if dry_run:
        report_plan(server, version)
        return False
    with attempt(server, TASK, version, AFTERMATH) as now:
        plan = make_plan(server, version)
        now.note(**{"from": gate.app_and_model(plan.confirmed)})
        path = plan.path
        if not plan.live:
            try:
                path = bring(now, plan)
                gate.verify(now, plan.model, path)
            except ToxctlError as error:
                what, left = f"app {version}", gate.stays_live(plan.confirmed)
                raise gate.refusal(what, server, error, left, NEXT_STEPS) from None
            now.enter("activate")
        return gate.switch(now, f"app {version}", plan.model, path)


def bring(now: Attempt, plan: Plan) -> str:
    """Build the release, upload its tar and have it installed, unless it is already.

    Returns where it is installed.
    """
    server = now.server
    if plan.path is not None:
        server.say(f"app {plan.version} is already installed")
        return plan.path
    for problem in plan.problems:
        server.say(f"{problem}: app {plan.version} is installed anew")
    release = app_release.build(target_of(server))
    tar = Path(release.tar)
    now.note(hashes={tar.name: release.sha256})
    found = plan_uploads(server, [(tar, None)])
    needed = UNPACKED * tar.stat().st_size
    check_space(server, found.free_bytes, needed, f"app {release.version}")
    now.enter("upload")
    part = send(server, found.uploads[0])
    return str(server.toxctl("install", part, "--sha256", release.sha256).result()["path"])


def report_plan(server: Server, version: str) -> None:
    """Print what a deploy of the app would do."""
    begin_dry_run(server, TASK)
    plan = make_plan(server, version, dry_run=True)
    before = gate.describe(plan.confirmed)
    if plan.live:
        server.say(f"nothing to do: {before} is already live")
        return
    for problem in plan.problems:
        server.say(f"{problem}: app {version} would be installed anew")
    if plan.path is not None:
        server.say(f"upload: nothing, app {version} is already installed")
    else:
        report_upload(server, plan)
    server.say(f"verify: app {version} with model {posixpath.basename(plan.model)}")
    server.say(f"activate: from {before} to app {version}, the model stays; then confirm")
    would_clean(server)
    would_run_hooks(server, hooks_of(server, TASK, version))


def report_upload(server: Server, plan: Plan) -> None:
    """Print what of the release is built, and how much of it is on the server."""
    target = target_of(server)
    tar = app_release.tar_path(target, plan.version)
    path = server.settings.release_path("app", plan.version)
    if plan.problems:
        path = f"{path}.N, the first that is free"
    if not tar.is_file():
        server.say(f"prepare: build {tar.name} with its wheels for {target.name}")
        server.say(f"upload: all of it, then install it in {path}")
        return
    upload = plan_uploads(server, [(tar, None)], dry_run=True).uploads[0]
    room = megabytes(UNPACKED * upload.size)
    server.say(f"upload: {upload}, then install it in {path} (takes about {room})")
