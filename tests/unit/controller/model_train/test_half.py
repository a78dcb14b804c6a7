"""The embedding in half of its bytes: nothing else of the file changes."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from controller.model_build.architecture import Layer
from controller.model_build.keras_file import open_model
from controller.model_train.half import halve, rounded

PROJECT = Path(__file__).parents[4]


def contents(path: Path) -> tuple[dict[str, np.ndarray], dict[str, dict]]:
    """Data sets and attributes of a file, by name."""
    data: dict[str, np.ndarray] = {}
    attributes: dict[str, dict] = {}

    def visit(name: str, one: h5py.Group | h5py.Dataset) -> None:
        attributes[name] = {key: np.asarray(value).tolist() for key, value in one.attrs.items()}
        if isinstance(one, h5py.Dataset):
            data[name] = one[()]

    with h5py.File(path) as file:
        visit("", file)
        file.visititems(visit)
    return data, attributes


def test_embedding_alone_is_halved(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes((PROJECT / "tests/fixtures/keras/functional_keras3.h5").read_bytes())
    before, attributes = contents(path)
    halve(path)
    after, attributes_after = contents(path)
    assert attributes_after == attributes
    assert after.keys() == before.keys()
    halved = [name for name in before if before[name].dtype != after[name].dtype]
    assert [name.rpartition("/")[2].partition(":")[0] for name in halved] == ["embeddings"]
    for name, value in before.items():
        expected = value.astype(np.float16) if name in halved else value
        assert np.array_equal(after[name], expected), name
    assert [one.name for one in tmp_path.iterdir()] == ["model.h5"]


def test_halved_file_is_read_by_the_builder(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes((PROJECT / "tests/fixtures/keras/functional_keras3.h5").read_bytes())
    halve(path)
    with open_model(path, None) as model:
        embeddings = [one for one in model.network.leaves() if one.class_name == "Embedding"]
        assert isinstance(embeddings[0], Layer)
        shape = tuple(embeddings[0].config[key] for key in ("input_dim", "output_dim"))
        assert np.isfinite(model.dataset(embeddings[0], "embeddings", shape)[:]).all()


def test_rounded_rows_are_those_of_float16() -> None:
    rows = np.array([[0.1, 1.0, -3.14159]], np.float32)
    assert np.array_equal(rounded(rows), rows.astype(np.float16))
    assert rounded(rows).dtype == np.float32
    assert np.abs(rounded(rows) - rows).max() < 1e-3
