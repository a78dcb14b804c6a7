"""API keys: added, listed and revoked in keys.json, which holds their SHA-256 and no key.

A key is random, of 190 bits. Nobody finds it by trying, so a plain SHA-256 protects it as well as a
slow hash would. The service reads the file at the next request (tox_com_det.keys.key_file).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pwd
import re
import secrets
import string
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

from toxctl.config import REPAIR, Config
from toxctl.errors import ToxctlError
from toxctl.files import clock, write_file

__all__ = [
    "KEY_FORM",
    "add",
    "entries",
    "export",
    "path_of",
    "read",
    "read_revoked",
    "revoke",
    "revoked",
    "take",
]

VERSION = 1
# What scanners for leaked secrets look for; nginx.conf has it too.
PREFIX = "toxcomdet_"
LETTERS = string.ascii_letters + string.digits
RANDOM_LETTERS = 32
KEY_FORM = rf"{PREFIX}[A-Za-z0-9]{{{RANDOM_LETTERS}}}"
NAME = r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}"
MOST_PER_SECOND = 1_000_000
# A line of the table may hold them, and every request is compared with them.
MOST_KEYS = 1000
# Hashes of revoked keys are kept, so that no other host and no backup brings such a key back.
MOST_REVOKED = 1000

Entry = dict[str, Any]


def path_of(config: Config) -> str:
    """Return the path of keys.json, which lies beside server.json."""
    return os.path.join(os.path.dirname(os.path.abspath(config.path)), "keys.json")


def entries(config: Config) -> list[Entry]:
    """Return every key's entry without its hash, the oldest first.

    Raises:
        ToxctlError: kind `config`, keys.json is damaged.
    """
    shown = ("id", "name", "requests_per_second", "ends", "created")
    return [{name: entry[name] for name in shown} for entry in read(path_of(config))]


def export(config: Config) -> list[Entry]:
    """Return every key's whole entry, with its hash, for `take` on another app host.

    Raises:
        ToxctlError: kind `config`, keys.json is damaged.
    """
    return read(path_of(config))


def revoked(config: Config) -> list[str]:
    """Return the hashes of the keys that were revoked here, the oldest first.

    Raises:
        ToxctlError: kind `config`, keys.json is damaged.
    """
    return read_revoked(path_of(config))


def take(config: Config, given: Any, also_revoked: Any = ()) -> tuple[list[Entry], list[Entry]]:
    """Add the entries of another app host that are not here, without those that were revoked.

    Args:
        config: the server's.
        given: the entries.
        also_revoked: hashes of keys that were revoked there: none of them is taken from now on. A
            key that is valid here stays so until it is revoked here.

    Returns:
        What was added and what was not, as it was revoked; both without their hashes.

    Raises:
        ToxctlError: kind `usage`, they are no entries, or another key has such a name here;
            `config`, keys.json is damaged. Nothing is added then.
    """
    lists = isinstance(given, list) and isinstance(also_revoked, (list, tuple))
    if not lists or not all(map(_is_whole, given)) or not all(map(_is_digest, also_revoked)):
        raise ToxctlError("standard input has no entries of `toxctl keys --export`", "usage")
    with _locked(config) as path:
        found, gone = read(path), list(dict.fromkeys([*also_revoked, *read_revoked(path)]))
        here = {entry["sha256"] for entry in found}
        missing = {entry["sha256"]: entry for entry in given if entry["sha256"] not in here}
        skipped = [entry for digest, entry in missing.items() if digest in gone]
        new = [entry for digest, entry in missing.items() if digest not in gone]
        _refuse_same_names(found, new)
        if len(found) + len(new) > MOST_KEYS:
            raise ToxctlError(f"there would be more than {MOST_KEYS} keys", "usage")
        if new or also_revoked:
            _write(config, path, [*found, *new], gone)
    return [_shown(one) for one in new], [_shown(one) for one in skipped]


def _refuse_same_names(found: list[Entry], new: list[Entry]) -> None:
    """Raise ToxctlError if two keys would have one name or identifier."""
    times = Counter(name for one in [*found, *new] for name in {one["id"], one["name"]})
    other = sorted({one["name"] for one in new if max(times[one["id"]], times[one["name"]]) > 1})
    if other:
        raise ToxctlError(
            f"another key has the name {', '.join(other)} here: revoke one of the two with "
            f"`fab revoke-key --key {other[0]} --limit HOST`",
            "usage",
        )


def add(config: Config, name: str, rate: int | None, ends: str | None) -> Entry:
    """Add a key; return its entry, with the key itself as `key`: it is kept nowhere.

    Args:
        config: the server's.
        name: of the client.
        rate: requests per second; None for no limit of its own.
        ends: the last day on which it is valid (UTC); None for no end.

    Raises:
        ToxctlError: kind `usage`, an argument is wrong; `config`, keys.json is damaged.
    """
    if not re.fullmatch(NAME, name):
        raise ToxctlError(
            f"a key's name has 1 to 64 letters, digits and . _ @ -, not {name[:80]!r}", "usage"
        )
    if rate is not None and not 1 <= rate <= MOST_PER_SECOND:
        raise ToxctlError(f"the rate is {rate}, not 1 to {MOST_PER_SECOND} a second", "usage")
    with _locked(config) as path:
        found = read(path)
        if any(name in (entry["name"], entry["id"]) for entry in found):
            raise ToxctlError(
                f"there is a key {name} already: choose another name, or revoke it with "
                f"`fab revoke-key --key {name}`",
                "usage",
            )
        if len(found) >= MOST_KEYS:
            raise ToxctlError(
                f"there are {len(found)} keys, which is the limit: revoke one that is no longer "
                "used, see `fab list-keys`",
                "usage",
            )
        key = PREFIX + "".join(secrets.choice(LETTERS) for _ in range(RANDOM_LETTERS))
        entry = {
            "id": _new_id(found),
            "name": name,
            "sha256": hashlib.sha256(key.encode()).hexdigest(),
            "requests_per_second": rate,
            "ends": _day(ends),
            "created": clock(),
        }
        _write(config, path, [*found, entry], read_revoked(path))
    return {**_shown(entry), "key": key}


def revoke(config: Config, which: str) -> Entry:
    """Remove a key by its identifier or name, and keep its hash; return its entry.

    Raises:
        ToxctlError: kind `usage`, there is none; `config`, keys.json is damaged.
    """
    with _locked(config) as path:
        found = read(path)
        chosen = [entry for entry in found if which in (entry["id"], entry["name"])]
        if not chosen:
            raise ToxctlError(f"there is no key {which[:80]!r}: see `fab list-keys`", "usage")
        gone = [*read_revoked(path), *(entry["sha256"] for entry in chosen)]
        _write(config, path, [entry for entry in found if entry not in chosen], gone)
    return _shown(chosen[0])


def _shown(entry: Entry) -> Entry:
    """Return an entry without its hash."""
    return {name: value for name, value in entry.items() if name != "sha256"}


@contextlib.contextmanager
def _locked(config: Config) -> Iterator[str]:
    """Let one program at a time change the file; wait for the other."""
    path = path_of(config)
    # The file itself is replaced, so its directory is locked.
    directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield path
    finally:
        os.close(directory)


def _day(text: str | None) -> str | None:
    """Return a day as ISO 8601 writes it; ToxctlError if it is none, or over."""
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
        if day == date.max:
            raise ValueError
    except ValueError:
        raise ToxctlError(f"{text[:40]!r} is no day such as 2027-01-31", "usage") from None
    if day < datetime.now(UTC).date():
        raise ToxctlError(f"{day} is over: name the last day on which the key is valid", "usage")
    return day.isoformat()


def _new_id(found: list[Entry]) -> str:
    taken = {entry[name] for entry in found for name in ("id", "name")}
    while (new := secrets.token_hex(4)) in taken:
        pass
    return new


def read(path: str) -> list[Entry]:
    """Return the whole entries of a keys.json; ToxctlError, kind `config`, if it is damaged."""
    return _content(path)[0]


def read_revoked(path: str) -> list[str]:
    """Return the hashes of revoked keys of a keys.json; ToxctlError as `read` raises."""
    return _content(path)[1]


def _content(path: str) -> tuple[list[Entry], list[str]]:
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
    except FileNotFoundError:
        return [], []
    except (ValueError, RecursionError):
        data = None
    known: Any = data if isinstance(data, dict) and data.get("version") == VERSION else {}
    # Files of before `revoked` have none.
    found, gone = known.get("keys"), known.get("revoked", [])
    lists = isinstance(found, list) and isinstance(gone, list)
    if not lists or not all(map(_is_whole, found)) or not all(map(_is_digest, gone)):
        raise ToxctlError(
            f"{path} is damaged, so no key can be added or revoked: remove it on the server "
            f"(`rm {path}`), which revokes every key, then add new ones with `fab add-key`, or "
            "take those of the newest backup with `fab restore`",
            "config",
        )
    return found, gone


def _is_digest(text: Any) -> bool:
    return isinstance(text, str) and re.fullmatch(r"[0-9a-f]{64}", text) is not None


def _is_whole(entry: Any) -> bool:
    """Return whether an entry is what `add` writes."""
    if not isinstance(entry, dict):
        return False
    texts = all(isinstance(entry.get(name), str) for name in ("id", "name", "sha256", "created"))
    rate, ends = entry.get("requests_per_second", ""), entry.get("ends", 0)
    return (
        texts
        and _is_digest(entry["sha256"])
        and (rate is None or (type(rate) is int and rate >= 1))
        and (ends is None or (isinstance(ends, str) and _is_day(ends)))
    )


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text) < date.max
    except ValueError:
        return False


def _write(config: Config, path: str, found: list[Entry], gone: Sequence[str]) -> None:
    try:
        group = pwd.getpwnam(config.user).pw_gid
    except KeyError:
        raise ToxctlError(f"there is no user {config.user}: {REPAIR}", "config") from None
    # The service, and a toxctl of before `revoked`, read the rest of it.
    content = {"version": VERSION, "keys": found, "revoked": list(gone)[-MOST_REVOKED:]}
    text = json.dumps(content, indent=2) + "\n"
    write_file(path, text, 0o640, group)
