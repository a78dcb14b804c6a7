"""`fab add-key`, `copy-keys`, `list-keys`, `revoke-key`: API keys; servers keep hashes only."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

from controller.deploy import commands
from controller.deploy.dry_run import would_ask
from controller.deploy.errors import DeferredError, DeployError
from controller.deploy.remote_toxctl import ToxctlError
from controller.deploy.server import Server
from controller.deploy.tasks.status import count, utc
from controller.progress import table

__all__ = ["STILL_VALID", "AddKey", "CopyKeys", "chosen_key", "list_keys", "new_key", "revoke_key"]

STILL_VALID = (
    "the key is still valid on {hosts}: rerun the command with --limit {hosts} when it answers"
)
HEADER = ("ID", "NAME", "RATE", "ENDS", "CREATED")
NAME = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"
NewKey = list[str]  # the options of `toxctl keys`


def new_key(name: str | None, rate: int, ends: str | None) -> NewKey:
    """Return the options for a new key; `rate`: 0 for none. DeployError if one is wrong."""
    if not name:
        raise DeployError("name the client of the new key: `fab add-key --name NAME`")
    if not re.fullmatch(NAME, name):
        raise DeployError(
            f"--name is {name[:80]!r}, expected 1 to 64 letters, digits and . _ @ -: correct it, "
            "then rerun `fab add-key`"
        )
    options = ["--add", name, *(["--rate", str(rate)] if rate else [])]
    if ends is None:
        return options
    try:
        day = datetime.date.fromisoformat(ends)
    except ValueError:
        raise DeployError(
            f"--ends is {ends[:40]!r}, expected a day such as 2027-01-31: correct it, then rerun "
            "`fab add-key`"
        ) from None
    return [*options, "--ends", day.isoformat()]


class AddKey:
    """Add a key and print it, this once: the server keeps its hash only.

    The app hosts of a cluster get the same key: the first one makes it, the others its hash.
    """

    def __init__(self, options: NewKey) -> None:
        self.options = options
        self.made: list[Mapping[str, Any]] = []  # its entry, with the hash

    def __call__(self, server: Server, *, dry_run: bool = False) -> None:
        words = ("keys", *self.options)
        if dry_run:
            would_ask(server, "add-key", commands.toxctl(*words))
            return
        if self.made:
            server.toxctl("keys", "--import", stdin=self.made).result()
            server.say("added the same key")
            return
        added = server.toxctl(*words).result()
        server.say(f"added key {describe(added)}, in force from the next request on")
        server.say("the key is shown only now and stored nowhere:")
        print(added["key"], flush=True)
        if server.remote.host.in_cluster:
            entries = server.toxctl("keys", "--export").result()["entries"]
            self.made = [entry for entry in entries if entry["id"] == added["id"]]


class CopyKeys:
    """Give every app host the keys of all of them, such as a new or a rebuilt one.

    A key that was revoked on one of them is given to none, and each learns that it was.
    """

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Mapping[str, Any]]] = {}  # by host and hash
        self.revoked: dict[str, str] = {}  # the hash, and where it was revoked
        # By host, the hashes that were revoked there; None of a toxctl that keeps none.
        self.known: dict[str, list[str] | None] = {}

    def collect(self, server: Server, *, dry_run: bool = False) -> None:
        """Read the keys of a host."""
        found = server.toxctl("keys", "--export").result()
        self.entries[server.name] = {entry["sha256"]: entry for entry in found["entries"]}
        self.known[server.name] = found.get("revoked")
        self.revoked |= dict.fromkeys(self.known[server.name] or [], server.name)

    def __call__(self, server: Server, *, dry_run: bool = False) -> None:
        if dry_run:
            export, take = (commands.toxctl("keys", word) for word in ("--export", "--import"))
            would_ask(server, "copy-keys", export, take)
            return
        here = self.entries[server.name]
        for digest, key in here.items():
            if digest not in self.revoked:
                continue
            server.say(
                f"the key {key['id']} ({key['name']}) was revoked on {self.revoked[digest]} and is "
                f"valid here: `fab revoke-key --key {key['id']} --limit {server.name}`"
            )
        new = [entry for digest, entry in self.given().items() if digest not in here]
        known = self.known[server.name]
        told = [] if known is None else [one for one in self.revoked if one not in {*known, *here}]
        added = []
        if new or told:
            given = {"entries": new, "revoked": told} if told else new
            added = server.toxctl("keys", "--import", stdin=given).result()["added"]
        server.say(f"added {', '.join(map(describe, added)) or 'no key'}")
        server.say(count(len(here) + len(added), "key"))

    def given(self) -> dict[str, Mapping[str, Any]]:
        """Return the keys that every host gets; DeployError if two have the same name."""
        found: dict[str, Mapping[str, Any]] = {}
        named: dict[str, tuple[str, str]] = {}
        for host, entries in self.entries.items():
            for digest, entry in entries.items():
                if digest in self.revoked:
                    continue
                name = str(entry["name"])
                other, there = named.setdefault(name, (digest, host))
                if other != digest:
                    raise DeployError(
                        f"two keys have the name {name}, one on {there} and one on {host}: revoke "
                        f"one of them with `fab revoke-key --key {name} --limit HOST`"
                    )
                found.setdefault(digest, entry)
        return found


def list_keys(server: Server, *, dry_run: bool = False) -> None:
    """Print every key of the server, the oldest first; the keys themselves are nowhere."""
    if dry_run:
        would_ask(server, "list-keys", commands.toxctl("keys"))
        return
    keys = server.toxctl("keys").result()["keys"]
    server.say(count(len(keys), "key"))
    if keys:
        print(table([row(key) for key in keys], HEADER))


def chosen_key(key: str | None) -> str:
    """Return the key to revoke; DeployError if none was named."""
    if not key:
        raise DeployError("name the key, as in `fab list-keys`: `fab revoke-key --key NAME`")
    return key


def revoke_key(server: Server, key: str, *, dry_run: bool = False) -> None:
    """Revoke a key by its identifier or name."""
    # One word: a name that begins with a dash would be an option of toxctl.
    words = ("keys", f"--revoke={key}")
    if dry_run:
        would_ask(server, "revoke-key", commands.toxctl(*words))
        return
    try:
        revoked = server.toxctl(*words).result()["revoked"]
    except ToxctlError as error:
        why = f"{server.name}: {error}"
        if error.kind != "usage":
            raise DeployError(why, error.details) from None
        # Of several app hosts the others may have it.
        raise DeferredError(why) from None
    server.say(f"revoked key {describe(revoked)}, in force from the next request on")


def describe(key: Mapping[str, Any]) -> str:
    """Return a key's identifier, name, rate and end."""
    rate, ends = key["requests_per_second"], key["ends"]
    words = [f"{key['id']} ({key['name']})"]
    words += [f"{rate} requests per second"] if rate else []
    words += [f"valid until the end of {ends} UTC"] if ends else []
    return ", ".join(words)


def row(key: Mapping[str, Any]) -> list[str]:
    """Return a key as cells."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    rate, ends = key["requests_per_second"], key["ends"]
    over = " (over)" if ends and ends < today else ""
    return [
        key["id"],
        key["name"],
        f"{rate}/s" if rate else "-",
        f"{ends}{over}" if ends else "-",
        utc(key["created"]),
    ]
