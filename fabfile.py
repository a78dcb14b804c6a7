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

from controller.deploy import app_deploy, embeddings, model_deploy, predict, report
from controller.deploy import prune as pruning
from controller.deploy import rollback as rolling_back
from controller.deploy import unlock as unlocking
from controller.deploy.bundle import load_bundle
from controller.deploy.cli import DRY_RUN, HOST_OPTIONS, product_task
from controller.deploy.errors import DeployError
from controller.deploy.model import build_bundle, build_dump
from controller.deploy.paths import BUNDLE, DUMP, ROOT
from controller.deploy.servers import bundle_path, servers

BUNDLE_OPTION = {"bundle": f"directory of the bundle (default: {BUNDLE.relative_to(ROOT)})"}


@product_task(
    h5="Keras model, .h5 or .keras (default: the sample model)",
    word_index="{word: index}, tokenizer.to_json(), a word a line, or the Tokenizer's pickle "
    "(default: word_index.json beside the .h5)",
    architecture="model.to_json() as a file, for an .h5 of weights alone",
    settings="labels, tokenizer, names as JSON (default: model.json beside the .h5, if any)",
    reference="Keras' own scores as JSON (default: reference.json beside the .h5, if any)",
    name="name of the model, [a-z0-9_-]",
    labels="names of the scores in order, with commas between them",
    num_words="as given to Keras' Tokenizer",
    length="maxlen of pad_sequences, where the model leaves it open",
    padding="side that is filled with zeros: pre (default) or post",
    truncating="side that is cut off: pre (default) or post",
    oov_token="as given to Keras' Tokenizer",  # noqa: S106 (a help text)
    embedding_name="begins the collection's name, [a-z0-9_]",
    mode="split: vectors in MongoDB (default); whole: in the head, indices in MongoDB",
    dtype="of the vectors in MongoDB: float32 (default) or float16",
    out=f"directory of the bundle (default: {BUNDLE.relative_to(ROOT)})",
    force="build even if nothing changed",
    **DRY_RUN,
)
def build_model(
    context: Context,
    h5: str | None = None,
    word_index: str | None = None,
    architecture: str | None = None,
    settings: str | None = None,
    reference: str | None = None,
    name: str | None = None,
    labels: str | None = None,
    num_words: int = 0,
    length: int = 0,
    padding: str | None = None,
    truncating: str | None = None,
    oov_token: str | None = None,
    embedding_name: str | None = None,
    mode: str | None = None,
    dtype: str | None = None,
    out: str | None = None,
    force: bool = False,
    dry_run: bool = False,
) -> None:
    """Turn a Keras .h5 into a bundle: a small head and a dump of its word vectors."""
    build_bundle(
        h5=h5,
        word_index=word_index,
        out=bundle_path(out, BUNDLE),
        architecture=architecture,
        settings=settings,
        reference=reference,
        name=name,
        labels=labels,
        num_words=num_words or None,
        length=length or None,
        padding=padding,
        truncating=truncating,
        oov_token=oov_token,
        embedding_name=embedding_name,
        mode=mode,
        dtype=dtype,
        force=force,
        dry_run=dry_run,
    )


@product_task(
    source="Keras model, GloVe or word2vec vectors (text or .bin, plain, .gz or .zip), or the "
    "article's own dump (.bson or its directory)",
    word_index="the tokenizer's, whose words and indices are stored (needed for a Keras model)",
    architecture="model.to_json() as a file, for an .h5 of weights alone",
    num_words="as given to Keras' Tokenizer",
    name="begins the collection's name, [a-z0-9_] (default: embedding)",
    dtype="of the vectors: float32 (default) or float16",
    member="which file of a .zip, if it holds several",
    out="directory of the dump (default: build/dump)",
    **DRY_RUN,
)
def dump_embeddings(
    context: Context,
    source: str | None = None,
    word_index: str | None = None,
    architecture: str | None = None,
    num_words: int = 0,
    name: str = "embedding",
    dtype: str = "float32",
    member: str | None = None,
    out: str | None = None,
    dry_run: bool = False,
) -> None:
    """Write word vectors of any source as a directory that mongorestore takes."""
    build_dump(
        source,
        bundle_path(out, DUMP),
        word_index=word_index,
        architecture=architecture,
        num_words=num_words or None,
        name=name,
        dtype=dtype,
        member=member,
        dry_run=dry_run,
    )


