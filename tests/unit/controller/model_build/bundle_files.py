"""The files of a bundle, for comparisons."""

from __future__ import annotations

from pathlib import Path


def tree(directory: Path) -> dict[str, bytes]:
    """Content of every file below a directory, by its path there."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
