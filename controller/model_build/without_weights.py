"""A Keras model of which only the architecture is there, for a conversion that only checks it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from controller.model_build.architecture import Layer
from controller.model_build.hdf5 import DataSet
from controller.model_build.keras_1 import refuse_keras_1
from controller.model_build.keras_file import read_architecture, read_network_of
from controller.model_build.keras_model import KerasModel
from controller.model_build.weights import trainable_names


@dataclass(frozen=True)
class _Shape:
    """A data set without numbers."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class _NoWeights:
    """Names of the weights that a layer would have."""

    def of(self, layer: Layer) -> dict[str, DataSet]:
        nothing = cast(DataSet, _Shape((), np.dtype("<f4")))
        return {name: nothing for names in trainable_names(layer) for name in names}


class WithoutWeights(KerasModel):
    """A model whose weights have every shape that is asked for, and are 1."""

    def dataset(self, layer: Layer, name: str, shape: tuple[int, ...]) -> DataSet:
        return cast(DataSet, _Shape(shape, np.dtype("<f4")))

    def array(self, layer: Layer, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        return np.ones(shape, np.float32)


def read_without_weights(path: Path) -> WithoutWeights:
    """The model of a file with `model.to_json()`.

    Raises:
        BuildError: no architecture, or not in a form that Keras writes.
        UnsupportedLayer: a layer is a custom class.
    """
    architecture = read_architecture(path)
    version = architecture.get("keras_version")
    refuse_keras_1(path, version, architecture)
    network = read_network_of(path, architecture)
    said = str(version) if version is not None else "unknown"
    return WithoutWeights(path, network, architecture, said, 0, _NoWeights())
