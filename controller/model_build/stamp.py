"""Recognize that a bundle is already what a build would make of the same inputs.

A build of a 480 MB model takes a while and its inputs rarely change; their hashes are kept in the
bundle (`.build.json`, for the laptop only) together with the hashes of the bundle's own files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tox_com_det.model.manifest
import tox_com_det.model.tokenizer
import tox_com_det.store.checksum
from controller.model_build.settings import Settings

STAMP = ".build.json"


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def inputs(
    files: Mapping[str, Path | None], settings: Settings, tools: Mapping[str, str]
) -> dict[str, Any]:
    """Hashes of everything that decides what the bundle looks like, this code included."""
    modules = (tox_com_det.store.checksum, tox_com_det.model.manifest, tox_com_det.model.tokenizer)
    code = [*Path(__file__).parent.glob("*.py"), *(Path(module.__file__) for module in modules)]
    return {
        "files": {name: sha256(path) if path else None for name, path in files.items()},
        "settings": json.loads(json.dumps(asdict(settings))),
        "code": {path.name: sha256(path) for path in sorted(code)},
        "tools": dict(tools),
    }


def write_stamp(bundle: Path, made_of: Mapping[str, Any]) -> None:
    content = {"inputs": made_of, "outputs": _outputs(bundle, _files(bundle))}
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    (bundle / STAMP).write_text(text, encoding="utf-8")


def is_current(bundle: Path, made_of: Mapping[str, Any]) -> bool:
    """Whether `bundle` is whole and was built from exactly these inputs."""
    try:
        content = json.loads((bundle / STAMP).read_text(encoding="utf-8"))
        same = content["inputs"] == made_of
        return same and content["outputs"] == _outputs(bundle, _files(bundle))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _files(bundle: Path) -> list[Path]:
    return sorted(path for path in bundle.rglob("*") if path.is_file() and path.name != STAMP)


def _outputs(bundle: Path, files: Iterable[Path]) -> dict[str, str]:
    return {path.relative_to(bundle).as_posix(): sha256(path) for path in files}
