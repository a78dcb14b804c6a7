"""`fab deploy-app`: the app's code with its own environment, through the same gate as a model."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.deploy import app_release, commands, gate
from controller.deploy.attempt import Attempt, attempt, hooks_of
from controller.deploy.dry_run import begin_dry_run, would_clean, would_run_hooks
from controller.deploy.errors import DeployError
from controller.deploy.paths import APP_PACKAGE, APP_REQUIREMENTS, BUILD
from controller.deploy.progress import megabytes
from controller.deploy.servers import Server
from controller.deploy.targets import TARGETS, Target
from controller.deploy.there import check_room, look
from controller.deploy.tools import ToolError, releasectl
from controller.deploy.transfer import bring, must

__all__ = ["deploy_app", "dry_run"]

TASK = "deploy-app"
GOES_ON = {
    "upload": "what was sent stays there; an installation that has begun goes on to its end and "
    "switches nothing",
}
COMMANDS = {
    "collection": "type `fab restore-embeddings`",
    "": "mend it, then type `fab deploy-app` again",
}
UNPACKED = 4  # a release takes about this many times its tar


def system_of(server: Server) -> Target:
    """Return the system the server's wheels are for."""
    name = server.config.wheel_target
    if name not in TARGETS:
        raise DeployError(
            f"{server.name} wants wheels for {name}, which this checkout does not know "
            f"({', '.join(sorted(TARGETS))}): bring the checkout up to date"
        )
    return TARGETS[name]


def version_here(server: Server) -> str:
    """Return the version of the checkout's app for the server's system."""
    system = system_of(server)
    return app_release.version_of(APP_PACKAGE, APP_REQUIREMENTS / f"{system.name}.txt", system)


@dataclass(frozen=True)
class Plan:
    """What a server has of the app's release, and what is confirmed there."""

    version: str
    path: str
    installed: bool
    confirmed: Mapping[str, Any]

    @property
    def live(self) -> bool:
        """Whether this very release is what serves."""
        return self.installed and posixpath.basename(str(self.confirmed["app"])) == self.version


def plan(server: Server, version: str) -> Plan:
    """Ask the server; DeployError where no model is live, so that no app could prove itself."""
    path = posixpath.join(server.config.releases_dir, version)
    found = look(server, [], [path])
    if not found.confirmed:
        raise DeployError(
            f"no model is live on {server.name}, so no app could prove itself: type "
            "`fab restore-embeddings deploy-model` first"
        )
    return Plan(version, path, path in found.complete, found.confirmed)


def deploy_app(server: Server) -> bool:
    """Bring the checkout's app into service; return whether anything changed.

    Raises DeployError: what served before serves on.
    """
    version = version_here(server)
    with attempt(server, TASK, version, GOES_ON) as now:
        found = plan(server, version)
        model = str(found.confirmed["model"])
        now.note(**{"from": gate.told(found.confirmed)})
        if not found.live:
            try:
                bring_app(now, found)
                gate.verify(now, model, found.path)
            except ToolError as error:
                left = "what served before serves on"
                raise gate.refused(f"app {version}", server, error, left, COMMANDS) from None
            now.enter("activate")
        return gate.switch(now, f"app {version}", model, found.path)


def bring_app(now: Attempt, found: Plan) -> None:
    """Build the release, send its tar and have it installed, unless it is there already."""
    server = now.server
    if found.installed:
        server.say(f"app {found.version} is there already")
        return
    release = app_release.build(system_of(server))
    tar = Path(release.tar)
    now.note(hashes={tar.name: release.sha256})
    needed = UNPACKED * tar.stat().st_size
    check_room(server, needed, server.config.releases_dir, f"app {release.version}")
    now.enter("upload")
    part = bring(server.remote, server.config, tar)
    releasectl(server, "install-app", part, "--sha256", release.sha256).answer()
    words = commands.remove(part, server.config.incoming_dir)
    must(server.remote, server.remote.run_as(words), f"remove {part}")


def dry_run(server: Server) -> None:
    """Say what a deploy of the app would do here."""
    version = version_here(server)
    begin_dry_run(server, TASK)
    found = plan(server, version)
    before = gate.release_words(found.confirmed)
    if found.live:
        server.say(f"nothing: {before} is live already")
        return
    if found.installed:
        server.say(f"upload: nothing, app {version} is installed there already")
    else:
        would_send(server, found)
    model = posixpath.basename(str(found.confirmed["model"]))
    server.say(f"verify: app {version} with model {model}")
    server.say(f"activate: from {before} to app {version}, the model stays; then confirm")
    would_clean(server)
    would_run_hooks(server, hooks_of(server, TASK, version))


def would_send(server: Server, found: Plan) -> None:
    """Say what of the release is built, and how much of it is on the server."""
    target = server.config.wheel_target
    tar = BUILD / "app" / target / f"{app_release.PACKAGE}-{found.version}.tar"
    if not tar.is_file():
        server.say(f"prepare: build {tar.name} with its wheels for {target}")
        server.say(f"upload: all of it, then install it in {found.path}")
        return
    item = look(server, [(tar, found.path)]).items[0]
    room = megabytes(UNPACKED * item.size)
    server.say(f"upload: {item.words()}, then install it in {found.path} (takes about {room})")
