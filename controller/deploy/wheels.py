"""Downloads a server's wheels to the laptop: `python -m controller.deploy.wheels`.

The server needs no compiler, no index and no resolver: it installs with `pip install --no-index
--find-links D`. pip evaluates markers for the Python it runs on, so each target has a lock of its
own and dependencies are never resolved here. Hashes are checked by pip.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controller.deploy.build_lock import build_lock
from controller.deploy.errors import DeployError
from controller.deploy.targets import TARGETS, Target, UnknownTarget, target

__all__ = ["Wheels", "download", "pip_command"]

STAMP = ".lock.json"


@dataclass(frozen=True)
class Wheels:
    """A directory of wheels that holds exactly what a lock names."""

    directory: Path
    names: list[str]
    changed: bool


def pip_command(lock: Path, system: Target, out: Path) -> list[str]:
    """Return the pip call that downloads the lock's wheels for the target into `out`."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--only-binary=:all:", "--no-deps", "--require-hashes"]
    command += ["--implementation", "cp", "--python-version", system.python]
    for platform in system.platforms:
        command += ["--platform", platform]
    return [*command, "--dest", str(out), "--requirement", str(lock)]


def run_pip(command: list[str]) -> None:
    """Run pip; DeployError with its error line if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (built here, no shell)
    if done.returncode:
        reason = pip_reason(done.stderr)
        if "rerun" not in reason:
            reason += ": check the package index that pip asks, then rerun the command"
        raise DeployError(f"pip download failed: {reason}", done.stderr.strip())


def pip_reason(stderr: str) -> str:
    """Return the most useful line of pip's errors: the first ERROR, or an unreachable index."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if any("NewConnectionError" in line or "Temporary failure in name" in line for line in lines):
        return "the package index cannot be reached: check the network, then rerun the command"
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    return errors[0] if errors else (lines[-1] if lines else "pip printed nothing")


def fingerprint(lock: Path, system: Target) -> str:
    """Return what decides which wheels are right: the lock's text and the target."""
    text = json.dumps([lock.read_text(encoding="utf-8"), system.platforms, system.python])
    return hashlib.sha256(text.encode()).hexdigest()


def already_downloaded(out: Path, wanted: str) -> list[str] | None:
    """Return the wheels in `out` if they are of this lock, the same in number and size."""
    try:
        stamp = json.loads((out / STAMP).read_text(encoding="utf-8"))
        sizes = {path.name: path.stat().st_size for path in out.glob("*.whl")}
    except (OSError, ValueError):
        return None
    good = isinstance(stamp, dict) and stamp == {"lock": wanted, "wheels": sizes}
    return sorted(sizes) if good else None


def download(
    lock: Path,
    system: Target,
    out: Path,
    run: Callable[[list[str]], None] = run_pip,
) -> Wheels:
    """Make `out` hold the lock's wheels for the target; no network if it does already.

    Raises DeployError: lock missing, index unreachable, no wheel for the target, wrong hash.
    """
    if not lock.is_file():
        raise DeployError(f"the lock {lock} does not exist: app/requirements has one per target")
    wanted = fingerprint(lock, system)
    with build_lock(out):
        return download_new(lock, system, out, wanted, run)


def download_new(
    lock: Path, system: Target, out: Path, wanted: str, run: Callable[[list[str]], None]
) -> Wheels:
    """Download the wheels unless they are there; `wanted`: their fingerprint."""
    names = already_downloaded(out, wanted)
    if names is not None:
        return Wheels(out, names, changed=False)
    partial = out.with_name(out.name + ".part")
    shutil.rmtree(partial, ignore_errors=True)  # may not exist
    partial.mkdir(parents=True)
    print(f"wheels: downloading {lock.name} for {system.name}", file=sys.stderr, flush=True)
    try:
        run(pip_command(lock, system, partial))
        sizes = {path.name: path.stat().st_size for path in partial.glob("*.whl")}
        if not sizes:
            raise DeployError(f"pip downloaded nothing for {lock}: is the lock empty?")
        stamp = json.dumps({"lock": wanted, "wheels": sizes}, indent=1, sort_keys=True)
        (partial / STAMP).write_text(stamp + "\n", encoding="utf-8")
        shutil.rmtree(out, ignore_errors=True)  # may not exist
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # may not exist
    return Wheels(out, sorted(sizes), changed=True)


def main(arguments: list[str] | None = None) -> int:
    """Download and print {"changed", "directory", "wheels"} as JSON; 1 and one line on failure."""
    parser = argparse.ArgumentParser(prog="python -m controller.deploy.wheels", allow_abbrev=False)
    parser.description = "Download the wheels of a lock for a server's platform."
    parser.add_argument("--lock", type=Path, required=True, help="hash-locked requirements")
    parser.add_argument("--target", required=True, help=f"one of {', '.join(sorted(TARGETS))}")
    parser.add_argument("--out", type=Path, required=True, help="directory of the wheels")
    options = parser.parse_args(arguments)
    try:
        wheels = download(options.lock, target(options.target), options.out.absolute())
    except (DeployError, UnknownTarget, OSError) as error:
        print(f"controller.deploy.wheels: {error}", file=sys.stderr)
        return 1
    result = {"changed": wheels.changed, "directory": str(wheels.directory), "wheels": wheels.names}
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
