"""`fab restore-embeddings`: a bundle's word vectors into the server's database."""

from __future__ import annotations

import json
import posixpath
from typing import Any

from controller.deploy import commands
from controller.deploy.attempt import Attempt, attempt, hooks_of
from controller.deploy.bundle import Bundle
from controller.deploy.dry_run import begin_dry_run, would_run_hooks
from controller.deploy.errors import DeployError
from controller.deploy.progress import megabytes
from controller.deploy.servers import Server
from controller.deploy.there import Item, check_room, look, send, sizes
from controller.deploy.transfer import must, upload

__all__ = ["dry_run", "restore_embeddings"]

TASK = "restore-embeddings"
GOES_ON = {
    "verify": "a restore that was cut off does not count and is begun anew by the next try, what "
    "was sent stays there",
    "clean": "the word vectors are there, only the dump is still to be removed",
}
TIMES = 3  # the dump, and the collection with its index while both are there


def problem_with(server: Server, manifest: str) -> str:
    """Return why the manifest's collection is not to be used, "" when it is there and verified."""
    words = commands.restore(server.config, manifest, None)
    done = server.remote.run_as(words, server.config.user)
    if done.code == 0:
        return ""
    lines = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.code}").splitlines()
    return lines[-1].removeprefix("restore: ")


def dump_items(server: Server, bundle: Bundle) -> list[Item]:
    """Return the dump's files and what is there of them."""
    embedding = bundle.manifest.embedding
    base = posixpath.join(server.config.dump_dir(embedding.collection), embedding.database)
    wanted = [(path, posixpath.join(base, path.name)) for path in bundle.dump_files]
    return look(server, wanted).items


def restore_embeddings(server: Server, bundle: Bundle) -> bool:
    """Bring the bundle's word vectors into the server's database; return whether it was needed.

    The dump is removed from the server once it is restored and verified. DeployError otherwise;
    what was sent stays for the next try.
    """
    embedding = bundle.manifest.embedding
    directory = server.config.dump_dir(embedding.collection)
    manifest = posixpath.join(directory, "manifest.json")
    with attempt(server, TASK, embedding.collection, GOES_ON) as now:
        items = dump_items(server, bundle)
        now.note(hashes={item.local.name: item.sha256 for item in items})
        upload(server.remote, server.config, bundle.model_files[0], manifest)
        problem = problem_with(server, manifest)
        if not problem:
            server.say(f"{embedding.collection} is there already ({embedding.count} words)")
            now.result = "nothing"
            clear(server, directory)
            return False
        if "does not answer" in problem:  # nothing to gain from sending a dump to no database
            raise DeployError(f"{server.name}: {problem}, then type the same again")
        send_dump(now, bundle, items)
        restore(now, bundle, manifest, directory)
        now.enter("clean")
        clear(server, directory)
        now.leave()
        server.say(f"{embedding.count} words are in {embedding.collection} ({now.times()})")
        return True


def send_dump(now: Attempt, bundle: Bundle, items: list[Item]) -> None:
    """Send what is missing of the dump."""
    server, embedding = now.server, bundle.manifest.embedding
    total = sum(item.size for item in items)
    needed = sum(item.missing for item in items) + (TIMES - 1) * total
    check_room(server, needed, server.config.dumps_dir, embedding.collection)
    now.enter("upload")
    server.say(f"{embedding.collection}: {embedding.count} words, {megabytes(total)}")
    if not send(server, items):
        server.say("the dump was there already")


def restore(now: Attempt, bundle: Bundle, manifest: str, directory: str) -> None:
    """Have the dump restored, read back and compared; its lines are shown as they come."""
    server, embedding = now.server, bundle.manifest.embedding
    now.enter("verify")
    words = commands.restore(server.config, manifest, directory)
    with server.remote.start(words, server.config.user) as process:
        for line in process:
            server.say(line)
        done = process.wait()
    if done.code:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.code}"]
        raise DeployError(
            f"{embedding.collection} could not be restored on {server.name} "
            f"({lines[-1].removeprefix('restore: ')}): what serves now is not touched; "
            "mend it and type the same again"
        )


def clear(server: Server, directory: str) -> None:
    """Remove a dump that was restored: it is as large as what it holds."""
    words = commands.remove(directory, server.config.dumps_dir)
    must(server.remote, server.remote.run_as(words), f"remove {directory}")


def known_collections(server: Server) -> list[str]:
    """Return the collections of word vectors that are in the server's database."""
    done = server.remote.run_as(commands.collections(server.config), server.config.user)
    try:
        answer: Any = json.loads(done.stdout)
        return [str(entry["name"]) for entry in answer["collections"]]
    except (ValueError, KeyError, TypeError):
        words = (
            done.stderr.strip() or done.stdout.strip() or f"exit code {done.code}"
        ).splitlines()
        raise DeployError(
            f"{server.name} could not list its collections: {words[-1]}", done.stderr.strip()
        ) from None


def dry_run(server: Server, bundle: Bundle) -> None:
    """Say what a restore would do here."""
    begin_dry_run(server, TASK)
    embedding = bundle.manifest.embedding
    items = dump_items(server, bundle)
    if embedding.collection in known_collections(server):
        server.say(
            f"{embedding.collection} is there already: it would be checked against the manifest, "
            "and nothing done when it is verified; otherwise:"
        )
    server.say(f"upload: {sizes(items)}")
    server.say(
        f"verify: restore {embedding.count} words into {embedding.database}."
        f"{embedding.collection}, read them back, compare and mark them"
    )
    server.say("clean: remove the dump there; what serves is not touched")
    would_run_hooks(server, hooks_of(server, TASK, embedding.collection))
