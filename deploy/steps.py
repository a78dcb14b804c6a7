"""What the fab tasks do on one server, step by step. Commands are built in `commands`."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy import commands, predict
from deploy.bundle import Bundle, sha256_of
from deploy.connection import Remote, connect
from deploy.errors import DeployError
from deploy.inventory import Host, read_hosts
from deploy.progress import megabytes
from deploy.server import SERVER_JSON, ServerConfig
from deploy.transfer import first_word, free_bytes, must, upload
from tox_com_det.manifest import Manifest, ManifestError

__all__ = [
    "Server",
    "check_model",
    "deploy_model",
    "logs",
    "restore_embeddings",
    "servers",
    "status",
]


class Server:
    """One server of the inventory with an open connection and its own settings."""

    def __init__(self, remote: Remote) -> None:
        done = remote.run(commands.read_file())
        if done.code:
            raise DeployError(
                f"{remote.host.name} has no {SERVER_JSON}, so it is not set up yet: "
                "type `ansible-playbook site.yml`"
            )
        self.remote = remote
        self.name = remote.host.name
        self.config = ServerConfig.parse(done.stdout, remote.host.name)

    @property
    def url(self) -> str:
        """Where people reach the service."""
        return self.config.url(self.remote.host.address)

    def say(self, line: str) -> None:
        """Print what is going on, with the server's name."""
        print(f"{self.name}: {line}", flush=True)


@contextmanager
def open_server(host: Host) -> Iterator[Server]:
    """Connect to a host and read what it says about itself."""
    with connect(host) as remote:
        yield Server(remote)


def servers(inventory: str | None, limit: str | None) -> Iterator[Server]:
    """Yield the inventory's servers one after the other, each connected while it is in use."""
    for host in read_hosts(inventory, limit):
        with open_server(host) as server:
            yield server


def embedding_problem(server: Server, manifest: str) -> str:
    """Return why the manifest's collection is not to be used, "" when it is there and verified."""
    words = commands.restore(server.config, manifest, None)
    done = server.remote.run_as(words, server.config.user)
    if done.code == 0:
        return ""
    lines = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.code}").splitlines()
    return lines[-1].removeprefix("restore: ")


def restore_embeddings(server: Server, bundle: Bundle) -> bool:
    """Bring the bundle's word vectors into the server's database; return whether it was needed.

    The dump is removed from the server once it is restored and verified. DeployError otherwise;
    what was sent stays for the next try.
    """
    embedding = bundle.manifest.embedding
    directory = server.config.dump_dir(embedding.collection)
    manifest = posixpath.join(directory, "manifest.json")
    files = bundle.dump_files
    upload(server.remote, server.config, bundle.model_files[0], manifest)
    problem = embedding_problem(server, manifest)
    if not problem:
        server.say(f"{embedding.collection} is there already ({embedding.count} words)")
        clear(server, directory)
        return False
    if "does not answer" in problem:  # nothing to gain from sending a dump to no database
        raise DeployError(f"{server.name}: {problem}")
    total = sum(path.stat().st_size for path in files)
    server.say(f"sending {embedding.collection} ({embedding.count} words, {megabytes(total)})")
    for path in files:
        final = posixpath.join(directory, embedding.database, path.name)
        if not upload(server.remote, server.config, path, final):
            server.say(f"{path.name} was there already")
    server.say("restoring")
    words = commands.restore(server.config, manifest, directory)
    done = server.remote.run_as(words, server.config.user, stream=True)
    if done.code:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.code}"]
        raise DeployError(
            f"{embedding.collection} could not be restored on {server.name} "
            f"({lines[-1].removeprefix('restore: ')}): what serves now is not touched; "
            "mend it and type the same again"
        )
    clear(server, directory)
    return True


def clear(server: Server, directory: str) -> None:
    """Remove a dump that was restored: it is as large as what it holds."""
    words = commands.remove(directory, server.config.dumps_dir)
    must(server.remote, server.remote.run_as(words), f"remove {directory}")


def release_dir(server: Server, bundle: Bundle) -> str:
    """Return the directory of the bundle's release on the server.

    It is named by the model's version, which leaves out what decides no score (known answers,
    versions of tools). A complete release is never written to again, the live slot checks itself
    against it: the same model with another manifest gets a directory of its own.
    """
    directory = server.config.model_dir(bundle.version)
    wanted = sha256_of(bundle.model_files[0])
    there = first_word(server.remote.run(commands.release_manifest(directory)))
    return directory if there in ("", wanted) else f"{directory}-{wanted[:8]}"


