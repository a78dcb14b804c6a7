"""What a release consists of: the SHA-256 of its files, recorded once it is complete.

The list is a file of its own, so that it is still there when the mark `.complete` was lost; the
mark holds the list's own SHA-256. It covers everything below the release: the package, its
environment, what was compiled, and where symbolic links point. Releases of version 0.1 have none.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from toxctl import events, files, manifest
from toxctl.errors import ToxctlError

__all__ = [
    "DAMAGED",
    "UNRECORDED",
    "WHOLE",
    "Finding",
    "completed",
    "inspect",
    "is_recorded",
    "mark",
    "words",
]

LIST, MARK = ".files.json", ".complete"
FORMAT = 1
SHOWN = 3  # problems in one line
WHOLE, DAMAGED, UNRECORDED = "whole", "damaged", "unrecorded"


class Finding(NamedTuple):
    """How a release compares with what was recorded of it.

    Attributes:
        state: `whole`, `damaged`, or `unrecorded` where there is nothing to compare with.
        problems: what differs, as `<path below the release> <how>`.
    """

    state: str
    problems: list[str]


def words(problems: Sequence[str]) -> str:
    """Return problems in one line."""
    more = len(problems) - SHOWN
    return ", ".join(problems[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def mark(release: str, note: Mapping[str, Any] | None = None) -> None:
    """Record the files of a release, then mark it as complete: the last thing written to it.

    Args:
        note: what else the mark says.
    """
    found, _ = _content(release)
    files.write_json(os.path.join(release, LIST), {"format": FORMAT, **found})
    _write_mark(release, note or {})


def _write_mark(release: str, note: Mapping[str, Any]) -> None:
    value = {**note, "list": files.sha256_of(os.path.join(release, LIST))}
    files.write_json(os.path.join(release, MARK), value)


def completed(release: str) -> bool:
    """Return whether a release is complete; restore a lost mark if every file proves unchanged."""
    if files.is_complete(release):
        return True
    if not os.path.isfile(os.path.join(release, LIST)) or inspect(release).state != WHOLE:
        return False
    try:
        _write_mark(release, {"restored": files.clock()})
    except OSError as error:
        if error.errno != errno.EROFS:  # the unit of a backup may only read releases
            raise
        return True
    name = os.path.basename(release)
    events.say(f"{name} had lost its mark {MARK}; its files are unchanged, so it is marked again")
    return True


def is_recorded(release: str) -> bool:
    """Return whether there is a list to compare a release with."""
    note = files.read_json(os.path.join(release, MARK))
    has_note = isinstance(note, dict) and "list" in note
    return has_note or os.path.lexists(os.path.join(release, LIST))


def inspect(release: str) -> Finding:
    """Compare a release with its list, or a model without one with its manifest."""
    path = os.path.join(release, LIST)
    note = files.read_json(os.path.join(release, MARK))
    recorded = note.get("list") if isinstance(note, dict) else None
    if not is_recorded(release):
        return _inspect_unrecorded(release)
    expected = files.read_json(path)
    try:
        if recorded is not None and files.sha256_of(path) != recorded:
            return Finding(DAMAGED, [f"{LIST} differs"])
        links, sums = dict(expected["links"]), dict(expected["files"])
    except OSError as error:
        return Finding(DAMAGED, [f"{LIST} cannot be read ({error.strerror})"])
    except (ValueError, KeyError, TypeError):
        return Finding(DAMAGED, [f"{LIST} is not a list of files"])
    found, problems = _content(release)
    actual = {**found["files"], **found["links"]}
    for name, value in {**sums, **links}.items():
        if name not in actual:
            problems.setdefault(name, "is missing")
        elif actual[name] != value:
            problems[name] = "differs"
    for name in actual:
        # What Python compiled since then is read only if it belongs to an unchanged source.
        if name not in sums and name not in links and not name.endswith(".pyc"):
            problems[name] = "does not belong to the release"
    listed = [f"{name} {how}" for name, how in sorted(problems.items())]
    return Finding(DAMAGED if listed else WHOLE, listed)


def _inspect_unrecorded(release: str) -> Finding:
    """Compare a model of version 0.1 with its manifest; of an app nothing is known."""
    if not os.path.lexists(manifest.path_of(release)):
        return Finding(UNRECORDED, [])
    try:
        expected = manifest.files_of(release)
    except ToxctlError:
        return Finding(DAMAGED, ["manifest.json is not a manifest"])
    problems = []
    for name, file in expected.items():
        try:
            if files.sha256_of(os.path.join(release, name)) != file.sha256:
                problems.append(f"{name} differs")
        except OSError as error:
            problems.append(f"{name} cannot be read ({error.strerror})")
    return Finding(DAMAGED if problems else UNRECORDED, problems)


def _content(release: str) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Return files with their SHA-256 and links with their targets, and what cannot be read."""
    sums: dict[str, str] = {}
    links: dict[str, str] = {}
    problems: dict[str, str] = {}
    for name in _names(release, "", problems):
        path = os.path.join(release, name)
        try:
            if os.path.islink(path):
                links[name] = os.readlink(path)
            elif os.path.isfile(path):
                sums[name] = files.sha256_of(path)
            else:
                problems[name] = "is neither a file nor a link"
        except OSError as error:
            problems[name] = f"cannot be read ({error.strerror})"
    return {"files": sums, "links": links}, problems


def _names(release: str, below: str, problems: dict[str, str]) -> Iterator[str]:
    """Yield the paths below a release that are no directories; links are not followed."""
    try:
        with os.scandir(os.path.join(release, below)) as scanned:
            entries = sorted(scanned, key=lambda entry: entry.name)
    except OSError as error:
        problems[below or "."] = f"cannot be read ({error.strerror})"
        return
    for entry in entries:
        name = f"{below}/{entry.name}" if below else entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _names(release, name, problems)
        elif below or not entry.name.startswith("."):  # toxctl's own files
            yield name
