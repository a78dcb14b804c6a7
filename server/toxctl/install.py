"""`toxctl install`: installs a release of the app from its tar; all of it or nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from toxctl import app_tar, events, files, incoming, integrity, programs, signals, variants
from toxctl.config import Config
from toxctl.errors import ToxctlError
from toxctl.locks import try_lock
from toxctl.protection import Protection
from toxctl.releases import free_bytes

__all__ = ["install"]

INSTALL_SECONDS = 900.0
TIMES = 4  # an installed release takes about this many times its tar


def install(config: Config, tar: str, sha256: str) -> dict[str, Any]:
    """Install the release in the tar, unless it is installed already.

    The tar is removed if it succeeds and lies below incoming_dir.

    Args:
        sha256: of the tar, in hex.

    Raises:
        ToxctlError: kinds `locked`, `hash`, `tar`, `target`, `disk` and `other`; nothing is left.
    """
    signals.ignore_hangup()  # a lost connection is no reason to stop
    signals.raise_on_ending()
    with _only_one(config.releases_dir), _own_copy(config, tar) as copy:
        found = files.sha256_of_open(copy)
        try:
            archive = tarfile.open(fileobj=copy, mode="r:")  # noqa: SIM115 (closed with the copy)
            if found != sha256:
                message = f"{tar}: sha256 is {found[:12]}..., expected {sha256[:12]}..."
                raise ToxctlError(message, "hash")
            release = app_tar.check(archive)
        except (OSError, tarfile.TarError, ValueError, KeyError, RecursionError) as error:
            raise ToxctlError(f"{tar} is no release of the app: {error}", "tar") from None
        size = os.fstat(copy.fileno()).st_size
        path, changed = _install_if_missing(config, archive, release, size, found)
    incoming.remove_if_uploaded(config, tar)
    return {"path": path, "version": release["version"], "changed": changed}


@contextlib.contextmanager
def _only_one(directory: str) -> Iterator[None]:
    """Hold the lock of installations; ToxctlError if another one is running."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not try_lock(descriptor):
            raise ToxctlError("another release of the app is being installed: wait", "locked")
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _own_copy(config: Config, tar: str) -> Iterator[IO[bytes]]:
    """Yield an unnamed copy of the tar: its uploader could exchange it after the check."""
    with tempfile.TemporaryFile(dir=config.releases_dir) as copy:
        try:
            with incoming.open_regular(tar) as file:
                shutil.copyfileobj(file, copy, 1 << 20)
        except OSError as error:
            raise ToxctlError(f"{tar} cannot be read: {error}", "tar") from None
        copy.flush()
        yield copy


def _install_if_missing(
    config: Config, archive: tarfile.TarFile, release: dict[str, str], size: int, sha256: str
) -> tuple[str, bool]:
    """Install the release, unless it is installed and whole; return its path, and whether it was.

    What is damaged stays as it is, because a slot may run it: another directory gets the release.
    """
    version, target = release["version"], release["target"]
    if target != config.wheel_target:
        message = f"the release is for {target}, this server takes {config.wheel_target}"
        raise ToxctlError(message, "target")
    found = variants.find(config, version)
    for problem in found.problems:
        events.say(f"installed already, but {problem}")
    if found.path:
        return found.path, False
    path = _free_directory(config, version)
    version = os.path.basename(path)
    needed, free = TIMES * size, free_bytes(config)
    if free < needed:
        raise ToxctlError(
            f"the disk is too full for the app: {files.megabytes(needed)} are needed below "
            f"{config.releases_dir}, {files.megabytes(free)} are free: run `fab prune`",
            "disk",
        )
    try:
        events.say(f"installing {version}")
        app_tar.unpack(archive, path)
        _make_environment(config, path)
        integrity.mark(path, {**release, "sha256": sha256, "installed": files.clock()})
    except BaseException as error:
        signals.ignore_ending()
        shutil.rmtree(path, ignore_errors=True)  # the error to report is the first one
        if isinstance(error, OSError | tarfile.TarError | ValueError):
            message = f"{version} could not be installed ({error}): nothing is left of it"
            raise ToxctlError(message) from None
        raise
    return path, True


def _free_directory(config: Config, version: str) -> str:
    """Return the first directory for a version that is free, or is of an ended installation."""
    protection = Protection(config)
    for name in variants.names(version):
        path = os.path.join(os.path.realpath(config.releases_dir), name)
        if not os.path.lexists(path):
            break
        if files.is_complete(path):
            continue
        why = protection.why(path)
        if not why:
            events.say(f"{name} was left half installed: removed")
            shutil.rmtree(path)
            break
        events.say(f"{name} stays as it is, because {why}")
    return path


def _make_environment(config: Config, path: str) -> None:
    """Make the environment of an unpacked release and load the app in it."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_"))
    }
    python = os.path.join(path, "venv", "bin", "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-cache-dir", "--no-index", "--require-hashes", f"--find-links={path}/wheels"]
    pip += [f"--requirement={path}/requirements.txt"]
    load = [*programs.as_service(config), python, "-c", f"import {app_tar.entry_module(path)}"]
    steps = (
        ("make its environment", [config.python, "-m", "venv", "--clear", f"{path}/venv"]),
        ("install its wheels", pip),
        ("compile the application", [python, "-m", "compileall", "-q", f"{path}/tox_com_det"]),
        # What was uploaded runs as the service's user and as no other.
        ("load the application", load),
    )
    for what, command in steps:
        env = {**inherited, "PYTHONPATH": path} if command is load else inherited
        done = programs.run(["nice", "-n", "10", *command], INSTALL_SECONDS, env)
        if done.returncode:
            last = programs.last_line(done)
            message = f"{os.path.basename(path)} could not {what}: {last}; nothing is left of it"
            raise ToxctlError(message, details=done.stderr[-4000:])
    if os.path.exists("/sys/fs/selinux/enforce"):
        programs.run(["restorecon", "-R", path], 300)
    shutil.rmtree(os.path.join(path, "wheels"), ignore_errors=True)  # only disk space is lost
    os.sync()
