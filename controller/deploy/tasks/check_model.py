"""`fab test-model`: the live model's golden outputs over public HTTP, then a table of scores."""

from __future__ import annotations

from collections.abc import Sequence

from controller.deploy import commands, predict
from controller.deploy.dry_run import would_ask
from controller.deploy.errors import DeployError
from controller.deploy.server import Server
from controller.progress import print_scores
from tox_com_det.model.manifest import Manifest, ManifestError

__all__ = ["check_model"]

QUESTION = ("status", "--quick", "--manifest")


def live_manifest(server: Server) -> Manifest:
    """Return the live model's manifest; DeployError if no model is live."""
    status = server.toxctl(*QUESTION).result()
    if not status.get("manifest"):
        raise DeployError(f"no model is live on {server.name}: run `fab deploy-model`")
    try:
        return Manifest.from_dict(status["manifest"])
    except ManifestError as error:
        raise DeployError(
            f"the live model's manifest on {server.name} is invalid ({error}): run "
            "`fab build-model deploy-model`"
        ) from None


def check_model(
    server: Server,
    texts: Sequence[str] = predict.EXAMPLES,
    key: str | None = None,
    *,
    dry_run: bool = False,
) -> None:
    """Compare the live model's golden outputs, then print the scores of the texts.

    `key`: for a server that requires one.
    """
    if dry_run:
        would_ask(server, "test-model", commands.toxctl(*QUESTION))
        server.say(f"POST {server.url}/predict: the golden outputs, then {len(texts)} comments")
        return
    manifest = live_manifest(server)
    golden = manifest.golden_outputs
    version = manifest.model_version
    worst = predict.compare_golden(server.url, golden, manifest.labels, version, server.pin, key)
    server.say(
        f"model {version} ({manifest.name}) at {server.url}: "
        f"{len(golden.cases)} golden outputs match, largest difference {worst:.1e}"
    )
    print_scores([(text, predict.ask(server.url, text, server.pin, key).scores) for text in texts])
