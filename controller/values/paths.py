"""Paths: absolute ones, directories that a role may remove as a whole, and files of swap."""

from __future__ import annotations

import re
from posixpath import normpath

from controller.values.format import Format, matching

__all__ = [
    "ABSOLUTE_PATH",
    "CONTROLLER_PATH",
    "FILE_NAME",
    "LOCAL_FILE",
    "OWN",
    "OWN_DIRECTORY",
    "SWAP_FILE",
    "is_in",
    "is_of_system",
    "overlap",
]

# Directories of the project (roles/layout): what is in them is backed up, or removed with it.
OWN = ("/etc/tox_com_det", "/opt/tox_com_det", "/srv/tox_com_det", "/var/lib/tox_com_det")

# What is in them belongs to packages, to the kernel or to nobody for long.
_SYSTEM = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/lost+found",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/tmp",  # noqa: S108 (no file is made)
    "/usr",
)
# Files of users and of services, which no directory of an installation may be among.
_DATA = ("/home", "/root", "/var")
# Directories for installations that no package owns, and what the system itself has in them.
_FREE = ("/usr/local", "/var/local", "/var/opt")
_LOCAL = re.compile(r"/usr/local/(bin|etc|games|include|lib|lib64|libexec|man|sbin|share|src)(/|$)")
_OF_USER = re.compile("/root/.|/home/[^/]+/.")  # such as Anaconda's own choice, ~/miniconda3
_SHARED = ("/", "/media", "/mnt", "/opt", "/srv", *_FREE)


def is_in(one: str, other: str) -> bool:
    """Return whether the first of two directories is the other, or in it."""
    first, second = (f"{_normal(path).rstrip('/')}/" for path in (one, other))
    return first.startswith(second)


def overlap(one: str, other: str) -> bool:
    """Return whether one of two directories is the other, or in it."""
    return is_in(one, other) or is_in(other, one)


def _normal(path: str) -> str:
    return "/" + normpath(path).strip("/")


def is_of_system(path: str) -> bool:
    """Return whether a directory is the system's, or one that is there for all installations."""
    path = _normal(path)
    if path in (*_SHARED, *_DATA) or _LOCAL.match(path):
        return True
    if is_in(path, "/run/media") and path.count("/") > 3:  # a disk, as /run/media/USER/DISK
        return False
    return any(is_in(path, one) for one in _SYSTEM) and not is_in(path, "/usr/local")


def _is_own_directory(text: str) -> bool:
    if not ABSOLUTE_PATH.accepts(text) or is_of_system(text):
        return False
    is_data = any(is_in(text, one) for one in _DATA) and not any(is_in(text, one) for one in _FREE)
    is_data = is_data and not _OF_USER.match(_normal(text))
    return not is_data and not any(overlap(text, one) for one in (*OWN, "/opt/secantusdb"))


def _is_swap_file(text: str) -> bool:
    is_file = ABSOLUTE_PATH.accepts(text) and not text.endswith("/")
    return is_file and not is_of_system(text) and not any(is_in(text, one) for one in OWN)


# No blank and no character that a unit, a shell or sudoers would read otherwise.
ABSOLUTE_PATH = matching(
    r"/(?!.*/\.\.(?:/|$))[\w./+@,=~-]*", "an absolute path without blanks, such as /opt/name"
)
OWN_DIRECTORY = Format(
    "an absolute path without blanks of a directory of its own, such as /opt/name, which is "
    "removed as a whole with the project",
    _is_own_directory,
)
SWAP_FILE = Format(
    "an absolute path without blanks of a file for swap alone, such as /swapfile, outside of "
    "the system's and the project's directories",
    _is_swap_file,
)
CONTROLLER_PATH = matching(
    r"[/~][^\x00-\x1f\x7f]{0,4095}",
    "an absolute path on the controller, such as ~/tls/fullchain.pem",
)
FILE_NAME = matching(
    r"\w[\w.+@~-]{0,254}", "a file name, such as Miniconda3-latest-Linux-x86_64.sh"
)
LOCAL_FILE = matching(r"[^\x00-\x1f\x7f]{1,4096}", "the path of a file")
