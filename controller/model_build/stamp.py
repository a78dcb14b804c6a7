"""Recognize that a bundle is already what a build would make of the same inputs.

A build of a 480 MB model takes a while and its inputs rarely change, so their hashes are stored in
the bundle (`.build.json`, for the laptop only) together with those of the bundle's own files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tox_com_det
import toxctl
from controller.model_build.settings import Settings

STAMP = ".build.json"
# Modules outside this package that decide what a bundle contains.
_APP = Path(tox_com_det.__file__).parent
_CONTROLLER = Path(__file__).parents[1]
_SHARED = (
    _CONTROLLER / "model_card/scorer.py",
    _CONTROLLER / "scores/csv_rows.py",
    _CONTROLLER / "scores/texts.py",
    _APP / "metrics/expected.py",
    _APP / "model/encode.py",
    _APP / "model/manifest.py",
    _APP / "model/normalization.py",
    _APP / "model/tokenizer.py",
    _APP / "model/windows.py",
    _APP / "store/checksum.py",
    Path(toxctl.__file__).parent / "golden.py",
)


def sha256(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def inputs(
    files: Mapping[str, Path | None],
    settings: Settings,
    origins: Mapping[str, str],
    tools: Mapping[str, str],
    accept_unusual: bool,
) -> dict[str, Any]:
    """Hashes of everything that decides what the bundle contains, this code included.

    What the user stated and accepted counts as well: without the option, a build must stop again.
    """
    code = [*Path(__file__).parent.glob("*.py"), *_SHARED]
    return {
        "files": {name: sha256(path) if path else None for name, path in files.items()},
        "settings": json.loads(json.dumps(asdict(settings))),
        "origins": dict(origins),
        "code": {path.name: sha256(path) for path in sorted(code)},
        "tools": dict(tools),
        "accept_unusual": accept_unusual,
    }


def write_stamp(bundle: Path, built_from: Mapping[str, Any]) -> None:
    """Store the inputs of a finished bundle and the hashes of its files in it."""
    content = {"inputs": built_from, "outputs": _outputs(bundle, _files(bundle))}
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    (bundle / STAMP).write_text(text, encoding="utf-8")


def restamp(bundle: Path, name: str, before: str) -> None:
    """Take over a changed file of a bundle; `before`: its SHA-256 before the change.

    A bundle whose stamp is missing or says something else of the file stays as it is.
    """
    try:
        content = json.loads((bundle / STAMP).read_text(encoding="utf-8"))
        if content["outputs"][name] != before:
            return
        content["outputs"][name] = sha256(bundle / name)
    except (OSError, ValueError, KeyError, TypeError):
        return
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    (bundle / STAMP).write_text(text, encoding="utf-8")


def is_current(bundle: Path, built_from: Mapping[str, Any]) -> bool:
    """Whether `bundle` is complete and was built from exactly these inputs."""
    try:
        content = json.loads((bundle / STAMP).read_text(encoding="utf-8"))
        if content["inputs"] != built_from:
            return False
        return bool(content["outputs"] == _outputs(bundle, _files(bundle)))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _files(bundle: Path) -> list[Path]:
    return sorted(path for path in bundle.rglob("*") if path.is_file() and path.name != STAMP)


def _outputs(bundle: Path, files: Iterable[Path]) -> dict[str, str]:
    return {path.relative_to(bundle).as_posix(): sha256(path) for path in files}
