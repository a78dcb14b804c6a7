"""Runs restic on the repository of the backups, and says in one line what is wrong with it.

The password is in a file and everything else in the environment: no secret is on a command line.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from toxctl import programs
from toxctl.backup_config import REPAIR, BackupConfig
from toxctl.errors import ToxctlError

__all__ = ["COMPLETE", "TAG", "UNFINISHED", "Repository", "Snapshot", "followed"]

# A snapshot is whole in restic's eyes even if a file of it could not be read. Only one that toxctl
# itself has tagged as complete counts as a backup.
TAG, COMPLETE, UNFINISHED = "tox_com_det", "complete", "unfinished"
DETAILS = 4000  # characters of restic's own words
# Together with the unit's limit of 150 MB; older builds of restic ignore GOMEMLIMIT.
LIMITS = {"GOGC": "20", "GOMEMLIMIT": "90MiB", "GOMAXPROCS": "1", "RESTIC_PROGRESS_FPS": "0.1"}

DOCS = "see docs/backup.md"
# Words of restic's messages -> kind, and the end of the line. The first one that matches counts.
FAILURES: tuple[tuple[str, str, str], ...] = (
    (
        r"wrong password or no key found",
        "password",
        "is not opened by the password in {password_file}: set backup_password in the vault to the "
        f"one it was made with, then {REPAIR}; without it no backup can be read",
    ),
    (
        r"already locked",
        "locked",
        "is locked by another restic: rerun the command when that has ended; if none runs any "
        f"more, remove its lock, {DOCS}",
    ),
    (
        r"no space left on device|quota exceeded",
        "disk",
        "could not be written or read for want of disk space: make room in it, and with "
        "`fab prune` on the server, then run `fab backup`",
    ),
    (
        # All that OpenSSH's server says of a full disk.
        r'write: sftp: "failure"',
        "disk",
        "could not be written, most likely for want of disk space: make room in it, then run "
        "`fab backup`",
    ),
    (
        r"host key verification failed|no [\w-]+ host key is known",
        "connection",
        "shows a host key that is not in backup_ssh_known_hosts: if its owner says that the new "
        f"one is right, set it, then {REPAIR}",
    ),
    (
        r"permission denied \((publickey|password|keyboard|gssapi)|signature we calculated"
        r"|access key id you provided|(SignatureDoesNotMatch|InvalidAccessKeyId)"
        r"|access ?denied|forbidden",
        "connection",
        "refuses this server's key: check backup_ssh_private_key, or backup_s3_key_id and "
        f"backup_s3_secret, and what the key may do there, then {REPAIR}",
    ),
    (
        r"connection (to \S+ )?(refused|reset|closed|timed|lost)|ssh command exited|timed out"
        r"|timeout|no route|unreachable|could not resolve|no such host|broken pipe|dial tcp"
        r"|unable to start the sftp session|unexpected packet",
        "connection",
        # Before what is damaged: an answer that was cut off looks damaged as well.
        "cannot be reached: check its server, its address and the access to it, then rerun",
    ),
    (
        r"ciphertext verification failed|(checksum|hash|data) mismatch|invalid data returned"
        r"|contains errors|not found in (index|repository)|unexpected EOF|invalid character"
        r"|config or key .* is damaged|errors were found",
        "damaged",
        f"is damaged: older backups may still be whole, {DOCS}",
    ),
    (
        r"is there a repository at the following location|unable to open config file"
        r"|does not exist",
        "missing",
        "is not there: check backup_repository, and that its disk is mounted or its server up",
    ),
)


class Snapshot(NamedTuple):
    """A backup in the repository.

    Attributes:
        id: its identifier.
        at: its time as ISO 8601 in UTC, by the clock of the server that made it.
        first: the identifier that it had before it was tagged.
    """

    id: str
    at: str
    first: str

    def answer(self) -> dict[str, str]:
        """Return it for the laptop."""
        return {"id": self.id[:8], "at": self.at}


def followed(command: Sequence[str], environment: dict[str, str]) -> tuple[int, list[str], str]:
    """Run a program that does not outlive this one; return its exit code, lines and complaints."""
    lines: list[str] = []
    with tempfile.TemporaryFile("w+", errors="replace") as complaints:
        code = programs.stream(command, environment, complaints, lines.append)
        complaints.seek(0)
        return code, lines, complaints.read()


class Repository:
    """The repository of one server."""

    def __init__(self, backup: BackupConfig, work_dir: str) -> None:
        """`work_dir`: for restic's cache and temporary files, which can be large."""
        self.backup = backup
        self.work_dir = work_dir

    def run(self, *arguments: str) -> list[str]:
        """Run restic and return its lines.

        Raises:
            ToxctlError: kind `password`, `locked`, `disk`, `damaged`, `missing`, `connection` or
                `other`, with restic's own words in its details.
        """
        code, lines, complaints = followed(
            ["restic", *self._options(), *arguments], self._environment()
        )
        if code:
            raise self.failure(code, "\n".join([*lines[-20:], complaints]))
        return lines

    def json(self, *arguments: str) -> Any:
        """Run restic with --json and return the value of its last line that has one."""
        for line in reversed(self.run(*arguments, "--json")):
            if line.startswith(("{", "[")):
                return json.loads(line)
        return None

    def identifier(self) -> str:
        """Return the repository's own identifier. Raises ToxctlError, see `run`."""
        return str(json.loads("".join(self.run("cat", "config", "--no-lock")))["id"])

    def names(self) -> list[str]:
        """Return the names of the servers that have complete backups in the repository."""
        found = self.json("snapshots", "--no-lock", "--tag", f"{TAG},{COMPLETE}") or []
        return sorted({str(one["hostname"]) for one in found})

    def snapshots(self, name: str, tag: str = COMPLETE) -> list[Snapshot]:
        """Return the backups of a server, the newest first, to restic's last digit of a second."""
        found = self.json("snapshots", "--no-lock", "--host", name, "--tag", f"{TAG},{tag}") or []
        return [
            Snapshot(str(one["id"]), utc(one["time"]), str(one.get("original") or one["id"]))
            for one in sorted(found, key=lambda one: moment(one["time"]), reverse=True)
        ]

    def failure(self, code: int, said: str) -> ToxctlError:
        """Return the one line for a restic that failed."""
        last = next((one.strip() for one in reversed(said.splitlines()) if one.strip()), "")
        kind, words = "other", f"failed: {last[:300] or f'exit code {code}'}"
        for pattern, one, rest in FAILURES:
            if re.search(pattern, said, re.IGNORECASE):
                kind, words = one, rest.format(password_file=self.backup.password_file)
                break
        where = f"the repository {self.backup.repository}"
        return ToxctlError(f"{where} {words}", kind, said.strip()[-DETAILS:])

    def _options(self) -> list[str]:
        if not self.backup.repository.startswith("sftp:"):
            return []
        return ["-o", f"sftp.command={shlex.join(self._ssh())}"]

    def _ssh(self) -> list[str]:
        """Return the words that open an SFTP session: a key, a known host, no questions."""
        where, port = self.backup.repository.removeprefix("sftp:"), ""
        if where.startswith("//"):
            parts = urlsplit(f"sftp:{where}")
            where, port = parts.netloc.rpartition("@")[0], str(parts.port or "")
            where = f"{where}@{parts.hostname}" if where else str(parts.hostname)
        else:
            where = where.partition(":")[0]
        words = ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
        words += ["-o", "ServerAliveInterval=30", "-o", "ServerAliveCountMax=4"]
        if self.backup.ssh_known_hosts_file:
            words += ["-o", f"UserKnownHostsFile={self.backup.ssh_known_hosts_file}"]
        if self.backup.ssh_key_file:
            words += ["-o", "IdentitiesOnly=yes", "-i", self.backup.ssh_key_file]
        return [*words, *(["-p", port] if port else []), where, "-s", "sftp"]

    def _environment(self) -> dict[str, str]:
        found = {
            # sudo on EL leaves /usr/local/bin out, where restic is if no package has it.
            "PATH": f"{os.environ.get('PATH', '/usr/sbin:/usr/bin:/sbin:/bin')}:/usr/local/bin",
            "HOME": "/root",
            "RESTIC_REPOSITORY": self.backup.repository,
            "RESTIC_PASSWORD_FILE": self.backup.password_file,
            "RESTIC_CACHE_DIR": os.path.join(self.work_dir, "cache"),
            "TMPDIR": self.work_dir,
            **LIMITS,
        }
        if self.backup.environment_file:
            with open(self.backup.environment_file, encoding="utf-8") as file:
                for line in file:
                    name, equals, value = line.strip().partition("=")
                    if equals and not name.startswith("#"):
                        found[name] = value
        return found


def moment(time: str) -> tuple[str, str]:
    """Return what restic's times are ordered by: the second in UTC, and the digits behind it."""
    digits = re.search(r"\.(\d+)", time)
    return utc(time), digits[1].rstrip("0") if digits else ""


def utc(time: str) -> str:
    """Return restic's time, which has a zone and nanoseconds, as ISO 8601 in UTC."""
    whole = re.sub(r"\.\d+", "", time)
    return datetime.fromisoformat(whole).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
