"""Any value in any field of a manifest is read, or is one line: on the laptop and the server."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from fuzzing import ANYTHING, fuzz, is_one_line, paths_of, replaced
from hypothesis import example, given
from hypothesis import strategies as st
from tiny_bundle import TinyBundle

from controller.deploy.bundle import deployable_bundle
from controller.deploy.errors import DeployError
from tox_com_det.model.manifest import Manifest, ManifestError
from toxctl import manifest as on_server
from toxctl.errors import ToxctlError


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TinyBundle().write(tmp_path_factory.mktemp("fuzz") / "bundle")


def manifest() -> dict[str, Any]:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        windows = {"most": 4, "stride": 2, "pooling": "max"}
        one = TinyBundle(
            tokenizer={"normalization": "unicode"},
            more={
                "sequence": {
                    **{"length": 6, "padding": "pre", "truncating": "pre"},
                    "windows": windows,
                }
            },
        )
        written = one.write(Path(directory) / "bundle")
        return json.loads((written / "manifest.json").read_text())


MANIFEST = manifest()
PLACES = paths_of(MANIFEST)


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


@fuzz(400)
@given(st.sampled_from(PLACES), ANYTHING)
@example(("labels",), ["a" * 9000])
@example(("files",), {"a" * 9000: {}})
def test_any_value_in_any_field(bundle: Path, place: tuple[Any, ...], value: Any) -> None:
    check(bundle, json.dumps(replaced(MANIFEST, place, value)).encode())


@fuzz(60)
@given(st.sampled_from([place for place in PLACES if place]))
def test_any_field_may_be_missing(bundle: Path, place: tuple[Any, ...]) -> None:
    parent = json.loads(json.dumps(MANIFEST))
    inner: Any = parent
    for key in place[:-1]:
        inner = inner[key]
    del inner[place[-1]]
    check(bundle, json.dumps(parent).encode())


@fuzz(60)
@given(st.binary(max_size=60) | ANYTHING.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 100_000)
@example(b'{"labels": ' * 50_000)
@example(b"9" * 5000)
@example(b'{"format_version": 1e999}')
@example(b"\xef\xbb\xbf{}")
def test_any_bytes(bundle: Path, text: bytes) -> None:
    check(bundle, text)


@fuzz(100)
@given(ANYTHING)
def test_any_manifest_has_a_collection_or_none(value: Any) -> None:
    found = on_server.collection_of(value)
    assert found is None or isinstance(found, str)
    assert not math.isnan(len(found or ""))
    assert isinstance(on_server.normalization_of(value), str)
    assert isinstance(on_server.windows_of(value), int | None)
