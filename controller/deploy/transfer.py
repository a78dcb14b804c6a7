"""Put a file on a server: only if it is not there, from where it was cut, checked, in one step.

The upload goes into `<incoming>/<user>/<sha256>.part`: its name is its content, so a cut upload
goes on where it stopped and never mixes with another file. The server's own sha256 decides before
the file gets its name.
"""

from __future__ import annotations

import posixpath
from pathlib import Path

from paramiko.ssh_exception import SSHException

from controller.deploy import commands
from controller.deploy.bundle import sha256_of
from controller.deploy.connection import Done, Remote
from controller.deploy.errors import DeployError
from controller.deploy.progress import Step, megabytes, upload_progress
from controller.deploy.server import ServerConfig

__all__ = ["SPARE_BYTES", "bring", "first_word", "free_bytes", "must", "part_path", "upload"]

CHUNK = 256 * 1024
SPARE_BYTES = 64 << 20  # stays free for the database's journal and the logs


def part_path(remote: Remote, server: ServerConfig, sha256: str) -> str:
    """Return where a file of this content is while it is on its way."""
    return posixpath.join(server.incoming_dir, remote.host.user, f"{sha256}.part")


def upload(remote: Remote, server: ServerConfig, local: Path, final: str) -> bool:
    """Make `final` on the server the same file as `local`; return whether anything was sent.

    Raises DeployError: disk too small, connection lost, checksum different, no permission.
    """
    if first_word(remote.run(commands.sha256(final))) == sha256_of(local):
        return False
    part = bring(remote, server, local)
    must(remote, remote.run_as(commands.place(part, final)), f"put {final} in its place")
    return True


def bring(remote: Remote, server: ServerConfig, local: Path) -> str:
    """Send the file, or what is missing of it; return where it now is whole and checked.

    Raises DeployError: disk too small, connection lost, checksum different, no permission.
    """
    wanted, total = sha256_of(local), local.stat().st_size
    must(remote, remote.run_as(commands.prepare_incoming(server, remote.host.user)), "prepare")
    part = part_path(remote, server, wanted)
    start = offset_to_resume(remote, local, part)
    check_space(remote, server, total - start, local.name)
    if start:
        print(f"  {local.name}: going on at {megabytes(start)} of {megabytes(total)}", flush=True)
    try:
        with upload_progress(local.name, total, start) as step:
            send(remote, local, part, start, step)
    except DiskFull:
        check_space(remote, server, total - offset_to_resume(remote, local, part), local.name)
        raise
    got = first_word(remote.run(commands.sha256(part)))
    if got != wanted:
        remote.run(commands.join(["rm", "-f", "--", part]))
        raise DeployError(
            f"{local.name} arrived damaged on {remote.host.name} (sha256 {got[:12] or 'none'}..., "
            f"wanted {wanted[:12]}...): type the same again"
        )
    return part


def offset_to_resume(remote: Remote, local: Path, part: str) -> int:
    """Return how many bytes of an earlier upload are there and the same as here."""
    said = first_word(remote.run(commands.size(part)))
    there = int(said) if said.isdigit() else 0
    if not 0 < there <= local.stat().st_size:
        return 0
    same = first_word(remote.run(commands.sha256(part))) == sha256_of(local, there)
    return there if same else 0


def check_space(remote: Remote, server: ServerConfig, needed: int, name: str) -> None:
    """Raise DeployError when the file would not leave some space on the disk."""
    done = must(remote, remote.run(commands.free_kib(server.incoming_dir)), "ask for free space")
    free = free_bytes(done.stdout)
    if free < needed + SPARE_BYTES:
        raise DeployError(
            f"the disk of {remote.host.name} is too full for {name}: {megabytes(needed)} and "
            f"{megabytes(SPARE_BYTES)} spare are needed below {server.incoming_dir}, "
            f"{megabytes(free)} are free: see `fab status`"
        )


def free_bytes(df: str) -> int:
    """Return the free bytes out of df -Pk's output, the fewest where it tells of several disks."""
    return min(int(line.split()[3]) for line in df.strip().splitlines()[1:]) * 1024


class DiskFull(DeployError):
    """The server could not write, most likely for want of space."""


def send(remote: Remote, local: Path, part: str, start: int, step: Step) -> None:
    """Write the file from `start` on; DeployError with what is there when that breaks off."""
    sent = start
    try:
        with (
            local.open("rb") as source,
            remote.files().open(part, "ab" if start else "wb") as target,
        ):
            if hasattr(target, "set_pipelined"):
                target.set_pipelined(True)  # do not wait for each answer: the rate is the line's
            source.seek(start)
            while chunk := source.read(CHUNK):
                target.write(chunk)
                sent += len(chunk)
                step(sent)
    except PermissionError as error:
        raise DeployError(
            f"{remote.host.user} may not write {part} on {remote.host.name} ({error}): "
            "ansible-playbook site.yml --tags flask_app"
        ) from None
    except (OSError, EOFError, SSHException) as error:
        reason = str(error).strip(" :") or type(error).__name__
        # All that SFTP says of a full disk.
        kind = DiskFull if reason == "Failure" else DeployError
        raise kind(
            f"the upload of {local.name} to {remote.host.name} broke off after {megabytes(sent)} "
            f"({reason}): type the same again, it goes on from there"
        ) from None


def first_word(done: Done) -> str:
    """Return the first word a command printed, "" for none."""
    return (done.stdout.split() or [""])[0] if done.code == 0 else ""


def must(remote: Remote, done: Done, what: str) -> Done:
    """Return the result of a command that has to succeed; DeployError with its words."""
    if done.code:
        words = (
            done.stderr.strip() or done.stdout.strip() or f"exit code {done.code}"
        ).splitlines()
        raise DeployError(f"{remote.host.name} could not {what}: {words[-1]}", done.stderr.strip())
    return done
