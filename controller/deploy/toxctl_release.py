"""Builds the installable toxctl on the laptop: `python -m controller.deploy.toxctl_release`.

Writes `<out>/<version>-<12 hex of content>/` with the package and a `__main__.py` beside it, so
that `python -I -B DIRECTORY` runs it, and a tar of it for the way to the server. The same content
always has the same name.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from controller.deploy.app_release import write_tar
from controller.deploy.build_lock import build_lock
from controller.deploy.errors import DeployError
from controller.deploy.paths import BUILD, ROOT
from tox_com_det.version import __version__

__all__ = ["ToxctlRelease", "build", "content", "main"]

PACKAGE = ROOT / "server" / "toxctl"


@dataclass(frozen=True)
class ToxctlRelease:
    """A built toxctl.

    Attributes:
        version: its name.
        path: its directory.
        tar: its tar.
        changed: whether it was built just now.
        files: name below the directory -> SHA-1, which Ansible's module find compares on a server.
    """

    version: str
    path: str
    tar: str
    changed: bool
    files: dict[str, str]


def content(package: Path = PACKAGE) -> dict[str, bytes]:
    """Return the files of an installed version: name below its directory -> bytes.

    Links of the checkout become files. Raises DeployError: no package.
    """
    main_file = package / "__main__.py"
    if not main_file.is_file():
        raise DeployError(f"{main_file} is missing: is the checkout complete?")
    files = {
        f"toxctl/{path.relative_to(package).as_posix()}": path.read_bytes()
        for path in sorted(package.rglob("*.py"))
    }
    return {"__main__.py": main_file.read_bytes(), **files}


def version_of(files: dict[str, bytes]) -> str:
    """Return `<__version__>-<12 hex over names and contents>`."""
    digest = hashlib.sha256()
    for name, data in sorted(files.items()):
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return f"{__version__}-{digest.hexdigest()[:12]}"


def checksums(files: dict[str, bytes]) -> dict[str, str]:
    """Return the SHA-1 of each file: against accidents, `version_of` is what names the content."""
    return {
        name: hashlib.sha1(data, usedforsecurity=False).hexdigest() for name, data in files.items()
    }


def is_built(directory: Path, files: dict[str, bytes]) -> bool:
    """Return whether the directory holds exactly these files."""
    if not directory.is_dir():
        return False
    found = {
        path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()
    }
    return found == set(files) and all(
        (directory / name).read_bytes() == data for name, data in files.items()
    )


def build(out: Path = BUILD / "toxctl", package: Path = PACKAGE) -> ToxctlRelease:
    """Write the installable directory and its tar below `out`, or find them there.

    Raises DeployError: no package.
    """
    files = content(package)
    version = version_of(files)
    with build_lock(out / version):
        return build_directory(files, version, out)


def build_directory(files: dict[str, bytes], version: str, out: Path) -> ToxctlRelease:
    """Write directory and tar unless they are there."""
    directory, tar = out / version, out / f"{version}.tar"
    built = ToxctlRelease(version, str(directory), str(tar), False, checksums(files))
    if tar.is_file() and is_built(directory, files):
        return built
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".building-") as temporary:
        new = Path(temporary) / version
        for name, data in files.items():
            path = new / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        if directory.exists():
            shutil.rmtree(directory)  # of a build that was damaged or interrupted
        new.rename(directory)
    write_tar(tar, iter(sorted(files.items())))
    return replace(built, changed=True)


def main(arguments: list[str] | None = None) -> int:
    """Build and print a ToxctlRelease as JSON; return 0, or 1 and one line on failure."""
    parser = argparse.ArgumentParser(
        prog="python -m controller.deploy.toxctl_release", allow_abbrev=False
    )
    parser.description = "Build the directory of toxctl that is installed on a server."
    parser.add_argument(
        "--out", type=Path, default=BUILD / "toxctl", help="default: build/toxctl of the checkout"
    )
    options = parser.parse_args(arguments)
    try:
        release = build(options.out.absolute())
    except (DeployError, OSError) as error:
        print(f"controller.deploy.toxctl_release: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(release)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
