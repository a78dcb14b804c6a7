"""Files: read and replaced in one step, hashed, linked, measured."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from typing import IO, Any

__all__ = [
    "age",
    "bytes_below",
    "clock",
    "directories",
    "files_below",
    "free_bytes",
    "is_complete",
    "link_target",
    "load_json",
    "megabytes",
    "point_link",
    "read_json",
    "remove_release",
    "sha256_of",
    "sha256_of_open",
    "sync_directory",
    "write_file",
    "write_json",
]

CHUNK = 1 << 20
# Python refuses longer integers, in words about a function of its own.
_MOST_DIGITS = 4300


def clock(seconds: float | None = None) -> str:
    """Return a time (default: now) in UTC, as ISO 8601 writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def megabytes(size: float) -> str:
    """Return a number of bytes as text, in the unit that the laptop's tasks use."""
    return f"{size / 1e6:.1f} MB"


def load_json(file: IO[str]) -> Any:
    """Return the JSON value in an open file.

    Raises:
        ValueError: not JSON, or a number with too many digits; RecursionError: too deeply nested.
    """
    return json.load(file, parse_int=_integer)


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number has {len(digits)} digits, the limit is {_MOST_DIGITS}")
    return int(digits)


def read_json(path: str) -> Any:
    """Return the JSON value in the file; None if there is no file or no JSON in it."""
    try:
        with open(path, encoding="utf-8") as file:
            return load_json(file)
    except (OSError, ValueError, RecursionError):
        return None


def sha256_of(path: str) -> str:
    """Return the file's SHA-256 in hex."""
    with open(path, "rb") as file:
        return sha256_of_open(file)


def sha256_of_open(file: IO[bytes]) -> str:
    """Return the SHA-256 in hex of an open file, from its start; rewinds it."""
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def sync_directory(path: str) -> None:
    """Make renames in the directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_file(path: str, text: str, mode: int = 0o644, group: int = -1) -> None:
    """Replace the file in one step: readers see the old content or the new, never half of it.

    `group`: its number; -1 for this program's own.
    """
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".toxctl-")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchown(file.fileno(), -1, group)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    sync_directory(os.path.dirname(path))


def write_json(path: str, value: dict[str, Any]) -> None:
    """Replace a JSON file in one step."""
    write_file(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def point_link(link: str, target: str | None) -> None:
    """Point the link at the target by rename; None removes it."""
    temporary = link + ".toxctl"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)  # of a run that was killed at this point
    if target is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(link)
    else:
        os.symlink(target, temporary)
        os.replace(temporary, link)
    sync_directory(os.path.dirname(link))


def link_target(link: str) -> str | None:
    """Return what the link points to; None if it does not exist or is no link."""
    try:
        return os.readlink(link)
    except OSError:
        return None


def files_below(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every file below a directory with its status; links are not followed."""
    for directory, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                full = os.path.join(directory, name)
                yield full, os.lstat(full)


def bytes_below(path: str) -> int:
    """Return the bytes of all files below a directory."""
    return sum(found.st_size for _, found in files_below(path))


def age(path: str) -> float:
    """Return for how many seconds nothing at or below the path has changed."""
    times = [found.st_mtime for _, found in files_below(path)]
    with contextlib.suppress(OSError):
        times.append(os.lstat(path).st_mtime)
    return time.time() - max(times, default=time.time())


def directories(path: str) -> list[str]:
    """Return the real paths of the directories in a directory, sorted; links are left out."""
    try:
        with os.scandir(path) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    return [os.path.join(os.path.realpath(path), name) for name in sorted(names)]


def free_bytes(*paths: str) -> int:
    """Return the free bytes of the disks that hold the paths, of the fullest one.

    Of a path that is missing it is the disk on which it would be made.
    """
    disks = (os.statvfs(_existing(path)) for path in paths)
    return min(disk.f_bavail * disk.f_frsize for disk in disks)


def _existing(path: str) -> str:
    """Return the path, or the nearest directory above it that exists."""
    while not os.path.exists(path):
        path = os.path.dirname(os.path.abspath(path))
    return path


def is_complete(path: str) -> bool:
    """Return whether a release was marked as complete."""
    return os.path.exists(os.path.join(path, ".complete"))


def remove_release(path: str) -> None:
    """Remove a release. Its mark goes first: half of one must never count as complete."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(path, ".complete"))
    shutil.rmtree(path)
