"""The tasks of the laptop: build a model, deploy it, look after the server.

`fab --list` names the tasks, `fab --help <task>` their options. Hosts come from the Ansible
inventory alone. What the tasks do is in controller/deploy/tasks.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

# fab finds this file from any directory below it; the packages beside it are found from here.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from controller.deploy import predict, tasks
from controller.deploy.bundle import deployable_bundle, load_bundle
from controller.deploy.cli import Action, Reach, laptop_task, server_task
from controller.deploy.paths import BUNDLE, ROOT, absolute, user_path
from controller.utf8 import use_utf8

use_utf8()

BUNDLE_HELP = f"bundle directory (default: {os.path.relpath(BUNDLE, ROOT)})"
SNAPSHOT_HELP = "identifier of the backup, as in `fab backups` (default: the newest)"
ROLLING = Reach(undo=tasks.rollback.rollback)
SHARED = Reach(once=True)  # the database of a cluster
BESIDE_OTHERS = Reach(others=True)  # what the other app hosts need of that database stays
OF_HELP = "another server whose backups are in the same repository, by its backup_name"

build_model = laptop_task(tasks.build_model.build_model, **tasks.build_model.BUILD_HELP)
inspect_model = laptop_task(tasks.build_model.inspect_model, **tasks.build_model.INSPECT_HELP)
dump_embeddings = laptop_task(tasks.build_model.dump_embeddings, **tasks.build_model.DUMP_HELP)

collect_scores = laptop_task(tasks.collect_scores.collect_scores, **tasks.collect_scores.HELP)
fit_scores = laptop_task(tasks.fit_scores.fit_scores, **tasks.fit_scores.HELP)
remove_score_maps = laptop_task(tasks.fit_scores.remove_score_maps, **tasks.fit_scores.REMOVE_HELP)
tune_thresholds = laptop_task(tasks.tune_thresholds.tune_thresholds, **tasks.tune_thresholds.HELP)
train = laptop_task(tasks.train.train, **tasks.train.HELP)
create_server = laptop_task(tasks.servers.create_server, **tasks.servers.CREATE_HELP)
servers = laptop_task(tasks.servers.servers, **tasks.servers.LIST_HELP)
destroy_server = laptop_task(tasks.servers.destroy_server, **tasks.servers.DESTROY_HELP)


@server_task(
    "restore-embeddings",
    SHARED,
    bundle=BUNDLE_HELP,
    verify="compare every word also of restored vectors, and repair what differs in place",
)
def restore_embeddings(bundle: str | None = None, verify: bool = False) -> Action:
    """Restore the bundle's word vectors into MongoDB, counted and checksummed."""
    return partial(
        tasks.restore_embeddings.restore_embeddings,
        bundle=load_bundle(user_path(bundle, BUNDLE)),
        verify=verify,
    )


@server_task("deploy-model", ROLLING, bundle=BUNDLE_HELP)
def deploy_model(bundle: str | None = None) -> Action:
    """Upload the model, verify it beside the live one, switch to it without losing a request."""
    return partial(
        tasks.deploy_model.deploy_model, bundle=deployable_bundle(user_path(bundle, BUNDLE))
    )


@server_task("deploy-app", ROLLING)
def deploy_app() -> Action:
    """Upload this checkout's app with its own environment, verify it, switch to it."""
    return tasks.deploy_app.deploy_app


@server_task(
    "rollback",
    ROLLING,
    release="a model's or an app's name, as in `fab releases` (default: the previous release)",
)
def rollback(release: str | None = None) -> Action:
    """Return to the previous release, or to any other that is still on the server."""
    return partial(tasks.rollback.rollback, release=release)


@server_task()
def releases() -> Action:
    """List the models and apps on the server: live, previous, kept."""
    return tasks.releases.releases


@server_task(
    "prune",
    BESIDE_OTHERS,
    keep="how many models and how many apps stay (default: the server's setting)",
    yes="do not ask for confirmation",
)
def prune(keep: int = 0, yes: bool = False) -> Action:
    """Remove old releases and what only they needed, after a list and a confirmation."""
    return partial(tasks.prune.prune, keep=keep, yes=yes)


@server_task(
    name="of the client: letters, digits and . _ @ -",
    rate="requests per second (default: no limit of its own)",
    ends="last day on which the key is valid, UTC, such as 2027-01-31 (default: no end)",
)
def add_key(name: str | None = None, rate: int = 0, ends: str | None = None) -> Action:
    """Add an API key and print it once; the server keeps only its hash."""
    return tasks.keys.AddKey(tasks.keys.new_key(name, rate, ends))


