"""`fab deploy-app`: the app's code with its own environment, through the same gate as a model."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy import app_release, commands, gate
from deploy.attempt import attempt, hooks_of
from deploy.dry_run import begin_dry_run, would_clean, would_run_hooks
from deploy.errors import DeployError
from deploy.paths import APP_PACKAGE, APP_REQUIREMENTS, BUILD
from deploy.progress import megabytes
from deploy.servers import Server
from deploy.targets import TARGETS, Target
from deploy.there import check_room, look
from deploy.tools import ToolError, releasectl
from deploy.transfer import bring, must

__all__ = ["deploy_app", "dry_run"]

TASK = "deploy-app"
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


def releases(server: Server) -> dict[str, Any]:
    """Return what is on the server; DeployError where no model is live, so nothing could switch."""
    found = releasectl(server, "releases").answer()
    if not found["confirmed"]:
        raise DeployError(
            f"no model is live on {server.name}, so no app could prove itself: type "
            "`fab restore-embeddings deploy-model` first"
        )
    return found


def installed(found: Mapping[str, Any], version: str) -> str | None:
    """Return where a complete release of the version is, None when there is none."""
    for entry in found["apps"]:
        if entry["name"] == version and entry["complete"]:
            return str(entry["path"])
    return None


def deploy_app(server: Server) -> bool:
    """Bring the checkout's app into service; return whether anything changed.

    Raises DeployError: what served before serves on.
    """
    version = version_here(server)
    with attempt(server, TASK, version) as now:
        found = releases(server)
        confirmed = found["confirmed"]
        path = installed(found, version)
        now.note(**{"from": gate.told(confirmed)})
        live = path is not None and posixpath.basename(str(confirmed["app"])) == version
        if not live:
            if path is None:
                release = app_release.build(system_of(server))
                now.note(hashes={Path(release.tar).name: release.sha256})
                path = install(server, now.enter, release, int(found["free_bytes"]))
            else:
                server.say(f"app {version} is there already")
            try:
                gate.verify(now, str(confirmed["model"]), path)
            except ToolError as error:
                raise refusal(server, version, error) from None
            now.enter("activate")
        return gate.switch(now, f"app {version}", str(confirmed["model"]), path)


def install(server: Server, enter: Any, release: app_release.AppRelease, free: int) -> str:
    """Send the release's tar and have it installed; return its directory."""
    tar = Path(release.tar)
    check_room(server, UNPACKED * tar.stat().st_size, free, f"app {release.version}")
    enter("upload")
    part = bring(server.remote, server.config, tar)
    server.say(f"installing app {release.version}")
    call = releasectl(server, "install-app", part, "--sha256", release.sha256)
    path = str(call.answer()["path"])
    words = commands.remove(part, server.config.incoming_dir)
    must(server.remote, server.remote.run_as(words), f"remove {part}")
    return path


def refusal(server: Server, version: str, error: ToolError) -> DeployError:
    """Return the line for an app that does not do with the live model what it should."""
    command = "`fab restore-embeddings`" if error.kind == "collection" else "`fab deploy-app`"
    return DeployError(
        f"app {version} was not put into service on {server.name} ({error}); what served before "
        f"serves on: mend it, then type {command}",
        error.details,
    )


def dry_run(server: Server) -> None:
    """Say what a deploy of the app would do here."""
    version = version_here(server)
    begin_dry_run(server, TASK)
    found = releases(server)
    confirmed = found["confirmed"]
    if posixpath.basename(str(confirmed["app"])) == version:
        server.say(f"nothing: {gate.release_words(confirmed)} is live already")
        return
    if installed(found, version):
        server.say(f"upload: nothing, app {version} is installed there already")
    else:
        would_send(server, version)
    server.say(f"verify: app {version} with model {posixpath.basename(str(confirmed['model']))}")
    before = gate.release_words(confirmed)
    server.say(f"activate: from {before} to app {version}, the model stays; then confirm")
    would_clean(server)
    would_run_hooks(server, hooks_of(server, TASK, version))


def would_send(server: Server, version: str) -> None:
    """Say what of the release is built, and how much of it is on the server."""
    tar = BUILD / "app" / server.config.wheel_target / f"{app_release.PACKAGE}-{version}.tar"
    final = posixpath.join(server.config.releases_dir, version)
    if not tar.is_file():
        server.say(f"prepare: build {tar.name} with its wheels for {server.config.wheel_target}")
        server.say(f"upload: all of it, then install it in {final}")
        return
    item = look(server, [(tar, final)])[0]
    room = megabytes(UNPACKED * item.size)
    server.say(f"upload: {item.words()}, then install it in {final} (takes about {room})")
