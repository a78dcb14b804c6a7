"""`fab deploy-model`: upload a model, verify it beside the live one, switch to it."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from controller.deploy import gate
from controller.deploy.attempt import Attempt, attempt, hooks_of
from controller.deploy.bundle import Bundle, sha256_of
from controller.deploy.dry_run import begin_dry_run, would_clean, would_run_hooks
from controller.deploy.errors import DeployError
from controller.deploy.next_steps import ENVIRONMENT
from controller.deploy.remote_toxctl import ToxctlError
from controller.deploy.server import Server
from controller.deploy.transfer import place
from controller.deploy.uploads import UploadPlan, check_space, plan_uploads
from toxctl.config import REPAIR

__all__ = ["deploy_model"]

TASK = "deploy-model"
EXTRA = (2, 3)  # further directories of a model, where the others are damaged
RERUN = "see `fab status`, then rerun `fab deploy-model`"
# Failures that are not the release's fault: its files stay for the next run.
NOT_ITS_FAULT = ("collection", "database", "disk", "systemd", "damaged", "other")
NEXT_STEPS = {
    **ENVIRONMENT,
    "collection": "run `fab restore-embeddings`",
    "memory": "see `fab status` for what uses the memory",
    "other": RERUN,
    # The laptop has read it: the server's app is older than the manifest.
    "manifest": "run `fab deploy-app`, whose app reads it, then rerun `fab deploy-model`",
    # As above, or the builder's fault.
    "head": (
        "run `fab deploy-app`, whose app may read it, then rerun `fab deploy-model`; if that ends "
        "in the same words, build it again with `fab build-model`"
    ),
    "hash": "rerun `fab deploy-model`",  # the files were whole when they left this laptop
    "": "build it again with `fab build-model`",
}
# Without a live model, with which `fab deploy-app` could verify an app.
FIRST = {kind: step.replace("run `fab deploy-app`", REPAIR) for kind, step in NEXT_STEPS.items()}


@dataclass(frozen=True)
class Plan:
    """The release's name, what the server has of it, and what is confirmed there."""

    name: str
    uploads: UploadPlan
    complete: bool
    problems: Sequence[str] = ()

    @property
    def protected(self) -> bool:
        """Whether the release is in use although it is not complete: it lost its mark."""
        return self.name in self.uploads.protected

    @property
    def confirmed(self) -> Mapping[str, Any] | None:
        """The release that was confirmed last."""
        return self.uploads.confirmed

    @property
    def live(self) -> bool:
        """Whether this very model is live, with the same hashes."""
        placed = self.complete and all(upload.placed for upload in self.uploads.uploads)
        model = (self.confirmed or {}).get("model")
        return placed and model is not None and posixpath.basename(model) == self.name


def make_plan(server: Server, bundle: Bundle, dry_run: bool = False) -> Plan:
    """Ask the server what it has of the bundle.

    A release is named by the model's version, which leaves out what changes no score (golden
    outputs, versions of tools). A complete release, or one in use, is never written to again: the
    same model with another manifest, or in place of a damaged one, gets its own directory.

    Raises DeployError: every directory is taken.
    """
    files, other = bundle.model_files, f"{bundle.version}-{sha256_of(bundle.model_files[0])[:8]}"
    names = [bundle.version, other, *(f"{other}.{number}" for number in EXTRA)]
    wanted = [(path, f"models/{name}/{path.name}") for name in names for path in files]
    found = plan_uploads(server, wanted, dry_run)
    groups = [
        found.uploads[start : start + len(files)] for start in range(0, len(wanted), len(files))
    ]
    placed = {
        name: all(one.placed for one in group) for name, group in zip(names, groups, strict=True)
    }
    whole = [one for one in names if placed[one] and one not in found.damaged]
    usable = [one for one in whole if one in found.complete]
    usable += [
        one
        for one in names
        if one not in found.complete and (one not in found.protected or one in whole)
    ]
    if not usable:
        raise DeployError(
            f"{server.name} has {len(names)} damaged releases of model {bundle.version}: run "
            "`fab prune`, then rerun `fab deploy-model`"
        )
    name = usable[0]
    problems = [f"model {one} is damaged ({what})" for one, what in found.damaged.items()]
    uploads = replace(found, uploads=groups[names.index(name)])
    return Plan(name, uploads, name in found.complete, problems)


def deploy_model(server: Server, bundle: Bundle, *, dry_run: bool = False) -> bool:
    """Bring the model into service; return whether anything changed.

    Raises DeployError: the previous release stays live.
    """
    if dry_run:
        report_plan(server, bundle)
        return False
    with attempt(server, TASK, bundle.version) as now:
        plan = make_plan(server, bundle)
        hashes = {upload.local.name: upload.sha256 for upload in plan.uploads.uploads}
        now.note(**{"from": gate.app_and_model(plan.confirmed)}, hashes=hashes)
        if not plan.live:
            bring(now, plan)
        path = server.settings.release_path("model", plan.name)
        return gate.switch(now, f"model {plan.name}", model=path)


def bring(now: Attempt, plan: Plan) -> None:
    """Upload the release and have it verified; a failure leaves nothing incomplete behind."""
    server = now.server
    for problem in plan.problems:
        server.say(f"{problem}: the model goes to {plan.name}")
    check_space(server, plan.uploads.free_bytes, plan.uploads.needed, "the model")
    now.enter("upload")
    sent = place(server, plan.uploads.uploads)
    server.say(f"model {plan.name} {'uploaded' if sent else 'was uploaded before'}")
    path = server.settings.release_path("model", plan.name)
    try:
        gate.verify(now, path, complete=True)
    except ToxctlError as error:
        raise refusal(server, plan, path, error) from None
    now.enter("activate")


def refusal(server: Server, plan: Plan, path: str, error: ToxctlError) -> DeployError:
    """Return the line for a release that failed its verification, and remove it."""
    left = gate.stays_live(plan.confirmed)
    if error.kind not in NOT_ITS_FAULT and not plan.complete and not plan.protected:
        try:
            server.toxctl("discard", "--model", path).result()
            left = f"it was removed from the server, {left}"
        except ToxctlError as second:
            left = f"it could not be removed from the server ({second}), {left}"
    steps = NEXT_STEPS if plan.confirmed else FIRST
    return gate.refusal(f"model {plan.name}", server, error, left, steps)


def report_plan(server: Server, bundle: Bundle) -> None:
    """Print what a deploy would do."""
    begin_dry_run(server, TASK)
    plan = make_plan(server, bundle, dry_run=True)
    before = gate.describe(plan.confirmed)
    if plan.live:
        server.say(f"nothing to do: {before} is already live, with the same hashes")
        return
    for problem in plan.problems:
        server.say(f"{problem}: the model would go to {plan.name}")
    embedding = bundle.manifest.embedding
    path = server.settings.release_path("model", plan.name)
    server.say(f"upload into {path}: {plan.uploads}")
    server.say(
        f"verify: the manifest, the hashes, the head within its memory limit, {embedding.count} "
        f"words in {embedding.database}.{embedding.collection} with their checksum, "
        f"{len(bundle.manifest.golden_outputs.cases)} golden outputs"
    )
    server.say(f"activate: from {before} to model {plan.name}, the app stays; then confirm")
    would_clean(server)
    would_run_hooks(server, hooks_of(server, TASK, bundle.version))
