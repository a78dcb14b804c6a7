"""An open Keras model: its graph of layers, and its weights on demand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controller.model_build.architecture import Layer, Network
from controller.model_build.errors import BuildError, one_line
from controller.model_build.hdf5 import DataSet
from controller.model_build.weights import Weights


@dataclass(frozen=True)
class KerasModel:
    """An open model.

    Attributes:
        path: the file.
        network: graph of the layers.
        architecture: the JSON of `model.to_json()`, with the version of Keras.
        keras_version: version that wrote the file; `unknown` if the file does not state it.
        offset: where the HDF5 part of the file begins, in bytes.
        vocabulary: text of the vocabulary that a `.keras` archive holds beside its weights.
    """

    path: Path
    network: Network
    architecture: dict[str, Any]
    keras_version: str
    offset: int
    _weights: Weights
    vocabulary: str | None = None

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Top-level layers in Keras' order."""
        return self.network.layers

    @property
    def is_keras_3(self) -> bool:
        """Whether Keras 3 wrote the file, which changed the meaning of some activations."""
        if self.keras_version[:1].isdigit():
            return int(self.keras_version.partition(".")[0]) >= 3
        # Every Keras up to 2.15 that writes `module` also writes its version.
        return "module" in self.architecture

    def weights(self, layer: Layer) -> dict[str, DataSet]:
        """Data sets of a layer by their short names (`kernel`, `bias`, `embeddings`).

        Raises:
            BuildError: the file lacks weights of the layer.
        """
        return self._weights.of(layer)

    def dataset(self, layer: Layer, name: str, shape: tuple[int, ...]) -> DataSet:
        """A weight, checked for shape and type, not read yet.

        Raises:
            BuildError: missing, another shape, or not floating-point numbers.
        """
        data, where = self.weights(layer)[name], self._where(layer, name)
        if data.shape != shape:
            raise BuildError(
                f"{where} has the shape {data.shape}, but the layer's configuration says {shape}: "
                "save the model again with model.save()"
            )
        if data.dtype.kind != "f":
            raise BuildError(
                f"{where} contains {data.dtype}, not floating-point numbers: "
                "save the model again with model.save()"
            )
        return data

    def array(self, layer: Layer, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """A weight as float32, checked for shape, NaN and infinity.

        Raises:
            BuildError: missing, another shape, unreadable, or not finite.
        """
        data, where = self.dataset(layer, name, shape), self._where(layer, name)
        try:
            values = np.asarray(data[()]).astype(np.float32)
        except OSError as error:
            raise BuildError(
                f"{where} cannot be read ({one_line(error)}): the file is damaged, copy it again"
            ) from error
        if not np.isfinite(values).all():
            raise BuildError(f"{where} contains NaN or infinity: train the model again")
        return values

    def _where(self, layer: Layer, name: str) -> str:
        return f"{self.path}: weight {name!r} of layer {layer.position} ({layer.name!r})"