def deploy_model(server: Server, bundle: Bundle) -> None:
    """Send the model, prove it in the idle slot and switch to it; DeployError changes nothing."""
    directory = release_dir(server, bundle)
    manifest = posixpath.join(directory, "manifest.json")
    sent = upload(server.remote, server.config, bundle.model_files[0], manifest)
    problem = embedding_problem(server, manifest)
    if problem:
        raise DeployError(
            f"the word vectors of model {bundle.version} are not ready on {server.name} "
            f"({problem}): type `fab restore-embeddings`"
        )
    for path in bundle.model_files[1:]:
        sent |= upload(server.remote, server.config, path, posixpath.join(directory, path.name))
    must(
        server.remote,
        server.remote.run_as(commands.mark_complete(directory)),
        f"complete {directory}",
    )
    server.say(f"model {bundle.version} {'sent' if sent else 'was there already'}")
    words = commands.slotctl(server.config, "activate", "--model", directory)
    done = server.remote.run_as(words, stream=True)
    if done.code:
        raise DeployError(
            f"model {bundle.version} was not put into service on {server.name}, the reason is "
            "above; when it is mended, type the same again"
        )


def slot_report(server: Server) -> dict[str, Any]:
    """Return slotctl's status as it prints it with --json."""
    words = commands.slotctl(server.config, "status", "--json")
    done = must(server.remote, server.remote.run_as(words), "ask its slots")
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise DeployError(f"slotctl on {server.name} answers nonsense: {done.stdout!r}") from None


def live_manifest(server: Server) -> Manifest:
    """Return the manifest of the model that is live; DeployError when none is."""
    report = slot_report(server)
    if not report["live"]:
        raise DeployError(f"no model is live on {server.name}: type `fab deploy-model`")
    path = posixpath.join(str(report["slots"][report["live"]]["model"]), "manifest.json")
    done = must(server.remote, server.remote.run(commands.read_file(path)), f"read {path}")
    try:
        return Manifest.from_dict(json.loads(done.stdout))
    except (ManifestError, ValueError) as error:
        raise DeployError(f"{server.name}:{path} is not usable: {error}") from None


def check_model(server: Server, texts: list[str]) -> None:
    """Ask the live model's known answers over public HTTP, then show the scores of the texts."""
    manifest = live_manifest(server)
    known = manifest.known_answers
    worst = predict.ask_known(server.url, known, manifest.labels, manifest.model_version)
    server.say(
        f"model {manifest.model_version} ({manifest.name}) at {server.url}: "
        f"{len(known.cases)} known answers come out, largest difference {worst:.1e}"
    )
    predict.show([(text, predict.ask(server.url, text).scores) for text in texts])


def status(server: Server) -> bool:
    """Print slots, health through nginx, memory and disk; return whether the service answers."""
    server.say(f"{server.url}, user {server.remote.host.user}")
    must(
        server.remote,
        server.remote.run_as(commands.slotctl(server.config, "status"), stream=True),
        "ask its slots",
    )
    done = must(server.remote, server.remote.run(commands.memory()), "ask for memory")
    print(f"memory: {memory_words(done.stdout)}")
    done = must(server.remote, server.remote.run(commands.free_kib(server.config.models_dir)), "df")
    print(f"disk: {megabytes(free_bytes(done.stdout))} free below {server.config.models_dir}")
    try:
        answer = predict.ask(server.url, predict.EXAMPLES[0])
    except DeployError as error:
        print(f"service: {error}")
        return False
    print(f"service: answers with model {answer.model}")
    return True


def memory_words(output: str) -> str:
    """Return what `commands.memory` printed as words; a container's limit is what counts."""
    limits, _, meminfo = output.partition("--\n")
    fields = dict(re.findall(r"^(\w+):\s+(\d+) kB$", meminfo, re.MULTILINE))
    total, free = (int(fields[name]) * 1024 for name in ("MemTotal", "MemAvailable"))
    words = f"{megabytes(free)} available of {megabytes(total)}"
    limit, _, used = limits.strip().partition(" ")
    if limit.isdigit() and used.isdigit() and int(limit) < total:
        return f"{megabytes(int(used))} used (with files cached) of {megabytes(int(limit))}"
    return words


def logs(server: Server, lines: int, follow: bool) -> None:
    """Print the journal of the slots."""
    words = commands.logs(server.config, lines, follow)
    must(server.remote, server.remote.run_as(words, stream=True), "read its journal")


def bundle_path(given: str | None, default: Path) -> Path:
    """Return where the bundle is: as given from the user's directory, or the default."""
    return Path(given).expanduser().absolute() if given else default
