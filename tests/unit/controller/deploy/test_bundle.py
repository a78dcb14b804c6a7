"""A bundle is checked before any of it is uploaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.deploy.bundle import load_bundle
from controller.deploy.errors import DeployError


@pytest.fixture
def bundle(built_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built_bundle, tmp_path / "bundle"))


def change_manifest(bundle: Path, change: Callable[[dict], None]) -> None:
    data = json.loads((bundle / "manifest.json").read_text())
    change(data)
    (bundle / "manifest.json").write_text(json.dumps(data))


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def test_complete_bundle_is_accepted(bundle: Path) -> None:
    loaded = load_bundle(bundle)
    assert [path.name for path in loaded.model_files] == ["manifest.json", "head.onnx"]
    assert [path.suffix for path in loaded.dump_files] == [".json", ".bson"]


def test_missing_bundle_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match=r"there is no bundle in .*: run `fab build-model`"):
        load_bundle(tmp_path)


def test_flipped_byte_in_the_head_is_found(bundle: Path) -> None:
    flip_a_byte(bundle / "head.onnx")
    with pytest.raises(DeployError, match=r"does not match its manifest .*: run `fab build-model`"):
        load_bundle(bundle)


def test_missing_head_is_found(bundle: Path) -> None:
    (bundle / "head.onnx").unlink()
    with pytest.raises(DeployError, match=r"the bundle has no .*head"):
        load_bundle(bundle)


def test_missing_dump_is_found_when_it_is_needed(bundle: Path) -> None:
    shutil.rmtree(bundle / "dump")
    loaded = load_bundle(bundle)
    with pytest.raises(DeployError, match=r"the bundle has no .*metadata"):
        loaded.dump_files  # noqa: B018 (it has to raise)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(model_version="0" * 12),
        lambda data: data.update(labels=[*data["labels"][1:], data["labels"][0]]),
        lambda data: data.pop("tokenizer"),
        lambda data: data.update(surprise=1),
        lambda data: data.update(format_version=3),
    ],
    ids=["version", "labels", "missing", "unknown", "format"],
)
def test_manifest_of_another_content_is_refused(
    bundle: Path, change: Callable[[dict], None]
) -> None:
    change_manifest(bundle, change)
    with pytest.raises(DeployError, match="manifest is invalid") as caught:
        load_bundle(bundle)
    assert "\n" not in str(caught.value)
