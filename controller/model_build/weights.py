"""Find the weights of a layer in the two forms that Keras writes.

Legacy `.h5`: a group per top-level layer, whose `weight_names` lists its data sets; those of a
nested model are one list, first all trainable ones, then the others. `.keras` and `.weights.h5` of
Keras 3: groups by class name and number, `layers/conv1d_1/vars/0`. Keras itself reads both by
order; here the short name (`kernel`) must match as well wherever the file states one.
Source: keras/saving/hdf5_format.py (2.x), keras/src/legacy/saving/legacy_h5_format.py and
keras/src/saving/saving_lib.py (3.x).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

import h5py

from controller.model_build.architecture import Layer, Network
from controller.model_build.errors import BuildError
from controller.model_build.hdf5 import DataSet, as_text

_AGAIN = "save the model again with model.save()"
_RECURRENT = ("LSTM", "GRU", "SimpleRNN")


class Weights(Protocol):
    """The weights of a model in one of the two forms."""

    def of(self, layer: Layer) -> dict[str, DataSet]:
        """Data sets of a layer by short name; of a Bidirectional `forward/kernel` and so on.

        Raises:
            BuildError: the file lacks weights of the layer.
        """
        ...


def trainable_names(layer: Layer) -> tuple[list[str], list[str]]:
    """Short names of a layer's weights in Keras' order: the trainable ones, and the others."""
    config, kind = layer.config, layer.class_name
    bias = ["bias"] if config.get("use_bias", True) else []
    if kind in ("Dense", "Conv1D"):
        return ["kernel", *bias], []
    if kind in _RECURRENT:
        return ["kernel", "recurrent_kernel", *bias], []
    if kind == "Bidirectional":
        inner, _ = trainable_names(inner_layer(layer))
        return [f"{one}/{name}" for one in ("forward", "backward") for name in inner], []
    if kind == "BatchNormalization":
        affine = [("gamma", "scale"), ("beta", "center")]
        return (
            [name for name, option in affine if config.get(option, True)],
            ["moving_mean", "moving_variance"],
        )
    if kind == "Embedding":
        return ["embeddings"], []
    if kind == "PReLU":
        return ["alpha"], []
    return [], []


def inner_layer(layer: Layer) -> Layer:
    """The layer inside a wrapper such as Bidirectional."""
    inner = layer.config["layer"]
    return Layer(layer.position, inner["class_name"], layer.name, inner["config"], layer.path)


class LegacyWeights:
    """Weights in the groups of a legacy `.h5`."""

    def __init__(self, where: str, network: Network, group: h5py.Group) -> None:
        self._where, self._group = where, group
        self._top = {layer.name: layer for layer in network.layers}
        self._found: dict[str, dict[tuple[tuple[str, ...], str], DataSet]] = {}

    def of(self, layer: Layer) -> dict[str, DataSet]:
        """Data sets of a layer by short name.

        Raises:
            BuildError: the file lacks weights of the layer.
        """
        first, second = trainable_names(layer)
        if not first + second:
            return {}
        top = self._top[layer.path[0]]
        if top.name not in self._found:
            self._found[top.name] = self._read(top)
        found = self._found[top.name]
        return {name: found[layer.path, name] for name in first + second}

    def _read(self, top: Layer) -> dict[tuple[tuple[str, ...], str], DataSet]:
        what = f"layer {top.position} ({top.class_name} {top.name!r})"
        if top.name not in self._group:
            raise BuildError(f"{self._where}: no weights for {what}: {_AGAIN}")
        group = self._group[top.name]
        names = list(names_in(group, "weight_names"))
        needed = list(_in_file_order(top))
        if len(names) != len(needed):
            short = ", ".join(name for _, name in needed)
            raise BuildError(
                f"{self._where}: {what} needs {len(needed)} weights ({short}), but the file lists "
                f"{len(names)}: use the architecture of the same model, or {_AGAIN}"
            )
        found: dict[tuple[tuple[str, ...], str], DataSet] = {}
        for full_name, (path, name) in zip(names, needed, strict=True):
            data = group.get(full_name)
            if not isinstance(data, h5py.Dataset):
                raise BuildError(
                    f"{self._where}: weight {full_name!r} of layer {top.name!r} is missing: "
                    "the file is damaged, copy or save it again"
                )
            if _short(full_name) != name.rpartition("/")[2]:
                raise BuildError(
                    f"{self._where}: weight {full_name!r} of {what} is in the place of {name!r} "
                    f"of {path[-1]!r}: {_AGAIN}"
                )
            found[path, name] = data
        return found


def _in_file_order(top: Layer) -> Iterator[tuple[tuple[str, ...], str]]:
    """(path, short name) of every weight below a top-level layer, in the order of the file."""
    leaves = [top] if top.network is None else list(top.network.leaves())
    frozen = not top.trainable
    later = []
    for leaf in leaves:
        first, second = trainable_names(leaf)
        if top.network is not None and (frozen or not leaf.trainable):
            later += [(leaf.path, name) for name in first + second]
            continue
        yield from ((leaf.path, name) for name in first)
        later += [(leaf.path, name) for name in second]
    yield from later


def _short(full_name: str) -> str:
    """`dense_1/kernel_1:0` is a kernel."""
    return re.sub(r"(_\d+)?(:0)?$", "", full_name.rpartition("/")[2])


class NumberedWeights:
    """Weights in the numbered groups of `.keras` archives and of Keras 3's `.weights.h5`."""

    def __init__(self, where: str, network: Network, file: h5py.File) -> None:
        self._where, self._file = where, file
        self._groups = dict(_numbered(network, ""))

    def of(self, layer: Layer) -> dict[str, DataSet]:
        """Data sets of a layer by short name.

        Raises:
            BuildError: the file lacks weights of the layer.
        """
        first, second = trainable_names(layer)
        found: dict[str, DataSet] = {}
        for number, name in enumerate(first + second):
            if layer.class_name == "Bidirectional":
                direction = name.partition("/")[0]
                place = f"{direction}_layer/cell/vars/{number % (len(first) // 2)}"
            elif layer.class_name in _RECURRENT:
                place = f"cell/vars/{number}"
            else:
                place = f"vars/{number}"
            data = self._file.get(f"{self._groups[layer.path]}/{place}")
            if not isinstance(data, h5py.Dataset):
                raise BuildError(
                    f"{self._where}: weight {name!r} of layer {layer.position} "
                    f"({layer.class_name} {layer.name!r}) is missing: {_AGAIN}"
                )
            found[name] = data
        return found


def _numbered(network: Network, prefix: str) -> Iterator[tuple[tuple[str, ...], str]]:
    used: dict[str, int] = {}
    for layer in network.layers:
        kind = layer.class_name if layer.class_name != "Model" else "Functional"
        name = _snake_case(kind)
        number = used[name] = used.get(name, -1) + 1
        group = f"{prefix}layers/{name}" + (f"_{number}" if number else "")
        if layer.network is None:
            yield layer.path, group
        else:
            yield from _numbered(layer.network, f"{group}/")


def _snake_case(name: str) -> str:
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def names_in(group: h5py.Group, attribute: str) -> list[str]:
    """A list of names; Keras splits one above 64 kB into `<attribute>0`, `<attribute>1`, ..."""
    if attribute in group.attrs:
        return [as_text(name) for name in group.attrs[attribute]]
    names: list[str] = []
    chunk = 0
    while f"{attribute}{chunk}" in group.attrs:
        names += [as_text(name) for name in group.attrs[f"{attribute}{chunk}"]]
        chunk += 1
    return names
