"""Put a finished directory in place of another one, so that no half of either is ever seen."""

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
    """Yields an empty directory beside `out`; takes its place at the end, or is removed on error.

    A previous directory is replaced only where it holds `mark` or nothing at all, and comes
    back if the exchange fails. What a killed build left behind is cleared away first.

    Raises:
        BuildError: `out` is something else than a bundle.
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
    """Refuse to replace anything but a bundle (or dump), an empty directory, or nothing."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise BuildError(f"{out}: not a directory: give another --out")
    if out.is_dir() and any(out.iterdir()) and not (out / mark).exists():
        raise BuildError(f"{out}: holds something else than a bundle: give another --out")


def sync(directory: Path) -> None:
    """Have every file and directory below `directory`, and itself, on the disk."""
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
        if match is None or _runs(int(match[2])):
            continue
        if match[1] == "previous" and not out.exists():
            path.rename(out)  # killed between the two renames: the previous bundle comes back
        else:
            shutil.rmtree(path)


def _runs(process: int) -> bool:
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
