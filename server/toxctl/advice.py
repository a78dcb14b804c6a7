"""The command that repairs what stopped an activation, or any other verb."""

from __future__ import annotations

import errno
import os

from toxctl.config import REPAIR
from toxctl.errors import Interrupted, ToxctlError

__all__ = ["STEPS", "cause_of", "next_step", "of_system", "with_step"]

AGAIN = "rerun the command"
RERUN = f"then {AGAIN}"
STEPS = {
    "database": f"start the database with `ansible-playbook site.yml --tags mongodb`, {RERUN}",
    "collection": f"run `fab restore-embeddings`, {RERUN}",
    "manifest": "build the model again with `fab build-model`, then run `fab deploy-model`",
    "head": "build the model again with `fab build-model`, then run `fab deploy-model`",
    "golden": "run `fab status --verify` and `fab restore-embeddings --verify`; if every file and "
    "every word is whole, app and model do not belong together: build the model again with "
    "`fab build-model`, then run `fab deploy-model`",
    "unit": f"`fab logs` shows why the candidate ended; correct that, {RERUN}",
    "systemd": f"{REPAIR}, {RERUN}",
    "disk": f"make room with `fab prune`, {RERUN}",
    "interrupted": AGAIN,
    "other": f"`fab logs` shows what the candidate reported; correct that, {RERUN}",
}
# What the app and systemd say themselves shows more of the cause, but repairs nothing.
EVERYWHERE = {"database": "ansible-playbook", "systemd": "`", "disk": "`"}


def cause_of(error: BaseException) -> str:
    """Return the kind of an error."""
    if isinstance(error, Interrupted):
        return "interrupted"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk"
    return error.kind if isinstance(error, ToxctlError) else "other"


def next_step(error: BaseException) -> str:
    """Return what to do next, with a command; "" if the error itself names it."""
    cause = cause_of(error)
    return "" if cause == "nginx" else STEPS.get(cause, STEPS["other"])


def with_step(error: ToxctlError, again: str = AGAIN) -> ToxctlError:
    """Return the error of a verb, with the command that repairs its cause if it names none.

    `again`: what to do then.
    """
    named = EVERYWHERE.get(error.kind)
    if named is None or named in str(error):
        return error
    step = STEPS[error.kind].replace(AGAIN, again)
    return ToxctlError(f"{error}: {step}", error.kind, error.details, **error.more)


def of_system(error: OSError) -> ToxctlError:
    """Return what the system refused, with the next command."""
    kind = "disk" if cause_of(error) == "disk" else "other"
    where = f"{error.filename}: " if error.filename else ""
    return ToxctlError(f"{where}{error.strerror or error}: {_step_of_system(error)}", kind)


def _step_of_system(error: OSError) -> str:
    if cause_of(error) == "disk":
        return STEPS["disk"]
    if error.errno in (errno.EACCES, errno.EPERM) and os.geteuid():
        return "rerun the command with `sudo`"
    if error.errno == errno.EROFS:
        return f"`sudo dmesg` on the server says why; mount it for writing, {RERUN}"
    if error.errno == errno.ENOENT:
        return f"{REPAIR}, {RERUN}"
    return f"see `fab doctor`, {RERUN}"
