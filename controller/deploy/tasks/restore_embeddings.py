"""`fab restore-embeddings`: a bundle's word vectors into the server's database."""

from __future__ import annotations

import json

from controller.deploy.attempt import Attempt, attempt, hooks_of
from controller.deploy.bundle import Bundle
from controller.deploy.dry_run import begin_dry_run, would_run_hooks
from controller.deploy.errors import DeployError
from controller.deploy.next_steps import ENVIRONMENT
from controller.deploy.remote_toxctl import ToxctlError
from controller.deploy.server import Server
from controller.deploy.transfer import place
from controller.deploy.uploads import UploadPlan, Wanted, check_space, plan_uploads
from controller.progress import megabytes

__all__ = ["restore_embeddings"]

TASK = "restore-embeddings"
AFTERMATH = {
    "verify": "an interrupted restore does not count, the next run starts it again with the "
    "uploaded dump",
    "clean": "the word vectors are restored, only the dump still has to be removed",
}
COPIES = 3  # the dump, and the collection with its index while both exist


def problem_with(server: Server, bundle: Bundle) -> str:
    """Return why the bundle's collection cannot be used, "" if it is restored and verified.

    Raises DeployError: the database does not answer, so a restore would fail as well.
    """
    manifest = json.loads(bundle.model_files[0].read_text(encoding="utf-8"))
    found = server.toxctl("restore", "--check", stdin=manifest).result()
    if found.get("kind") == "database":
        raise DeployError(f"{server.name}: {found['problem']}: {ENVIRONMENT['database']}")
    return "" if found["restored"] else str(found["problem"])


def wanted_files(bundle: Bundle) -> list[Wanted]:
    """Return the dump's files and the manifest with their places, the manifest last."""
    embedding = bundle.manifest.embedding
    base = f"dumps/{embedding.collection}"
    dump: list[Wanted] = [
        (path, f"{base}/{embedding.database}/{path.name}") for path in bundle.dump_files
    ]
    return [*dump, (bundle.model_files[0], f"{base}/manifest.json")]


def restore_embeddings(
    server: Server, bundle: Bundle, verify: bool = False, *, dry_run: bool = False
) -> bool:
    """Bring the bundle's word vectors into the server's database; return whether it was needed.

    The dump is removed from the server once it is restored and verified. DeployError otherwise;
    what was uploaded stays for the next run.

    Args:
        server: the server.
        bundle: the bundle.
        verify: compare every word also of a restored collection, and repair what differs.
        dry_run: only print what would be done.
    """
    if dry_run:
        report_plan(server, bundle, verify)
        return False
    embedding = bundle.manifest.embedding
    with attempt(server, TASK, embedding.collection, AFTERMATH) as now:
        plan = plan_uploads(server, wanted_files(bundle))
        dump = plan.uploads[:-1]
        now.note(hashes={upload.local.name: upload.sha256 for upload in dump})
        if not problem_with(server, bundle) and not verify:
            server.say(f"{embedding.collection} is already restored ({embedding.count} words)")
            now.outcome = "nothing"
            discard_dump(server, embedding.collection)
            return False
        upload_dump(now, bundle, plan)
        restore(now, bundle, verify)
        now.enter("clean")
        discard_dump(server, embedding.collection)
        now.leave()
        server.say(f"{embedding.count} words are in {embedding.collection} ({now.times()})")
        return True


def upload_dump(now: Attempt, bundle: Bundle, plan: UploadPlan) -> None:
    """Send what is missing of the dump."""
    server, embedding = now.server, bundle.manifest.embedding
    total = sum(upload.size for upload in plan.uploads[:-1])
    needed = plan.missing + (COPIES - 1) * total
    check_space(server, plan.free_bytes, needed, embedding.collection)
    now.enter("upload")
    server.say(f"{embedding.collection}: {embedding.count} words, {megabytes(total)}")
    if not place(server, plan.uploads):
        server.say("the dump was uploaded before")


def restore(now: Attempt, bundle: Bundle, verify: bool) -> None:
    """Have the dump restored, read back and compared; its progress is shown as it comes."""
    server, collection = now.server, bundle.manifest.embedding.collection
    now.enter("verify")
    try:
        server.toxctl("restore", "--collection", collection, *["--verify"] * verify).result()
    except ToxctlError as error:
        step = ENVIRONMENT.get(error.kind, f"fix it, then rerun `fab {TASK}`")
        words = (
            f"{collection} could not be restored on {server.name} ({error}); the live release "
            "goes on with the words that are there"
        )
        words += "" if step in words else f": {step}"  # toxctl may have named it
        raise DeployError(words, error.details) from None


def discard_dump(server: Server, collection: str) -> None:
    """Remove a dump that was restored: it is as large as what it holds."""
    server.toxctl("discard", "--dump", collection).result()


def report_plan(server: Server, bundle: Bundle, verify: bool) -> None:
    """Print what a restore would do."""
    begin_dry_run(server, TASK)
    embedding = bundle.manifest.embedding
    plan = plan_uploads(server, wanted_files(bundle), dry_run=True)
    problem = problem_with(server, bundle)
    if not problem and not verify:
        server.say(f"nothing to do: {embedding.collection} is already restored and verified")
        return
    server.say(problem or f"{embedding.collection} is already restored")
    server.say(f"upload: {plan}")
    server.say(
        f"verify: compare {embedding.count} words of {embedding.database}.{embedding.collection} "
        "and repair what differs, or restore all if most are missing; read them back and mark "
        "them as restored"
    )
    server.say("clean: remove the dump from the server")
    would_run_hooks(server, hooks_of(server, TASK, embedding.collection))
