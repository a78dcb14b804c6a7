"""Any file as an input of a build is read or is one line: no traceback, nothing left behind."""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import pytest
from fuzzing import fuzz, paths_of, replaced
from hypothesis import example, given
from hypothesis import strategies as st
from keras_files import FIXTURES

from controller.model_build.consistency import embedding_rows
from controller.model_build.errors import BuildError
from controller.model_build.head import build_head, stated_length
from controller.model_build.keras_file import as_keras_writes, open_model
from controller.model_build.reference import read_reference
from controller.model_build.settings import Settings, read_settings
from controller.model_build.word_index import read_word_index

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -1, 0, 2**31, 2**63])
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["\ud800", "{{ x }}", "a" * 3000, "\n", "\0", "the"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
WORDS = st.dictionaries(st.text(max_size=9) | st.just("\ud800"), JSON, max_size=6)
TABLE = st.lists(
    st.lists(
        st.sampled_from(["the", "1", "2", '"', "", "a,b", "word", "index", "x" * 99]), max_size=4
    ),
    max_size=6,
)
KEYS = st.sampled_from([one.name for one in fields(Settings)]) | st.text(max_size=5)
SETTINGS = st.dictionaries(KEYS, JSON, max_size=4)


def refusal(reader: Callable[[Path], object], path: Path) -> str:
    """What a reader says against a file; "" if nothing."""
    try:
        reader(path)
    except BuildError as error:
        return str(error)
    return ""


def read(reader: Callable[[Path], object], content: bytes, name: str) -> None:
    """Read a file; an error of the reader must be one line that is not too long."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / name
        path.write_bytes(content)
        message = refusal(reader, path) or str(path)
        assert len(message.splitlines()) == 1
        assert len(message) < 1500
        assert message.startswith(str(path))
        assert list(Path(directory).iterdir()) == [path]


@fuzz(150)
@given(
    st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "ignore"))
)
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"the," + b"9" * 5000)
@example(b"\xef\xbb\xbf")
@example("the,1\n".encode("utf-16"))
def test_any_bytes_as_a_word_index(content: bytes) -> None:
    read(read_word_index, content, "words")


@fuzz(150)
@given(
    WORDS
    | st.fixed_dictionaries({"word_index": WORDS | JSON, "filters": JSON})
    | st.fixed_dictionaries({"config": st.fixed_dictionaries({"word_index": WORDS | JSON}) | JSON})
    | JSON
)
def test_any_json_and_any_pickle_as_a_word_index(data: Any) -> None:
    read(read_word_index, json.dumps(data).encode(), "words.json")
    if "\\ud800" not in json.dumps(data):
        read(read_word_index, pickle.dumps(data), "words.pickle")


@fuzz(150)
@given(TABLE, st.sampled_from([",", ";", "\t", " "]), st.sampled_from(["\n", "\r\n", "\r"]))
def test_any_table_as_a_word_index(rows: list[list[str]], separator: str, end: str) -> None:
    read(read_word_index, end.join(separator.join(row) for row in rows).encode(), "words.csv")


@fuzz(150)
@given(SETTINGS | JSON)
@example({"num_words": 10**400})
@example({"texts": ["\ud800"]})
@example({"labels": "\ud800"})
@example({"name": "a" * 9000})
@example({"a" * 9000: 1})
def test_any_json_as_settings(data: Any) -> None:
    read(read_settings, json.dumps(data).encode(), "model.json")


@fuzz(150)
@given(st.fixed_dictionaries({"texts": JSON, "scores": JSON, "keras": JSON}) | JSON)
@example({"texts": ["a"], "scores": [[10**400]]})
@example({"texts": ["a" * 9000], "scores": "a" * 9000})
def test_any_json_as_reference(data: Any) -> None:
    read(lambda path: read_reference(path, 1), json.dumps(data).encode(), "reference.json")


@pytest.mark.parametrize("reader", [read_settings, lambda path: read_reference(path, 1)])
@pytest.mark.parametrize("content", [b"", b"\xff", b"[" * 100_000, b"9" * 5000, b"\0", b"nul"])
def test_any_bytes_as_settings_and_reference(
    reader: Callable[[Path], object], content: bytes
) -> None:
    read(reader, content, "x.json")


def model(path: Path) -> None:
    """Open a model and convert it."""
    with open_model(path) as opened, as_keras_writes(path):
        embedding_rows(opened)
        build_head(opened, stated_length(opened) or 8)


CONFIG = json.loads(h5py.File(FIXTURES / "functional_keras2.h5").attrs["model_config"])


@fuzz(200)
@given(st.sampled_from(paths_of(CONFIG)), JSON)
def test_any_value_in_the_architecture_of_a_model(path: tuple[Any, ...], value: Any) -> None:
    changed = replaced(CONFIG, path, value)
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "x.h5"
        copy.write_bytes((FIXTURES / "functional_keras2.h5").read_bytes())
        with h5py.File(copy, "r+") as file:
            file.attrs["model_config"] = json.dumps(changed)
        message = refusal(model, copy)
    assert len(message.splitlines()) <= 1
    assert len(message) < 2000
