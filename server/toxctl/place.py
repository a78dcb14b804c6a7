"""`toxctl place`: reports what of a deploy is on the server already, and puts uploads in place."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from typing import IO, Any, NamedTuple

from toxctl import damage, files, incoming, integrity, variants
from toxctl.config import Config
from toxctl.errors import ToxctlError
from toxctl.protection import Protection
from toxctl.releases import complete_names, protected_names
from toxctl.slots import Slots

__all__ = ["destination", "place", "plan"]

# No leading dot: .complete would mark a release as complete.
NAME = re.compile(r"[0-9A-Za-z_][0-9A-Za-z._+-]*")
CHUNK = 1 << 20
OTHER_VERSION = "the laptop's checkout is of another version: run `ansible-playbook site.yml`"


class Destination(NamedTuple):
    """Where a file belongs: its path, and the directory of server.json that it is below."""

    top: str
    path: str


def destination(config: Config, to: Any) -> Destination:
    """Return the absolute path that `to` stands for.

    Args:
        to: `models/<release>/<file>`, `dumps/<collection>/<database>/<file>` or
            `dumps/<collection>/manifest.json`.

    Raises:
        ToxctlError: kind `usage`, for anything else.
    """
    match to.split("/") if isinstance(to, str) else []:
        case ["models", release, file]:
            top, parts = config.models_dir, [release, file]
        case ["dumps", collection, "manifest.json"]:
            top, parts = config.dumps_dir, [collection, "manifest.json"]
        case ["dumps", collection, database, file]:
            top, parts = config.dumps_dir, [collection, database, file]
        case _:
            raise ToxctlError(f"{to!r} is not a place for an upload: {OTHER_VERSION}", "usage")
    if not all(NAME.fullmatch(part) for part in parts):
        raise ToxctlError(f"{to!r} is not a place for an upload: {OTHER_VERSION}", "usage")
    return Destination(top, os.path.join(top, *parts))


def _entries(request: Any) -> list[Mapping[str, Any]]:
    """Return the files of a request; ToxctlError if it has another form."""
    entries = request.get("files") if isinstance(request, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        message = f'the request must be {{"files": [{{...}}, ...]}}: {OTHER_VERSION}'
        raise ToxctlError(message, "usage")
    return entries


def plan(config: Config, request: Any, dry_run: bool) -> dict[str, Any]:
    """Return what of a deploy's files is on the server already; prepare the upload of the rest.

    Args:
        request: {"login", "files": [{"sha256", "bytes", "to"}], "app": version}; `to` is null for
            a file that stays in the uploader's directory; "app" may be missing.
        dry_run: do not create that directory.
    """
    entries = _entries(request)
    login = str(request.get("login"))
    found = [_found(config, login, entry) for entry in entries]
    if not dry_run:
        incoming.prepare(config, login)
    version = request.get("app")
    app = variants.find(config, version, dry_run)._asdict() if isinstance(version, str) else None
    disks = (config.models_dir, config.releases_dir, config.dumps_dir, config.incoming_dir)
    return {
        "files": found,
        "free_bytes": files.free_bytes(*disks),
        "complete": complete_names(config),
        "confirmed": Slots(config).confirmed(),
        "protected": protected_names(config),
        "damaged": _damaged_models(config, found, dry_run),
        "app": app,
    }


def _damaged_models(
    config: Config, found: Sequence[Mapping[str, Any]], read_only: bool
) -> dict[str, str]:
    """Return what is damaged of the complete models that a request names."""
    top = os.path.realpath(config.models_dir)
    models = {os.path.dirname(os.path.realpath(file["path"])) for file in found if file["path"]}
    damaged = {}
    for path in sorted(models):
        if os.path.dirname(path) == top and files.is_complete(path):
            look = integrity.inspect(path) if read_only else damage.inspect(config, path)
            if look.state == integrity.DAMAGED:
                damaged[os.path.basename(path)] = integrity.words(look.problems)
    return damaged


def _found(config: Config, login: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is on the server of one file: in its place, and as a partial upload."""
    sha256, size, to = str(entry.get("sha256")), entry.get("bytes"), entry.get("to")
    part = incoming.part_path(config, login, sha256)
    path = None if to is None else destination(config, to).path
    with incoming.open_part(config, part) as file:
        part_bytes = os.fstat(file.fileno()).st_size if file else 0
        part_sha256 = files.sha256_of_open(file) if file else None
    return {
        "to": to,
        "path": path,
        "placed": path is not None and _is_placed(path, sha256, size),
        "part": part,
        "part_bytes": part_bytes,
        "part_sha256": part_sha256,
    }


