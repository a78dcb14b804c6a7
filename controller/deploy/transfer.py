"""Uploads over SFTP: resumed where an earlier one stopped, then put in place by toxctl."""

from __future__ import annotations

from collections.abc import Sequence

from paramiko.ssh_exception import SSHException

from controller.deploy.errors import DeployError
from controller.deploy.remote import Remote
from controller.deploy.remote_toxctl import ToxctlError
from controller.deploy.server import Server
from controller.deploy.uploads import Upload, check_space, plan_uploads
from controller.progress import Step, megabytes, transfer_progress

__all__ = ["place", "send"]

CHUNK = 256 * 1024


class DiskFull(DeployError):
    """The server could not write, most likely because its disk is full."""


def place(server: Server, uploads: Sequence[Upload]) -> int:
    """Send what is missing and have it put in its place; return how many files were sent.

    Raises DeployError: disk full, connection lost, damaged on the way, no permission.
    """
    missing = [upload for upload in uploads if not upload.placed]
    for upload in missing:
        send(server, upload)
    if missing:
        files = [{"part": one.part, "sha256": one.sha256, "to": one.to} for one in missing]
        try:
            server.toxctl("place", stdin={"files": files}).result()
        except ToxctlError as error:
            if error.kind != "hash":
                raise
            raise DeployError(
                f"an upload to {server.name} arrived damaged ({error}); rerun the command"
            ) from None
    return len(missing)


def send(server: Server, upload: Upload) -> str:
    """Send what is missing of a file into its part; return the part's path on the server.

    Raises DeployError: disk full, connection lost, no permission.
    """
    name, start = upload.local.name, upload.resume_at
    if start:
        print(f"  {name}: resuming at {megabytes(start)} of {megabytes(upload.size)}", flush=True)
    try:
        with transfer_progress(name, upload.size, start) as step:
            write(server.remote, upload, step)
    except DiskFull:
        now = plan_uploads(server, [(upload.local, upload.to)])
        check_space(server, now.free_bytes, now.missing, name)
        raise
    return upload.part


def write(remote: Remote, upload: Upload, step: Step) -> None:
    """Write the rest of the file; DeployError says how much arrived if that fails."""
    sent, name, host = upload.resume_at, upload.local.name, remote.host
    try:
        with (
            upload.local.open("rb") as source,
            remote.files().open(upload.part, "ab" if sent else "wb") as target,
        ):
            if hasattr(target, "set_pipelined"):
                target.set_pipelined(True)  # do not wait for each answer: the rate is the line's
            source.seek(sent)
            while chunk := source.read(CHUNK):
                target.write(chunk)
                sent += len(chunk)
                step(sent)
    except PermissionError as error:
        raise DeployError(
            f"{host.user} may not write {upload.part} on {host.name} ({error}): "
            "run `ansible-playbook site.yml --tags flask_app`"
        ) from None
    except (OSError, EOFError, SSHException) as error:
        reason = str(error).strip(" :") or "connection lost"  # paramiko's EOFError has no text
        # All that SFTP reports of a full disk.
        kind = DiskFull if reason == "Failure" else DeployError
        raise kind(
            f"the upload of {name} to {host.name} stopped after {megabytes(sent)} ({reason}): "
            "rerun the command, it resumes from there"
        ) from None
