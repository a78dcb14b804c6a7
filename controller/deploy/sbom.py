"""Writes the software bill of materials of an app release, in CycloneDX's JSON form.

Made by `cyclonedx-py` from the release's lock, so it names every package with its version and the
hashes that pip checks on the server. The release's tar carries it as `sbom.cdx.json`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from controller.deploy.errors import DeployError

__all__ = ["NAME", "sbom"]

NAME = "sbom.cdx.json"
PROJECT = '[project]\nname = "{package}"\nversion = "{version}"\n'


def sbom(lock: Path, package: str, version: str) -> bytes:
    """Return the bill of materials of release `version` of `package`.

    The same lock, version and `cyclonedx-py` give the same bytes.

    Args:
        lock: hash-locked requirements of the target.
        package: name of the component that the document describes.
        version: the release's version.

    Raises:
        DeployError: the lock cannot be read, or the document is not valid CycloneDX.
    """
    with tempfile.TemporaryDirectory() as directory:
        project = Path(directory, "pyproject.toml")
        project.write_text(PROJECT.format(package=package, version=version), encoding="utf-8")
        command = [sys.executable, "-m", "cyclonedx_py", "requirements", str(lock)]
        command += ["--pyproject", str(project), "--output-reproducible", "--output-format=JSON"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (built here, no shell)
    if done.returncode:
        raise DeployError(
            f"cyclonedx-py cannot describe {lock} (exit code {done.returncode}): compile the "
            "locks again with `make lock`",
            done.stderr.strip(),
        )
    return (json.dumps(json.loads(done.stdout), indent=1, sort_keys=True) + "\n").encode()
