"""`fab deploy-model`: send a model, prove it beside what serves, switch to it."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.deploy import commands, gate
from controller.deploy.attempt import Attempt, attempt, hooks_of
from controller.deploy.bundle import Bundle, sha256_of
from controller.deploy.dry_run import begin_dry_run, would_clean, would_run_hooks
from controller.deploy.errors import DeployError
from controller.deploy.servers import Server
from controller.deploy.there import Item, check_room, look, send, sizes
from controller.deploy.tools import ToolError, releasectl
from controller.deploy.transfer import must

__all__ = ["deploy_model", "dry_run"]

TASK = "deploy-model"
# Failures that are not the release's fault: its files stay for the next try.
NOT_ITS_FAULT = ("collection", "database", "other")
COMMANDS = {
    "collection": "type `fab restore-embeddings`",
    "memory": "see `fab status` for what uses the memory",
    "database": "see `fab status`, then type `fab deploy-model` again",
    "other": "see `fab status`, then type `fab deploy-model` again",
    "hash": "type `fab deploy-model` again",  # it was whole when it left this laptop
    "": "build it again with `fab build-model`",
}


@dataclass(frozen=True)
class Plan:
    """What a server has of the model, and what is confirmed there."""

    directory: str
    items: list[Item]
    complete: bool
    confirmed: Mapping[str, Any] | None

    @property
    def live(self) -> bool:
        """Whether this very model is what serves, with the same hashes."""
        there = self.complete and all(item.placed for item in self.items)
        model = (self.confirmed or {}).get("model")
        return there and model is not None and posixpath.basename(model) == self.name

    @property
    def name(self) -> str:
        """The release's name."""
        return posixpath.basename(self.directory)


def plan(server: Server, bundle: Bundle) -> Plan:
    """Ask the server what it has of the bundle.

    A release is named by the model's version, which leaves out what decides no score (known
    answers, versions of tools). A complete one is never written to again, the live slot checks
    itself against it: the same model with another manifest gets a directory of its own.
    """
    first = server.config.model_dir(bundle.version)
    own = f"{first}-{sha256_of(bundle.model_files[0])[:8]}"
    wanted = [
        (path, posixpath.join(directory, path.name))
        for directory in (first, own)
        for path in bundle.model_files
    ]
    found = look(server, wanted, [first, own])
    there, owned = (found.items[: len(wanted) // 2], found.items[len(wanted) // 2 :])
    if first in found.complete and not there[0].placed:
        return Plan(own, owned, own in found.complete, found.confirmed)
    return Plan(first, there, first in found.complete, found.confirmed)


def deploy_model(server: Server, bundle: Bundle) -> bool:
    """Bring the model into service; return whether anything changed.

    Raises DeployError: what served before serves on.
    """
    with attempt(server, TASK, bundle.version) as now:
        found = plan(server, bundle)
        now.note(**{"from": gate.told(found.confirmed)}, hashes=hashes(found.items))
        if not found.live:
            bring(now, found, bundle)
        return gate.switch(now, f"model {found.name}", model=found.directory)


def bring(now: Attempt, found: Plan, bundle: Bundle) -> None:
    """Send the release and have it proven; DeployError leaves nothing half done behind."""
    server = now.server
    needed = sum(item.missing for item in found.items)
    check_room(server, needed, server.config.models_dir, "the model")
    now.enter("upload")
    sent = send(server, found.items)
    server.say(f"model {found.name} {'sent' if sent else 'was there already'}")
    try:
        gate.verify(now, found.directory)
    except ToolError as error:
        raise refusal(server, found, error) from None
    words = commands.mark_complete(found.directory)
    must(server.remote, server.remote.run_as(words), f"complete {found.directory}")
    now.enter("activate")


def refusal(server: Server, found: Plan, error: ToolError) -> DeployError:
    """Return the line for a release that was not good, and remove what is there of it."""
    left = "what served before serves on"
    if error.kind not in NOT_ITS_FAULT and not found.complete:
        try:
            releasectl(server, "discard", "--model", found.directory).answer()
            left = f"it was removed there, {left}"
        except ToolError as second:
            left = f"it could not be removed there ({second}), {left}"
    return gate.refused(f"model {found.name}", server, error, left, COMMANDS)


def hashes(items: list[Item]) -> dict[str, str]:
    """Return file name -> sha256 for the audit."""
    return {item.local.name: item.sha256 for item in items}


def dry_run(server: Server, bundle: Bundle) -> None:
    """Say what a deploy would do here."""
    begin_dry_run(server, TASK)
    found = plan(server, bundle)
    before = gate.release_words(found.confirmed)
    if found.live:
        server.say(f"nothing: {before} is live already, with the same hashes")
        return
    embedding = bundle.manifest.embedding
    server.say(f"upload into {found.directory}: {sizes(found.items)}")
    server.say(
        f"verify: the manifest's form, the hashes, the head within its memory, {embedding.count} "
        f"words in {embedding.database}.{embedding.collection} with their fingerprint, "
        f"{len(bundle.manifest.golden_outputs.cases)} known answers"
    )
    server.say(f"activate: from {before} to model {found.name}, the app stays; then confirm")
    would_clean(server)
    would_run_hooks(server, hooks_of(server, TASK, bundle.version))
