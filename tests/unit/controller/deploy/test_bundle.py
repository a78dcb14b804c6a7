"""A bundle is checked before any of it is uploaded."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.deploy.bundle import deployable_bundle, load_bundle
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
    with pytest.raises(
        DeployError, match=r"there is no bundle in .*: run `fab build-model`, with --h5 for a model"
    ):
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


def make_alike(data: dict) -> None:
    """Give every golden text the scores of the first, as without a word index of its own."""
    cases = data["golden_outputs"]["cases"]
    for case in cases:
        case.update(scores=cases[0]["scores"], reference=None)


def as_version_1(data: dict) -> None:
    make_alike(data)
    data["known_answers"] = data.pop("golden_outputs")
    data["format_version"] = 1


@pytest.mark.parametrize("change", [make_alike, as_version_1])
def test_bundle_that_scores_every_text_alike_is_refused(
    bundle: Path, change: Callable[[dict], None]
) -> None:
    deployable_bundle(bundle)
    change_manifest(bundle, change)
    with pytest.raises(DeployError, match="gives all 28 golden texts the same scores") as caught:
        deployable_bundle(bundle)
    assert "run `fab build-model` with the model's --h5 and --word-index" in str(caught.value)


@pytest.mark.parametrize("kind", ["missing", "a" * 300, "file"])
def test_directory_that_cannot_be_one_is_no_bundle(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeployError, match="there is no bundle in"):
        load_bundle(tmp_path / kind)


def paths_of(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """The path of every field of a manifest; of lists and of free objects, only the first."""
    yield path
    if isinstance(value, dict):
        for key, one in value.items():
            if path[:1] != ("architecture",):
                yield from paths_of(one, (*path, key))
    elif isinstance(value, list) and value:
        yield from paths_of(value[0], (*path, 0))


WRONG = [
    None, True, 0, -1, 10**400, 0.5, "", "x", "\ud800", "{{ x }}", "../x", "a" * 5000, [], [None],
    {}, {"": None}, {"a" * 5000: None},
]  # fmt: skip


FREE = ("name", "golden_outputs", "architecture", "dead_positions", "built_with")


def test_manifest_with_any_wrong_field_is_refused_in_one_line(bundle: Path) -> None:
    """Each field with each wrong value; some of them are right for what changes no score."""
    good = json.loads((bundle / "manifest.json").read_text())
    for path in paths_of(good):
        for value in WRONG:
            data = copy.deepcopy(good)
            if path:
                parent = data
                for key in path[:-1]:
                    parent = parent[key]
                parent[path[-1]] = value
            else:
                data = value
            if data == good:
                continue
            (bundle / "manifest.json").write_text(json.dumps(data))
            message = refused(bundle)
            if message is None:
                assert path[0] in FREE or path == ("embedding", "database"), (path, value)
                assert value != "\ud800" or path[0] in ("architecture", "built_with")
            else:
                assert "\n" not in message
                assert "run `fab build-model`" in message
                assert len(message) < 1000


def refused(bundle: Path) -> str | None:
    """What is wrong with a bundle; None if nothing is."""
    try:
        load_bundle(bundle)
    except DeployError as error:
        return str(error)
    return None


@pytest.mark.parametrize("text", ["", "[]", "nul", "[" * 100_000, '{"a": 1', "\ufeff{}", "\0"])
def test_manifest_that_is_no_json_object_is_refused_in_one_line(bundle: Path, text: str) -> None:
    (bundle / "manifest.json").write_text(text)
    with pytest.raises(DeployError, match="manifest is invalid") as caught:
        load_bundle(bundle)
    assert "\n" not in str(caught.value)
