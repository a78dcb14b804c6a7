"""Read a Keras model from a legacy `.h5` with h5py alone: its layers in order, weights on demand.

The form is the one that `model.save("x.h5")` writes: attributes `model_config` and
`keras_version`, a group `model_weights` with one group per layer whose `weight_names` lists its
data sets. Keras 1 to 3 differ in small things (bytes or str, `:0` at the end of names, a bare list
as the configuration of a Sequential, long lists of names cut into numbered chunks); all are read.
Source: keras/saving/hdf5_format.py (2.x), keras/src/legacy/saving/legacy_h5_format.py (3.x).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from model_build.errors import BuildError, UnsupportedLayer


@dataclass(frozen=True)
class Layer:
    """One layer of a single-path model; `position` counts from 0 as in `model.layers`."""

    position: int
    class_name: str
    name: str
    config: dict[str, Any]

    def unsupported(self, reason: str) -> UnsupportedLayer:
        return UnsupportedLayer(self.position, self.class_name, self.name, reason)


@dataclass(frozen=True)
class KerasModel:
    """An open `.h5`: layers in order of the data flow, weights read only when asked for."""

    path: Path
    layers: tuple[Layer, ...]
    architecture: dict[str, Any]
    keras_version: str
    _weights: h5py.Group

    def weights(self, layer: Layer) -> dict[str, h5py.Dataset]:
        """Data sets of a layer by their short names (`kernel`, `bias`, `embeddings`).

        Raises:
            BuildError: the file lists weights that it does not hold, or none for this layer.
        """
        if layer.name not in self._weights:
            raise BuildError(
                f"{self.path}: no weights for layer {layer.position} "
                f"({layer.class_name} {layer.name!r}): save the model again with model.save()"
            )
        group = self._weights[layer.name]
        found: dict[str, h5py.Dataset] = {}
        for full_name in _names(group, "weight_names"):
            data = group.get(full_name)
            if not isinstance(data, h5py.Dataset):
                raise BuildError(
                    f"{self.path}: weight {full_name!r} of layer {layer.name!r} is missing: "
                    "the file is damaged, copy or save it again"
                )
            found[full_name.rpartition("/")[2].removesuffix(":0")] = data
        return found

    def array(self, layer: Layer, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """A weight as float32, checked for its shape and for NaN and infinity.

        Raises:
            BuildError: missing, of another shape, or not finite.
        """
        data = self.weights(layer).get(name)
        where = f"{self.path}: weight {name!r} of layer {layer.position} ({layer.name!r})"
        if data is None:
            raise BuildError(f"{where} is missing: save the model again with model.save()")
        if data.shape != shape:
            raise BuildError(f"{where} has shape {data.shape}, its configuration says {shape}")
        try:
            values = np.asarray(data[()])
        except OSError as error:
            raise BuildError(f"{where} cannot be read (file damaged?): {_line(error)}") from error
        if values.dtype.kind != "f":
            raise BuildError(f"{where} holds {values.dtype}, not floating-point numbers")
        values = values.astype(np.float32)
        if not np.isfinite(values).all():
            raise BuildError(f"{where} holds NaN or infinity: train the model again")
        return values


@contextmanager
def open_model(path: Path) -> Iterator[KerasModel]:
    """Open a Keras `.h5` for reading.

    Raises:
        BuildError: no such file, not HDF5 or truncated, no model in it.
        UnsupportedLayer: the layers are not one path from one input to one output.
    """
    if not path.is_file():
        raise BuildError(f"{path}: no such file: give the Keras model with --h5")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise BuildError(
            f"{path}: not a readable HDF5 file ({_line(error)}): "
            "save the model with model.save('model.h5') and copy it whole"
        ) from error
    with file:
        yield _read(path, file)


def _read(path: Path, file: h5py.File) -> KerasModel:
    if "model_config" not in file.attrs:
        raise BuildError(
            f"{path}: HDF5, but no model_config: a weights-only file has no layers, "
            "save the whole model with model.save('model.h5')"
        )
    if not isinstance(file.get("model_weights"), h5py.Group):
        raise BuildError(f"{path}: no group model_weights: save the whole model with model.save()")
    try:
        architecture = json.loads(_text(file.attrs["model_config"]))
    except ValueError as error:
        raise BuildError(f"{path}: model_config is not JSON: {error}") from error
    stored = file["model_weights"].attrs.get("keras_version", "unknown")
    version = _text(file.attrs.get("keras_version", stored))
    try:
        layers = _layers(path, architecture)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise BuildError(
            f"{path}: model_config is not in a form that Keras writes ({error!r}): "
            "save the model again with model.save('model.h5')"
        ) from error
    architecture = architecture | {"keras_version": version}
    if "backend" in file.attrs:
        architecture["backend"] = _text(file.attrs["backend"])
    return KerasModel(path, layers, architecture, version, file["model_weights"])


def _layers(path: Path, architecture: dict[str, Any]) -> tuple[Layer, ...]:
    kind, config = architecture["class_name"], architecture["config"]
    if kind == "Sequential":
        entries = config if isinstance(config, list) else config["layers"]
    elif kind in ("Functional", "Model"):
        entries = _single_path(config)
    else:
        raise BuildError(f"{path}: a {kind} model; only Sequential and Functional can be read")
    layers = []
    for position, entry in enumerate(entries):
        layer = Layer(position, entry["class_name"], entry["config"]["name"], entry["config"])
        registered = entry.get("registered_name")
        if registered not in (None, layer.class_name):
            raise layer.unsupported(f"it is a class of somebody's own, {registered}")
        layers.append(layer)
    return tuple(layers)


def _single_path(config: dict[str, Any]) -> list[dict[str, Any]]:
    """The layers of a functional model from its input to its output, if there is but one path."""
    entries = {entry["config"]["name"]: entry for entry in config["layers"]}
    positions = {name: position for position, name in enumerate(entries)}
    following: dict[str, str] = {}
    for name, entry in entries.items():
        sources = list(_sources(entry["inbound_nodes"]))
        is_input = entry["class_name"] == "InputLayer"
        if len(sources) != (0 if is_input else 1) or len(entry["inbound_nodes"]) > 1:
            raise UnsupportedLayer(
                positions[name],
                entry["class_name"],
                name,
                f"it takes {len(sources)} inputs; only a single path of layers is converted",
            )
        for source in sources:
            if source in following:
                raise UnsupportedLayer(
                    positions[source],
                    entries[source]["class_name"],
                    source,
                    "its output feeds more than one layer; only a single path is converted",
                )
            following[source] = name
    inputs, outputs = _ends(config["input_layers"]), _ends(config["output_layers"])
    path = [inputs[0]]
    while path[-1] in following:
        path.append(following[path[-1]])
    if len(inputs) != 1 or outputs != [path[-1]] or len(path) != len(entries):
        name = next((name for name in entries if name not in path), outputs[-1])
        raise UnsupportedLayer(
            positions[name],
            entries[name]["class_name"],
            name,
            f"the model has {len(inputs)} inputs and {len(outputs)} outputs and layers beside "
            "their path; only one path from one input to one output is converted",
        )
    return [entries[name] for name in path]


def _sources(node: Any) -> Iterator[str]:
    """Names of the layers that an `inbound_nodes` entry refers to (Keras 2 and Keras 3 forms)."""
    if isinstance(node, dict):
        if node.get("class_name") == "__keras_tensor__":
            yield node["config"]["keras_history"][0]
            return
        for value in node.values():
            yield from _sources(value)
    elif isinstance(node, list):
        if len(node) >= 3 and isinstance(node[0], str) and isinstance(node[1], int):
            yield node[0]
            return
        for value in node:
            yield from _sources(value)


def _ends(entries: list[Any]) -> list[str]:
    """`["x", 0, 0]` (Keras 3) or `[["x", 0, 0]]` (Keras 2) as a list of names."""
    return [entries[0]] if isinstance(entries[0], str) else [entry[0] for entry in entries]


def _names(group: h5py.Group, attribute: str) -> list[str]:
    """A list of names; Keras cuts one that is longer than 64 kB into `<attribute>0`, `1`, ..."""
    if attribute in group.attrs:
        return [_text(name) for name in group.attrs[attribute]]
    names: list[str] = []
    chunk = 0
    while f"{attribute}{chunk}" in group.attrs:
        names += [_text(name) for name in group.attrs[f"{attribute}{chunk}"]]
        chunk += 1
    return names


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