@server_task()
def copy_keys() -> Action:
    """Copy API keys to app hosts that lack them: each gets those of all the others."""
    return tasks.keys.CopyKeys()


@server_task()
def list_keys() -> Action:
    """List the API keys by name: rate, last day, when they were added."""
    return tasks.keys.list_keys


@server_task(
    None,
    Reach(left=tasks.keys.STILL_VALID),
    key="its identifier or its name, as in `fab list-keys`",
)
def revoke_key(key: str | None = None) -> Action:
    """Revoke an API key; the next request with it counts as one without."""
    return partial(tasks.keys.revoke_key, key=tasks.keys.chosen_key(key))


@server_task(
    "export-suggestions",
    SHARED,
    out="CSV file to write: comment_text, a column for each label, and what else was sent",
    force="replace the file if it exists",
)
def export_suggestions(out: str | None = None, force: bool = False) -> Action:
    """Write the scores that clients suggested, where they are stored, to a CSV for training."""
    return tasks.suggestions.export_to(out, force)


@server_task("clear-suggestions", SHARED, yes="do not ask for confirmation")
def clear_suggestions(yes: bool = False) -> Action:
    """Remove all stored suggestions from the server's database."""
    return partial(tasks.suggestions.clear_suggestions, yes=yes)


@server_task()
def backup() -> Action:
    """Back the server up now: database, models, key hashes, certificates, configuration."""
    return tasks.backup.backup


@server_task(of=OF_HELP)
def backups(of: str | None = None) -> Action:
    """List the complete backups of the server, the newest first."""
    return partial(tasks.backup.backups, of=of)


@server_task(snapshot=SNAPSHOT_HELP, of=OF_HELP)
def restore(snapshot: str | None = None, of: str | None = None) -> Action:
    """Restore a backup, and switch to its model without losing a request."""
    return partial(tasks.backup.restore, snapshot=snapshot, of=of)


@server_task("restore-drill", snapshot=SNAPSHOT_HELP)
def restore_drill(snapshot: str | None = None) -> Action:
    """Prove that a backup can be restored, beside what is live, and say how long it took."""
    return partial(tasks.backup.drill, snapshot=snapshot)


@server_task()
def unlock() -> Action:
    """Release the deploy lock of an attempt whose laptop is gone, and show who held it."""
    return tasks.unlock.unlock


@server_task(
    None,
    Reach(tls=True),
    force="ask for a new one although the old one is not due; authorities limit how often",
    new_account="ask for a new one with a new account, if the authority refuses the old one",
    verbose="print certbot's output if there is no new one",
)
def renew_certificate(
    force: bool = False, new_account: bool = False, verbose: bool = False
) -> Action:
    """Renew the certificate of HTTPS if it is due; whatever fails, the old one goes on serving."""
    return partial(
        tasks.renew_certificate.renew_certificate,
        force=force,
        new_account=new_account,
        verbose=verbose,
    )


@server_task(
    "test-model",
    text="score this comment instead of the five examples",
    article="score the article's own comment instead, which contains a slur",
    key_file="file with an API key, for a server that requires one",
)
def check_model(
    text: str | None = None, article: bool = False, key_file: str | None = None
) -> Action:
    """Compare the live model's golden outputs over HTTP, then show a table of comments."""
    chosen = [predict.ARTICLE_EXAMPLE] if article else []
    chosen += [text] if text is not None else []
    return partial(
        tasks.check_model.check_model,
        texts=chosen or predict.EXAMPLES,
        key=predict.read_key(absolute(key_file)) if key_file else None,
    )


@server_task(
    "status",
    Reach(balancer=tasks.status.balancer_status, asks=True),
    verify="compare the files of all releases with their recorded hashes; fail if one differs",
)
def status(verify: bool = False) -> Action:
    """Show what is live and installed, health, memory, disk, lock and the last deploys."""
    return partial(tasks.status.status, verify=verify)


@server_task(
    None,
    Reach(every=True, asks=True),
    json="print one JSON object a server: its name, and what is wrong with what to type",
)
def doctor(json: bool = False) -> Action:
    """Say in one page what is wrong and what to type; exit code 1 if something is."""
    return partial(tasks.doctor.doctor, as_json=json)


@server_task(lines="how many lines (default: 50)", follow="print new lines until Ctrl-C (one host)")
def logs(lines: int = 50, follow: bool = False) -> Action:
    """Show the service's journal."""
    return partial(tasks.logs.logs, lines=lines, follow=follow)
