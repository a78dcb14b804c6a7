"""Any value in any field of a manifest is read, or is one line: on the laptop and the server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fuzzing import ANYTHING, fuzz, is_one_line, paths_of, replaced
from hypothesis import example, given
from hypothesis import strategies as st
from tiny_bundle import TinyBundle

from controller.deploy.bundle import deployable_bundle
from controller.deploy.errors import DeployError
from tox_com_det.model.content_version import content_version
from tox_com_det.model.manifest import Manifest, ManifestError
from toxctl import manifest as on_server
from toxctl.errors import ToxctlError


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TinyBundle().write(tmp_path_factory.mktemp("fuzz") / "bundle")


def manifests() -> dict[str, dict[str, Any]]:
    """One of each format, with everything in it that a manifest can say."""
    windows = {"most": 4, "stride": 2, "pooling": "max"}
    sequence = {"length": 6, "padding": "pre", "truncating": "pre"}
    more: dict[str, Any] = {
        "languages": ["en", "hi-Latn"],
        "score_maps": {"TOXICITY": {"x": [0.0, 0.5, 1.0], "y": [0.0, 0.4, 1.0]}},
        "built_with": {"model_build": "0.1.0", "settings": "length (option)"},
    }
    rules = {"normalization": "unicode", "style": "tokenizer", "oov_token": "<oov>"}
    new = TinyBundle(tokenizer=rules, more={**more, "sequence": {**sequence, "windows": windows}})
    old = TinyBundle(format_version=1)
    found = {"2": new.manifest(), "1": old.manifest()}
    rows = found["2"]["embedding"]["special_rows"]
    rows["1"] = rows["0"]  # the oov_token's
    return {format_: with_version(one) for format_, one in found.items()}


def with_version(manifest: Any) -> Any:
    """The manifest with the version of its content, so that nothing else is met first."""
    if not isinstance(manifest, dict) or "model_version" not in manifest:
        return manifest
    try:
        version = content_version(manifest)
    except (TypeError, ValueError, AttributeError, RecursionError):  # no manifest at all
        return manifest
    return {**manifest, "model_version": version}


MANIFESTS = manifests()
PLACES = [(format_, place) for format_, one in MANIFESTS.items() for place in paths_of(one)]


def check(bundle: Path, text: bytes) -> None:
    """Read a manifest as each of its readers does."""
    path = bundle / "manifest.json"
    path.write_bytes(text)
    before = {one: one.stat().st_mtime_ns for one in bundle.rglob("*")}
    said = []
    try:
        Manifest.load(path)
    except ManifestError as error:
        said.append(str(error))
    try:
        deployable_bundle(bundle)
    except DeployError as error:
        said.append(str(error))
    for read in (on_server.expected_of, on_server.files_of):
        try:
            read(str(bundle))
        except ToxctlError as error:
            said.append(str(error))
    assert all(is_one_line(one) for one in said), said
    assert {one: one.stat().st_mtime_ns for one in bundle.rglob("*")} == before


def test_every_field_that_a_manifest_can_have_is_fuzzed(bundle: Path) -> None:
    for format_, one in MANIFESTS.items():
        assert Manifest.from_dict(one).format_version == int(format_)
    found = {place for _, place in PLACES}
    for place in (
        ("score_maps", "TOXICITY", "x", 0),
        ("languages", 0),
        ("tokenizer", "style"),
        ("built_with", "settings"),
        ("known_answers", "cases", 0, "scores"),
        ("sequence", "windows", "most"),
    ):
        assert place in found


@fuzz(400)
@given(st.sampled_from(PLACES), ANYTHING, st.booleans())
@example(("2", ("labels",)), ["a" * 9000], True)
@example(("2", ("files",)), {"a" * 9000: {}}, True)
@example(("2", ("score_maps", "TOXICITY", "x", 1)), float("nan"), True)
@example(("2", ("sequence", "windows", "most")), True, True)
def test_any_value_in_any_field(
    bundle: Path, where: tuple[str, tuple[Any, ...]], value: Any, is_versioned: bool
) -> None:
    format_, place = where
    changed = replaced(MANIFESTS[format_], place, value)
    check(bundle, json.dumps(with_version(changed) if is_versioned else changed).encode())


@fuzz(80)
@given(st.sampled_from([(format_, place) for format_, place in PLACES if place]), st.booleans())
def test_any_field_may_be_missing(
    bundle: Path, where: tuple[str, tuple[Any, ...]], is_versioned: bool
) -> None:
    format_, place = where
    parent = json.loads(json.dumps(MANIFESTS[format_]))
    inner: Any = parent
    for key in place[:-1]:
        inner = inner[key]
    del inner[place[-1]]
    check(bundle, json.dumps(with_version(parent) if is_versioned else parent).encode())


@fuzz(60)
@given(st.binary(max_size=60) | ANYTHING.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 100_000)
@example(b'{"labels": ' * 50_000)
@example(b"9" * 5000)
@example(b'{"format_version": 1e999}')
@example(b"\xef\xbb\xbf{}")
def test_any_bytes(bundle: Path, text: bytes) -> None:
    check(bundle, text)


PARTS = {
    "embedding": ("database", "collection"),
    "tokenizer": ("normalization",),
    "sequence": ("windows",),
    "built_with": ("settings",),
}


def parts_of_a_manifest() -> st.SearchStrategy[Any]:
    """What toxctl reads of a manifest, with anything in each of it."""
    inner = ANYTHING | st.fixed_dictionaries({}, optional={"most": ANYTHING})
    parts = {
        name: st.fixed_dictionaries({}, optional=dict.fromkeys(keys, inner)) | ANYTHING
        for name, keys in PARTS.items()
    }
    return ANYTHING | st.fixed_dictionaries({}, optional=parts)


@fuzz(150)
@given(parts_of_a_manifest())
@example({"embedding": {"database": "d", "collection": "c"}})
@example({"embedding": {"database": {}, "collection": ["c"]}})
@example({"sequence": {"windows": {"most": True}}})
def test_what_toxctl_reads_of_any_manifest_is_of_its_type(value: Any) -> None:
    found = on_server.collection_of(value)
    assert found is None or isinstance(found, str)
    assert isinstance(on_server.normalization_of(value), str)
    windows = on_server.windows_of(value)
    assert windows is None or type(windows) is int
    settings = on_server.settings_of(value)
    assert settings is None or isinstance(settings, str)


def test_toxctl_reads_what_is_there() -> None:
    one = MANIFESTS["2"]
    embedding = one["embedding"]
    assert on_server.collection_of(one) == f"{embedding['database']}.{embedding['collection']}"
    assert on_server.normalization_of(one) == "unicode"
    assert on_server.windows_of(one) == 4
    assert on_server.settings_of(one) == "length (option)"