@product_task(**BUNDLE_OPTION, **DRY_RUN, **HOST_OPTIONS)
def restore_embeddings(
    context: Context,
    bundle: str | None = None,
    dry_run: bool = False,
    inventory: str | None = None,
    limit: str | None = None,
) -> None:
    """Bring the bundle's word vectors into MongoDB, counted and checksummed."""
    checked = load_bundle(bundle_path(bundle, BUNDLE))
    for server in servers(inventory, limit):
        (embeddings.dry_run if dry_run else embeddings.restore_embeddings)(server, checked)


@product_task(**BUNDLE_OPTION, **DRY_RUN, **HOST_OPTIONS)
def deploy_model(
    context: Context,
    bundle: str | None = None,
    dry_run: bool = False,
    inventory: str | None = None,
    limit: str | None = None,
) -> None:
    """Send the model, prove it beside the old one, switch to it without losing a request."""
    checked = load_bundle(bundle_path(bundle, BUNDLE))
    for server in servers(inventory, limit):
        (model_deploy.dry_run if dry_run else model_deploy.deploy_model)(server, checked)


@product_task(**DRY_RUN, **HOST_OPTIONS)
def deploy_app(
    context: Context,
    dry_run: bool = False,
    inventory: str | None = None,
    limit: str | None = None,
) -> None:
    """Send this checkout's app with its own environment, prove it, switch to it."""
    for server in servers(inventory, limit):
        (app_deploy.dry_run if dry_run else app_deploy.deploy_app)(server)


@product_task(
    release="a model's or an app's release, as `fab releases` names it (default: what was live "
    "before)",
    **DRY_RUN,
    **HOST_OPTIONS,
)
def rollback(
    context: Context,
    release: str | None = None,
    dry_run: bool = False,
    inventory: str | None = None,
    limit: str | None = None,
) -> None:
    """Go back to what was live before, or to any release that is still there."""
    for server in servers(inventory, limit):
        (rolling_back.dry_run if dry_run else rolling_back.rollback)(server, release)


@product_task(**DRY_RUN, **HOST_OPTIONS)
def releases(
    context: Context,
    dry_run: bool = False,
    inventory: str | None = None,
    limit: str | None = None,
) -> None:
    """List the models and apps on the server: live, previous, kept."""
    for server in servers(inventory, limit):
        report.releases(server, dry_run)


@product_task(
    keep="how many models and how many apps stay (default: as the server is set)",
    yes="do not ask",
    **DRY_RUN,
    **HOST_OPTIONS,
)
def prune(
    context: Context,
    keep: int = 0,
    yes: bool = False,
    dry_run: bool = False,
    inventory: str | None = None,
    limit: str | None = None,
) -> None:
    """Remove old releases and what only they needed; says first what, and asks."""
    for server in servers(inventory, limit):
        pruning.prune(server, keep, yes, dry_run)


@product_task(**DRY_RUN, **HOST_OPTIONS)
def unlock(
    context: Context,
    dry_run: bool = False,
    inventory: str | None = None,
    limit: str | None = None,
) -> None:
    """Take the lock from a deploy whose laptop is gone, and say whose it was."""
    for server in servers(inventory, limit):
        unlocking.unlock(server, dry_run)


@product_task(
    "test-model",
    text="score this comment instead of the five examples",
    **DRY_RUN,
    **HOST_OPTIONS,
)
def check_model(
    context: Context,
    text: str | None = None,
    dry_run: bool = False,
    inventory: str | None = None,
    limit: str | None = None,
) -> None:
    """Ask the live model over HTTP: its known answers, then a table of comments."""
    texts = [text] if text is not None else list(predict.EXAMPLES)
    for server in servers(inventory, limit):
        report.check_model(server, texts, dry_run)


@product_task(**DRY_RUN, **HOST_OPTIONS)
def status(
    context: Context,
    dry_run: bool = False,
    inventory: str | None = None,
    limit: str | None = None,
) -> None:
    """Show what is live and what is there, health, memory, disk, lock, last deploys."""
    silent = [
        server.name for server in servers(inventory, limit) if not report.status(server, dry_run)
    ]
    if silent:
        raise DeployError(f"{', '.join(silent)} does not serve: see `fab logs`")


@product_task(
    lines="how many lines (default: 50)",
    follow="go on with new lines until Ctrl-C (one host)",
    **DRY_RUN,
    **HOST_OPTIONS,
)
def logs(
    context: Context,
    lines: int = 50,
    follow: bool = False,
    dry_run: bool = False,
    inventory: str | None = None,
    limit: str | None = None,
) -> None:
    """Show the service's journal."""
    for server in servers(inventory, limit):
        report.logs(server, lines, follow, dry_run)
