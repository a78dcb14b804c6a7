"""Recognize what came in place of a file: a pointer of Git LFS, a web page, an empty download."""

from __future__ import annotations

import re
from pathlib import Path

from controller.model_build.errors import BuildError, file_problem
from controller.progress import megabytes

_START_BYTES = 1024
_LFS = re.compile(rb"\s*version https?://(git-lfs\.github\.com|hawser\.github\.com)/spec/")
_LFS_SIZE = re.compile(rb"^size (\d{1,18})\s*$", re.MULTILINE)
_ANNEX = re.compile(rb"\s*(\.\./)*(\.git/annex/objects|/annex/objects)/")
_DVC = re.compile(rb"\s*outs:\s*\n\s*- *(md5|hash|etag|size|path):")
_HTML = re.compile(
    rb"\s*(<!--.*?-->\s*)?<(!doctype html|html|head|\?xml[^>]*>\s*<(error|!doctype))", re.I
)
_REFUSED = re.compile(
    rb"\s*(404: Not Found|Not Found|Entry not found|Access denied|AccessDenied|"
    rb"Invalid username or password\.|Repository not found)\s*$",
    re.I,
)


def download_problem(path: Path) -> str:
    """What a file is in place of the one that was meant, with what to do; "" for any other."""
    what, way_out = stand_in(path)
    return f"{what}: {way_out}" if what else ""


def stand_in(path: Path) -> tuple[str, str]:
    """What a file is in place of the one that was meant, and what to do; both "" for any other."""
    try:
        with path.open("rb") as file:
            start = file.read(_START_BYTES)
    except OSError:
        return "", ""  # whoever reads the file says so
    start = start.removeprefix(b"\xef\xbb\xbf")
    if not start.strip(b"\0 \t\r\n"):
        return ("", "") if start else ("is empty", "download or copy it again")
    if _LFS.match(start):
        size = _LFS_SIZE.search(start)
        of = f" of a file of {megabytes(int(size[1]))}" if size else ""
        return (
            f"is a Git LFS pointer{of}, not the file itself",
            "run `git lfs install` and `git lfs pull` in its repository, or download the file from "
            "its page",
        )
    if _ANNEX.match(start):
        return "is a pointer of git-annex, not the file itself", "run `git annex get` on it"
    if _DVC.match(start):
        return "is a pointer of DVC, not the file itself", "run `dvc pull` in its repository"
    if _HTML.match(start):
        return (
            "is a web page, not the file itself",
            "download the raw file (on GitHub: the button Download raw file)",
        )
    if _REFUSED.match(start):
        text = start.decode("utf-8", "replace").strip()
        return f"holds only {text!r}, a server's answer", "download the file again"
    return "", ""


def check_input(path: Path, option: str) -> None:
    """Refuse an input that is no file, or one that only stands for the file that was meant.

    Args:
        option: the option that names it, such as `--h5`.

    Raises:
        BuildError: with what it is and what to do.
    """
    problem = file_problem(path)
    if problem:
        raise BuildError(f"{path} {problem}: set it with {option}")
    problem = download_problem(path)
    if problem:
        raise BuildError(f"{path} {problem}")
