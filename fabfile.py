"""What the laptop does: build the model, bring it to the server, look after it.

`fab --list` names the tasks, `fab --help <task>` their options. Hosts come from the Ansible
inventory alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

# fab finds this file from any directory below it; the packages beside it are found from here.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from invoke import Context

from deploy import predict, steps
from deploy.bundle import load_bundle
from deploy.cli import HOST_OPTIONS, product_task
from deploy.errors import DeployError
from deploy.model import build_bundle
from deploy.paths import BUNDLE, ROOT

BUNDLE_OPTION = {"bundle": f"directory of the bundle (default: {BUNDLE.relative_to(ROOT)})"}


@product_task(
    h5="Keras model in legacy HDF5 form (default: the sample model)",
    word_index="{word: index} or tokenizer.to_json() (default: word_index.json beside the .h5)",
    settings="labels, tokenizer, names as JSON (default: model.json beside the .h5, if any)",
    reference="Keras' own scores as JSON (default: reference.json beside the .h5, if any)",
    name="name of the model, [a-z0-9_-]",
    out=f"directory of the bundle (default: {BUNDLE.relative_to(ROOT)})",
    force="build even if nothing changed",
)
def build_model(
    context: Context,
    h5: str | None = None,
    word_index: str | None = None,
    settings: str | None = None,
    reference: str | None = None,
    name: str | None = None,
    out: str | None = None,
    force: bool = False,
) -> None:
    """Split a Keras .h5 into a small head and a dump of its word vectors."""
    build_bundle(
        h5=h5,
        word_index=word_index,
        out=steps.bundle_path(out, BUNDLE),
        settings=settings,
        reference=reference,
        name=name,
        force=force,
    )


@product_task(**BUNDLE_OPTION, **HOST_OPTIONS)
def restore_embeddings(
    context: Context,
    bundle: str | None = None,
    inventory: str | None = None,
    limit: str | None = None,
) -> None:
    """Bring the bundle's word vectors into MongoDB, counted and checksummed."""
    checked = load_bundle(steps.bundle_path(bundle, BUNDLE))
    for server in steps.servers(inventory, limit):
        steps.restore_embeddings(server, checked)


@product_task(**BUNDLE_OPTION, **HOST_OPTIONS)
def deploy_model(
    context: Context,
    bundle: str | None = None,
    inventory: str | None = None,
    limit: str | None = None,
) -> None:
    """Send the model, prove it in the idle slot, switch to it without losing a request."""
    checked = load_bundle(steps.bundle_path(bundle, BUNDLE))
    for server in steps.servers(inventory, limit):
        steps.deploy_model(server, checked)


@product_task("test-model", text="score this comment instead of the five examples", **HOST_OPTIONS)
def check_model(
    context: Context,
    text: str | None = None,
    inventory: str | None = None,
    limit: str | None = None,
) -> None:
    """Ask the live model over HTTP: its known answers, then a table of comments."""
    texts = [text] if text is not None else list(predict.EXAMPLES)
    for server in steps.servers(inventory, limit):
        steps.check_model(server, texts)


@product_task(**HOST_OPTIONS)
def status(context: Context, inventory: str | None = None, limit: str | None = None) -> None:
    """Show what is live, how it does, memory and disk."""
    silent = [server.name for server in steps.servers(inventory, limit) if not steps.status(server)]
    if silent:
        raise DeployError(f"{', '.join(silent)} does not serve: see `fab logs`")


@product_task(
    lines="how many lines (default: 50)",
    follow="go on with new lines until Ctrl-C (one host)",
    **HOST_OPTIONS,
)
def logs(
    context: Context,
    lines: int = 50,
    follow: bool = False,
    inventory: str | None = None,
    limit: str | None = None,
) -> None:
    """Show the service's journal."""
    for server in steps.servers(inventory, limit):
        steps.logs(server, lines, follow)
