"""`toxctl verify`: loads a model beside the live one, in a process with its own memory limit."""

from __future__ import annotations

import os
import signal
from typing import Any

from toxctl import damage, events, integrity, memory, programs, systemd, usable
from toxctl.config import Config
from toxctl.errors import ToxctlError
from toxctl.files import clock, is_complete, megabytes, sha256_of
from toxctl.golden import alike
from toxctl.manifest import expected_of, files_of
from toxctl.releases import app_for_modules

__all__ = ["check_files", "check_golden_outputs", "mark_complete", "verify"]

VERIFY_SECONDS = 180.0
SPARE_MEMORY = 64 << 20  # stays free beside what is verified
LEAST_MEMORY = 80 << 20  # of an interpreter with its libraries, without a head
# First: when the machine's memory runs out, the candidate is killed. Then, with control groups of
# version 1, memory and swap together get the limit, for which systemd has no setting.
LIMITED = """
echo 900 > /proc/self/oom_score_adj || :
group=/sys/fs/cgroup/memory$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
both=$group/memory.memsw.limit_in_bytes
[ ! -w "$both" ] || echo "$1" > "$both" || :
shift
exec "$@"
"""


def verify(
    config: Config,
    model_name: str,
    app_name: str | None = None,
    memory_bytes: int | None = None,
    complete: bool = False,
    database: str | None = None,
) -> dict[str, Any]:
    """Check a model's files, then let the app load it and compare its golden outputs.

    Args:
        model_name: path or name.
        app_name: path or name; None for the live app.
        memory_bytes: limit; None for memory_max.
        complete: mark the model as complete if all of that succeeds.
        database: where its word vectors are; None for the manifest's.

    Returns:
        What the app found, and the limit and the free memory in bytes.

    Raises:
        ToxctlError: kinds `damaged`, `manifest`, `hash`, `head`, `memory`, or the app's own.
    """
    model = config.model_path(model_name)
    if complete and os.path.dirname(model) != os.path.realpath(config.models_dir):
        raise ToxctlError(f"{model} is not below {config.models_dir}, so it is not marked")
    if is_complete(model):
        usable.require(config, "model", model)
    head = check_files(model)
    if complete:  # not of a model that is live already: its app must remain replaceable
        check_golden_outputs(model)
    app = app_for_modules(config, app_name)
    usable.require(config, "app", app)
    free = memory.available()
    limit = min(memory_bytes or config.memory_max_bytes, free - SPARE_MEMORY)
    needed = LEAST_MEMORY + 2 * head
    if limit < needed:
        raise ToxctlError(
            f"too little memory to load the model beside what runs: "
            f"{megabytes(max(limit, 0))} of the {megabytes(free)} free may be used, "
            f"{megabytes(needed)} are needed: see `fab status`",
            "memory",
            limit_bytes=limit,
            free_bytes=free,
        )
    events.say(f"loading the model with at most {megabytes(limit)} ({megabytes(free)} are free)")
    answer = _load(config, model, app, limit, free, database)
    # Version 0.1 of the app says known_answers.
    count = answer.pop("known_answers", None)
    if complete:
        mark_complete(model)
        damage.inspect(config, model)
    return {"golden_outputs": count, **answer, "limit_bytes": limit, "free_bytes": free}


def _load(
    config: Config, model: str, app: str, limit: int, free: int, database: str | None
) -> dict[str, Any]:
    """Let the app verify the model in a scope of its own; return its answer."""
    elsewhere = ["--database", database] if database else []
    unit = f"tox_com_det-verify-{os.getpid()}.scope"
    command = [
        *("systemd-run", "--scope", "--quiet", f"--unit={unit}"),
        # Otherwise it is the command, and systemd 219 takes the script's lines for settings.
        f"--description=tox_com_det: verify {os.path.basename(model)}",
        *systemd.memory_options(systemd.version(), limit),
        *("sh", "-c", LIMITED, "sh", str(limit)),
        *programs.module(config, app, "verify", "--model", model, *elsewhere),
    ]
    try:
        done = programs.run(command, VERIFY_SECONDS, programs.service_environment(config, app))
    finally:
        # Also ends what a timeout has left; a scope that ran out of memory stays as "failed".
        programs.run(["systemctl", "stop", unit], 60)
        programs.run(["systemctl", "reset-failed", unit], 60)
    answer = programs.json_answer(done)
    if done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL):
        raise ToxctlError(
            f"the model needs more memory than its limit of {megabytes(limit)} "
            f"({megabytes(free)} are free), so it was killed while it loaded: use a smaller head, "
            "or raise flask_app_memory_max on a larger server",
            "memory",
            limit_bytes=limit,
            free_bytes=free,
        )
    if done.returncode or "error" in answer:
        last = programs.last_line(done)
        message = answer.get("error") or f"the app could not verify the model: {last}"
        kind = str(answer.get("kind") or "other")
        raise ToxctlError(str(message), kind, done.stderr.strip()[-4000:])
    return answer


def check_files(model: str) -> int:
    """Compare a model's files with its manifest; return the bytes of the largest.

    Raises:
        ToxctlError: kinds `manifest` and `hash`.
    """
    expected = files_of(model)
    for name, file in expected.items():
        path = os.path.join(model, name)
        if not os.path.isfile(path):
            raise ToxctlError(f"{path} is missing: rerun `fab deploy-model`", "hash")
        found = sha256_of(path)
        if found != file.sha256 or os.path.getsize(path) != file.size:
            raise ToxctlError(
                f"{path}: sha256 is {found[:12]}..., the manifest says {file.sha256[:12]}...: "
                "rerun `fab deploy-model`",
                "hash",
            )
    return max(file.size for file in expected.values())


def check_golden_outputs(model: str) -> None:
    """Refuse a model whose golden outputs are all the same.

    Such a model scores every comment alike, and would pass every other check.

    Raises:
        ToxctlError: kinds `manifest` and `head`.
    """
    expected = expected_of(model)
    scores = [case.scores for case in expected.cases]
    if alike(scores, expected.tolerance):
        raise ToxctlError(
            f"the {len(scores)} golden outputs of {os.path.basename(model)} are all the same, as "
            "those of a model without its own word index: build it again with `fab build-model`",
            "head",
        )


def mark_complete(release: str) -> None:
    """Record the files of a verified model and mark it as complete, unless that was done."""
    if integrity.inspect(release).state != integrity.WHOLE or not is_complete(release):
        integrity.mark(release, {"verified": clock()})
