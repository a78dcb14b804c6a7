"""Builds the app release on the laptop: `python -m controller.deploy.app_release`.

One tar with the package, its lock, its wheels and its bill of materials. Everything that decides
what runs (package files, lock, target) decides the version, so the same content has the same name
on every laptop and nothing is built, sent or installed twice. The tar is the same byte for byte:
sorted, without times and owners.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import re
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from controller.deploy import wheels
from controller.deploy.build_lock import build_lock
from controller.deploy.errors import DeployError
from controller.deploy.paths import APP_PACKAGE, APP_REQUIREMENTS, BUILD
from controller.deploy.sbom import NAME as SBOM
from controller.deploy.sbom import sbom
from controller.deploy.targets import TARGETS, Target, UnknownTarget, target

__all__ = ["AppRelease", "build", "tar_path", "version_of"]

PACKAGE = "tox_com_det"
VERSION_LINE = re.compile(r'^__version__ = "([0-9A-Za-z.+]+)"$', re.MULTILINE)


@dataclass(frozen=True)
class AppRelease:
    """A built release: its version, its tar, the tar's sha256, whether it was built just now."""

    version: str
    tar: str
    sha256: str
    changed: bool


def package_files(package: Path) -> list[Path]:
    """Return the package's files in a fixed order, without what Python leaves beside them."""
    files = (path for path in package.rglob("*") if path.is_file())
    return sorted(
        path for path in files if "__pycache__" not in path.parts and path.suffix != ".pyc"
    )


def version_of(package: Path, lock: Path, system: Target) -> str:
    """Return `<__version__>-<12 hex over package files, lock and target>`.

    Raises DeployError: the package or the lock is missing.
    """
    init = package / "version.py"
    if not init.is_file():
        raise DeployError(f"the checkout has no app package {package}: see `git status`")
    if not lock.is_file():
        raise DeployError(f"there is no lock {lock}: see `git status`, or run `make lock`")
    match = VERSION_LINE.search(init.read_text(encoding="utf-8"))
    if not match:
        raise DeployError(f'{init} has no line __version__ = "...": see `git diff`')
    digest = hashlib.sha256()
    for path in package_files(package):
        content = path.read_bytes()
        name = path.relative_to(package).as_posix()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    digest.update(f"\0{system.name}\0{system.python}\0".encode() + lock.read_bytes())
    return f"{match[1]}-{digest.hexdigest()[:12]}"


def tar_path(system: Target, version: str, out: Path = BUILD) -> Path:
    """Return where the tar of a release is built."""
    return out / "app" / system.name / f"{PACKAGE}-{version}.tar"


def members(
    package: Path, lock: Path, wheel_dir: Path, release: dict[str, str], bill: bytes
) -> Iterator[tuple[str, bytes]]:
    """Yield (name in the tar, content) in the order they are written."""
    yield "release.json", (json.dumps(release, indent=1, sort_keys=True) + "\n").encode()
    yield "requirements.txt", lock.read_bytes()
    yield SBOM, bill
    for path in package_files(package):
        yield f"{PACKAGE}/{path.relative_to(package).as_posix()}", path.read_bytes()
    for path in sorted(wheel_dir.glob("*.whl")):
        yield f"wheels/{path.name}", path.read_bytes()


def write_tar(tar: Path, content: Iterator[tuple[str, bytes]]) -> None:
    """Write the tar and rename it in one step; the same content gives the same bytes."""
    partial = tar.with_name(tar.name + ".part")
    directories: set[str] = set()
    try:
        with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as archive:
            for name, data in content:
                for parent in list(reversed(Path(name).parents))[1:]:
                    if str(parent) not in directories:
                        directories.add(str(parent))
                        archive.addfile(member(str(parent), 0, directory=True))
                archive.addfile(member(name, len(data)), io.BytesIO(data))
        partial.replace(tar)
    finally:
        partial.unlink(missing_ok=True)


def member(name: str, size: int, directory: bool = False) -> tarfile.TarInfo:
    """Return a tar header with nothing of this machine: no time, owned by root, plain modes."""
    info = tarfile.TarInfo(name)
    info.size, info.mtime = size, 0
    info.mode = 0o755 if directory else 0o644
    info.type = tarfile.DIRTYPE if directory else tarfile.REGTYPE
    info.uname = info.gname = "root"
    return info


def sha256_of(path: Path) -> str:
    """Return the file's sha256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def build(
    system: Target,
    package: Path = APP_PACKAGE,
    requirements: Path = APP_REQUIREMENTS,
    out: Path = BUILD,
    run: Callable[[list[str]], None] = wheels.run_pip,
) -> AppRelease:
    """Build the release for the target below `out`, or find it there.

    Its bill of materials is in the tar, and beside it as `tox_com_det-<version>.cdx.json`.

    Raises DeployError: no package, no lock, wheels that cannot be downloaded.
    """
    lock = requirements / f"{system.name}.txt"
    version = version_of(package, lock, system)
    tar = tar_path(system, version, out)
    with build_lock(tar):
        return build_tar(system, package, lock, version, tar, out, run)


def build_tar(
    system: Target,
    package: Path,
    lock: Path,
    version: str,
    tar: Path,
    out: Path,
    run: Callable[[list[str]], None],
) -> AppRelease:
    """Write the tar unless it is there."""
    note = tar.with_suffix(".tar.sha256")
    if tar.is_file() and note.is_file():
        sha256 = sha256_of(tar)
        if sha256 == note.read_text(encoding="ascii").strip():
            return AppRelease(version, str(tar), sha256, changed=False)
    wheel_dir = wheels.download(lock, system, out / "wheels" / f"app-{system.name}", run).directory
    print(f"app release: writing {tar.name}", file=sys.stderr, flush=True)
    tar.parent.mkdir(parents=True, exist_ok=True)
    release = {"version": version, "target": system.name, "python": system.python}
    bill = sbom(lock, PACKAGE, version)
    tar.with_suffix(".cdx.json").write_bytes(bill)
    write_tar(tar, members(package, lock, wheel_dir, release, bill))
    sha256 = sha256_of(tar)
    note.write_text(sha256 + "\n", encoding="ascii")
    return AppRelease(version, str(tar), sha256, changed=True)


def main(arguments: list[str] | None = None) -> int:
    """Build and print {"version", "tar", "sha256", "changed"}; 1 and one line on failure."""
    parser = argparse.ArgumentParser(
        prog="python -m controller.deploy.app_release", allow_abbrev=False
    )
    parser.description = "Build the app's release (package, lock, wheels) for a server."
    parser.add_argument("--target", required=True, help=f"one of {', '.join(sorted(TARGETS))}")
    parser.add_argument("--json", action="store_true", help="the default and only form")
    options = parser.parse_args(arguments)
    try:
        release = build(target(options.target))
    except (DeployError, UnknownTarget, OSError) as error:
        print(f"controller.deploy.app_release: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(release)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
