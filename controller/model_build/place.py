"""Replace a directory by a finished one, so that no reader sees a part of either."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.model_build.errors import BuildError

MARK = "manifest.json"


@contextmanager
def replacing(out: Path, mark: str = MARK) -> Iterator[Path]:
    """Yield an empty directory beside `out`; it replaces `out` at the end, or is removed on error.

    A previous directory is replaced only if it contains `mark` or is empty, and it is restored if
    the exchange fails. Leftovers of a killed build are removed first.

    Raises:
        BuildError: `out` is something other than a bundle.
    """
    check_replaceable(out, mark)
    out.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(out)
    work = out.with_name(f".{out.name}.building-{os.getpid()}")
    work.mkdir()
    try:
        yield work
        sync(work)
        _exchange(work, out)
    finally:
        shutil.rmtree(work, ignore_errors=True)  # may not be there


def check_replaceable(out: Path, mark: str = MARK) -> None:
    """Refuse an `out` that exists and is neither a bundle (or dump) nor an empty directory.

    Raises:
        BuildError: it is a link, a file, or a directory with other files.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise BuildError(f"{out}: exists and is not a directory: choose another --out")
    if out.is_dir() and any(out.iterdir()) and not (out / mark).exists():
        raise BuildError(
            f"{out}: contains other files ({mark} is missing) and would be replaced: "
            "choose another --out"
        )


def sync(directory: Path) -> None:
    """Flush `directory` and every file and directory below it to the disk."""
    for parent, _, files in os.walk(directory):
        for path in (*(Path(parent, name) for name in files), Path(parent)):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _exchange(work: Path, out: Path) -> None:
    previous = out.with_name(f".{out.name}.previous-{os.getpid()}")
    try:
        if out.exists():
            out.rename(previous)
        work.rename(out)
    except BaseException:
        if previous.exists() and not out.exists():
            previous.rename(out)
        raise
    shutil.rmtree(previous, ignore_errors=True)  # may not be there


def _clear_leftovers(out: Path) -> None:
    pattern = re.compile(rf"\.{re.escape(out.name)}\.(building|previous)-(\d+)")
    for path in sorted(out.parent.iterdir()):
        match = pattern.fullmatch(path.name)
        if match is None or _is_running(int(match[2])):
            continue
        if match[1] == "previous" and not out.exists():
            path.rename(out)  # killed between the two renames: restore the previous bundle
        else:
            shutil.rmtree(path)


def _is_running(process: int) -> bool:
    """Whether another process of this number is running."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
