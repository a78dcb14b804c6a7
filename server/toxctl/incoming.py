"""Uploads below incoming_dir/<login>/: that directory belongs to the uploader, so nothing in it is
trusted. Links are not followed, and a file counts only as a copy that the uploader cannot change.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import stat
from collections.abc import Iterator
from typing import IO

from toxctl.config import Config
from toxctl.errors import ToxctlError

__all__ = [
    "open_part",
    "open_regular",
    "part_path",
    "prepare",
    "remove_if_uploaded",
    "remove_part",
]

LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\$?")
SHA256 = re.compile(r"[0-9a-f]{64}")
# Not blocking: opening a FIFO would wait for its other end.
NO_FOLLOW = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def part_path(config: Config, login: str, sha256: str) -> str:
    """Return where a file of this content is while it is uploaded: its name is its content.

    Raises:
        ToxctlError: kind `usage`, for a login or a hash that is none.
    """
    if not LOGIN.fullmatch(login) or not SHA256.fullmatch(sha256):
        raise ToxctlError(f"no login or no sha256: {login!r}, {sha256!r}", "usage")
    return os.path.join(config.incoming_dir, login, f"{sha256}.part")


def prepare(config: Config, login: str) -> None:
    """Create the uploader's directory, mode 0755 and owned by them.

    Raises:
        ToxctlError: no such user, or something else is in its place.
    """
    path = os.path.join(config.incoming_dir, login)
    try:
        owner = pwd.getpwnam(login).pw_uid if os.geteuid() == 0 else -1
    except KeyError:
        raise ToxctlError(f"{login} is no user of this server", "usage") from None
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o755)
    descriptor = _open_directory(path)
    try:
        os.fchown(descriptor, owner, -1)
        os.fchmod(descriptor, 0o755)
    finally:
        os.close(descriptor)


def _open_directory(path: str) -> int:
    try:
        return os.open(path, NO_FOLLOW | os.O_DIRECTORY)
    except OSError as error:
        raise ToxctlError(f"{path} is no directory: {error.strerror}") from None


def _parts(config: Config, path: str) -> tuple[str, str]:
    """Return (directory, name) of an upload.

    Raises:
        ToxctlError: kind `usage`, for any path but <incoming_dir>/<login>/<name>.
    """
    directory, name = os.path.split(path)
    is_below = os.path.dirname(directory) == config.incoming_dir.rstrip("/")
    if not is_below or not LOGIN.fullmatch(os.path.basename(directory)) or name in ("", ".", ".."):
        words = f"{config.incoming_dir}/<login>/<name>"
        raise ToxctlError(f"{path} is not an upload ({words})", "usage")
    return directory, name


@contextlib.contextmanager
def open_regular(path: str, directory: int | None = None) -> Iterator[IO[bytes]]:
    """Open a regular file for reading; OSError for a link, a FIFO, a directory and so on."""
    descriptor = os.open(path, NO_FOLLOW, dir_fd=directory)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is not a regular file")
        yield file


@contextlib.contextmanager
def open_part(config: Config, path: str) -> Iterator[IO[bytes] | None]:
    """Open an upload for reading; None if there is none.

    Raises:
        ToxctlError: it is no upload, or no regular file.
    """
    directory, name = _parts(config, path)
    try:
        descriptor = _open_directory(directory)
    except ToxctlError:
        if os.path.lexists(directory):
            raise
        yield None
        return
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, descriptor)
        try:
            file = stack.enter_context(open_regular(name, descriptor))
        except FileNotFoundError:
            yield None
            return
        except OSError:
            raise ToxctlError(f"{path} is not a regular file") from None
        yield file


def remove_part(config: Config, path: str) -> bool:
    """Remove an upload, or a link in its place; return whether there was one."""
    directory, name = _parts(config, path)
    if not os.path.lexists(directory):
        return False
    descriptor = _open_directory(directory)
    try:
        os.unlink(name, dir_fd=descriptor)
    except FileNotFoundError:
        return False
    finally:
        os.close(descriptor)
    return True


def remove_if_uploaded(config: Config, path: str) -> None:
    """Remove a file that was used, if it lies below incoming_dir."""
    directory = os.path.dirname(os.path.abspath(path))
    below = config.incoming_dir.rstrip("/")
    if directory == below or os.path.dirname(directory) == below:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
