"""Word vectors that the other app hosts of a cluster need: all of them share one database."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from controller.deploy.errors import DeployError
from controller.deploy.server import Server, opened

__all__ = ["LEAVE", "keeping"]

LEAVE = "--leave-collections"


def keeping(server: Server) -> list[str]:
    """Return the options with which `toxctl prune` keeps what the other app hosts need.

    If one of them cannot say what it needs, no collection is dropped, and a line says why.
    """
    names: set[str] = set()
    for host in server.others:
        try:
            with opened(host) as other:
                names |= named_by(other.toxctl("status").result(), host.name)
        except DeployError as error:
            server.say(
                f"no collection is dropped, because {host.name} may need any of them ({error}): "
                "mend that, or take the host out of the inventory, then rerun `fab prune`"
            )
            return [LEAVE]
    return [word for name in sorted(names) for word in ("--named", name)]


def named_by(report: Mapping[str, Any], host: str) -> set[str]:
    """Return the collections that a host's models name.

    Raises DeployError: it has a model that does not tell, or a release without its model.
    """
    models, found = report["models"], set()
    for model in models:
        collection = model.get("collection")
        unreadable = "manifest.json" in (model.get("damaged") or "")
        if unreadable or not collection:
            # An upload that has just begun has no manifest yet: nothing can return to it.
            if unreadable or model["complete"] or model.get("protected"):
                raise DeployError(f"the manifest of its model {model['name']} cannot be read")
            continue
        found.add(str(collection).partition(".")[2])
    live = report["slots"].get(report["live"]) or {}
    installed = {model["name"] for model in models}
    for release in (report["confirmed"] or {}, live):
        name = posixpath.basename(release.get("model") or "")
        if name and name not in installed:
            raise DeployError(f"its model {name} is in use and missing")
    return found
