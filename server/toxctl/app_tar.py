"""The tar of an app release: what it may contain, and how it is unpacked."""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile

__all__ = ["NotARelease", "check", "entry_module", "unpack"]

VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+]*-[0-9a-f]{12}")


class NotARelease(ValueError):
    """The tar is not one that `controller.deploy.app_release` builds."""


def check(archive: tarfile.TarFile) -> dict[str, str]:
    """Check every name in the archive; return version and target of its release.json.

    Raises:
        NotARelease: a name, or release.json, is not allowed.
        KeyError, ValueError: release.json, or a key of it, is missing; it is not JSON.
    """
    for member in archive:
        parts = member.name.split("/")
        if not (member.isreg() or member.isdir()):
            raise NotARelease(f"{member.name} is neither a file nor a directory")
        if not parts[0] or any(part in (".", "..") for part in parts):
            raise NotARelease(f"{member.name} is outside of the release")
        if parts[0] in (".complete", "venv"):  # .complete would mark half a release as complete
            raise NotARelease(f"{member.name} is created on the server")
    file = archive.extractfile("release.json")
    value = json.loads(file.read()) if file else None
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise NotARelease("release.json is not an object of strings")
    version, target = value["version"], value["target"]
    if not VERSION.fullmatch(version):
        raise NotARelease(f"{version!r} is not a version")
    return {"version": version, "target": target}


def unpack(archive: tarfile.TarFile, path: str) -> None:
    """Unpack a checked archive into a new directory, with modes of our own."""
    os.mkdir(path, 0o755)
    for member in archive:
        target = os.path.join(path, member.name)
        if member.isdir():
            os.makedirs(target, 0o755, exist_ok=True)
            continue
        os.makedirs(os.path.dirname(target), 0o755, exist_ok=True)
        source = archive.extractfile(member)
        if source is None:
            raise ValueError(f"{member.name} cannot be read")
        with open(target, "xb") as file:
            shutil.copyfileobj(source, file)
            os.fchmod(file.fileno(), 0o644)


def entry_module(path: str) -> str:
    """Return the module that loads the whole app of an unpacked release."""
    # Releases of version 0.1 have no package http.
    is_new = os.path.exists(os.path.join(path, "tox_com_det", "http", "routes.py"))
    return "tox_com_det.http.routes" if is_new else "tox_com_det.web"
