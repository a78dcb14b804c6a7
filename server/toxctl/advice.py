"""The command that repairs what stopped an activation."""

from __future__ import annotations

import errno

from toxctl.errors import Interrupted, ToxctlError

__all__ = ["next_step"]

RERUN = "then rerun the command"
STEPS = {
    "database": f"start the database with `ansible-playbook site.yml --tags mongodb`, {RERUN}",
    "collection": f"run `fab restore-embeddings`, {RERUN}",
    "manifest": "build the model again with `fab build-model`, then run `fab deploy-model`",
    "head": "build the model again with `fab build-model`, then run `fab deploy-model`",
    "golden": "run `fab status --verify` and `fab restore-embeddings --verify`; if every file and "
    "every word is whole, app and model do not belong together: build the model again with "
    "`fab build-model`, then run `fab deploy-model`",
    "unit": f"`fab logs` shows why the candidate ended; correct that, {RERUN}",
    "systemd": f"run `ansible-playbook site.yml --tags flask_app`, {RERUN}",
    "disk": f"make room with `fab prune`, {RERUN}",
    "interrupted": "rerun the command",
    "other": f"`fab logs` shows what the candidate reported; correct that, {RERUN}",
}


def cause_of(error: BaseException) -> str:
    """Return the kind of what stopped an activation."""
    if isinstance(error, Interrupted):
        return "interrupted"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk"
    return error.kind if isinstance(error, ToxctlError) else "other"


def next_step(error: BaseException) -> str:
    """Return what to do next, with a command; "" if the error itself names it."""
    cause = cause_of(error)
    return "" if cause == "nginx" else STEPS.get(cause, STEPS["other"])
