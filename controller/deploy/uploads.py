"""What has to be uploaded to a server: `toxctl place --plan` compared with the files here.

A file on its way is `<incoming>/<login>/<sha256>.part`: its name is its content, so an interrupted
upload resumes where it stopped and is never mixed with another file. toxctl compares the sha256
again before a file gets its place.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.deploy.bundle import sha256_of
from controller.deploy.errors import DeployError
from controller.deploy.server import Server
from controller.progress import megabytes

__all__ = ["SPARE_BYTES", "Upload", "UploadPlan", "Wanted", "check_space", "plan_uploads"]

SPARE_BYTES = 64 << 20  # stays free for the database's journal and the logs
# A local file and its place: `models/<release>/<file>`, `dumps/...`, or None to stay in incoming.
Wanted = tuple[Path, str | None]


@dataclass(frozen=True)
class Upload:
    """A local file, its place on the server, and how much of it is already there.

    Attributes:
        to: the place as toxctl names it, None for a file that stays in incoming.
        part: path on the server while the upload is incomplete.
        resume_at: bytes of an interrupted upload that are the same as here.
        placed: the complete file is in its place.
    """

    local: Path
    to: str | None
    sha256: str
    size: int
    part: str
    resume_at: int = 0
    placed: bool = False

    @property
    def missing(self) -> int:
        """Bytes that have to be sent."""
        return 0 if self.placed else self.size - self.resume_at

    def __str__(self) -> str:
        name = f"{self.local.name} ({megabytes(self.size)}"
        if self.placed:
            return f"{name}, already uploaded)"
        if self.resume_at:
            return f"{name}, {megabytes(self.resume_at)} of it already uploaded)"
        return f"{name})"


@dataclass(frozen=True)
class UploadPlan:
    """What a server has of a deploy's files.

    Attributes:
        uploads: in the order they were asked for.
        free_bytes: free space of the fullest disk they go to.
        complete: names of the complete releases.
        confirmed: the release that was confirmed last, None if none was.
        protected: names of models that may not be written to, each with the reason.
        damaged: names of complete models whose files differ, each with what differs.
        app: path of the whole release of the app that was asked for, None if there is none.
        app_problems: what is installed of that app and cannot be used.
    """

    uploads: list[Upload]
    free_bytes: int
    complete: frozenset[str]
    confirmed: Mapping[str, Any] | None
    protected: Mapping[str, str]
    damaged: Mapping[str, str]
    app: str | None
    app_problems: Sequence[str]

    @property
    def missing(self) -> int:
        """Bytes that have to be sent."""
        return sum(upload.missing for upload in self.uploads)

    @property
    def needed(self) -> int:
        """Bytes that have to be free: what is sent, and toxctl's copy of the file it places."""
        copies = [upload.size for upload in self.uploads if not upload.placed]
        return self.missing + max(copies, default=0)

    def __str__(self) -> str:
        return ", ".join(str(upload) for upload in self.uploads)


def plan_uploads(
    server: Server, wanted: Sequence[Wanted], dry_run: bool = False, app: str | None = None
) -> UploadPlan:
    """Ask what of these files, and of this version of the app, is on the server.

    A dry run creates nothing.
    """
    sums = [sha256_of(path) for path, _ in wanted]
    question = {
        "login": server.remote.host.user,
        "files": [
            {"sha256": sha256, "bytes": path.stat().st_size, "to": to}
            for (path, to), sha256 in zip(wanted, sums, strict=True)
        ],
        "app": app,
    }
    options = ["--dry-run"] if dry_run else []
    found = server.toxctl("place", "--plan", *options, stdin=question).result()
    uploads = [
        upload_of(path, to, sha256, answer)
        for (path, to), sha256, answer in zip(wanted, sums, found["files"], strict=True)
    ]
    complete = frozenset(posixpath.basename(name) for name in found["complete"])
    installed = found.get("app") or {}
    return UploadPlan(
        uploads,
        int(found["free_bytes"]),
        complete,
        found["confirmed"],
        found.get("protected") or {},
        found.get("damaged") or {},
        installed.get("path"),
        installed.get("problems") or [],
    )


def upload_of(local: Path, to: str | None, sha256: str, answer: Mapping[str, Any]) -> Upload:
    """Return a file with what the server reports of it."""
    size, uploaded = local.stat().st_size, int(answer.get("part_bytes") or 0)
    same = 0 < uploaded <= size and answer.get("part_sha256") == sha256_of(local, uploaded)
    placed = bool(answer.get("placed"))
    return Upload(local, to, sha256, size, str(answer["part"]), uploaded if same else 0, placed)


def check_space(server: Server, free: int, needed: int, what: str) -> None:
    """Raise DeployError unless that many bytes and some to spare fit on the server's disks."""
    if needed and free < needed + SPARE_BYTES:
        raise DeployError(
            f"the disk of {server.name} is too full for {what}: {megabytes(needed)} and "
            f"{megabytes(SPARE_BYTES)} to spare are needed, {megabytes(free)} are free: make room "
            "with `fab prune`"
        )