def _is_placed(path: str, sha256: str, size: Any) -> bool:
    """Return whether the file is in its place already; its size is compared first."""
    has_size = os.path.isfile(path) and os.path.getsize(path) == size
    return has_size and files.sha256_of(path) == sha256


def place(config: Config, request: Any) -> dict[str, Any]:
    """Put complete uploads in their places: root's, mode 0644, synced, by rename.

    Args:
        request: {"files": [{"part", "sha256", "to"}]}.

    Raises:
        ToxctlError: kind `usage` for a wrong path, `hash` for a damaged upload (it is removed),
            `disk`, or `other` for a link or a missing file.
    """
    entries = _entries(request)
    # All of the request first, so that a wrong line changes nothing.
    targets = [destination(config, entry.get("to")) for entry in entries]
    _require_writable(config, targets)
    for entry, target in zip(entries, targets, strict=True):
        part, sha256 = str(entry.get("part")), str(entry.get("sha256"))
        _place_one(config, part, sha256, target)
    return {"placed": len(entries)}


def _require_writable(config: Config, targets: Sequence[Destination]) -> None:
    """Raise ToxctlError, kind `complete` or `protected`, if a target is in a release in use."""
    models = {os.path.dirname(one.path) for one in targets if one.top == config.models_dir}
    protection = Protection(config) if models else None
    for path in sorted(os.path.realpath(one) for one in models):
        if files.is_complete(path):
            raise ToxctlError(
                f"{path} is complete and is not written to: rerun `fab deploy-model`, which takes "
                "another directory",
                "complete",
            )
        if protection:
            protection.require_free(path, "is not written to")


def _place_one(config: Config, part: str, sha256: str, target: Destination) -> None:
    """Copy one upload while it is hashed: whoever uploaded it could change it after a check."""
    directory = os.path.dirname(target.path)
    new = os.path.join(directory, ".placing")
    with incoming.open_part(config, part) as source:
        if source is None:
            raise ToxctlError(f"{part} is missing: rerun the command, which uploads it again")
        size, free = os.fstat(source.fileno()).st_size, files.free_bytes(target.top)
        if free < size:
            raise ToxctlError(
                f"the disk is too full for {target.path}: {files.megabytes(size)} are needed, "
                f"{files.megabytes(free)} are free: run `fab prune`",
                "disk",
            )
        _make_directories(target.top, directory)
        try:
            found = _copy(source, new)
            if found != sha256:
                incoming.remove_part(config, part)
                raise ToxctlError(
                    f"{part} is damaged (sha256 {found[:12]}..., expected {sha256[:12]}...), "
                    "so it was removed: upload it again",
                    "hash",
                )
            os.replace(new, target.path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new)
    files.sync_directory(directory)
    incoming.remove_part(config, part)


def _make_directories(top: str, directory: str) -> None:
    """Create a directory below `top`; ToxctlError if a link leads to another one."""
    os.makedirs(directory, 0o755, exist_ok=True)
    expected = os.path.join(os.path.realpath(top), os.path.relpath(directory, top))
    if os.path.realpath(directory) != expected:
        raise ToxctlError(f"{directory} is reached through a link", "usage")


def _copy(source: IO[bytes], path: str) -> str:
    """Copy an open file to a new path and sync it; return the SHA-256 of what was written."""
    digest = hashlib.sha256()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # of a run that was killed at this point
    with open(path, "xb") as file:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            file.write(chunk)
        os.fchmod(file.fileno(), 0o644)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()
