"""Find the weights of a layer in the two forms that Keras writes.

Legacy `.h5`: a group per top-level layer, whose `weight_names` lists its data sets; those of a
nested model are one list, first all trainable ones, then the others. `.keras` and `.weights.h5` of
Keras 3: numbered groups (`numbered_weights`). Keras itself reads both by order; here the short name
(`kernel`) must match as well wherever the file states one.
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

AGAIN = "save the model again with model.save()"
_NORMALIZATIONS = ("BatchNormalization", "LayerNormalization", "GroupNormalization")
RECURRENT = ("LSTM", "GRU", "SimpleRNN")
# Weights that Keras 3 calls otherwise.
_KERAS_3_NAMES = {"depthwise_kernel": "kernel"}


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
    if kind in ("Dense", "Conv1D", "Conv2D"):
        return ["kernel", *bias], []
    if kind == "SeparableConv1D":
        return ["depthwise_kernel", "pointwise_kernel", *bias], []
    if kind == "DepthwiseConv1D":
        return ["depthwise_kernel", *bias], []
    if kind == "TimeDistributed":
        return trainable_names(inner_layer(layer))
    if kind in RECURRENT:
        return ["kernel", "recurrent_kernel", *bias], []
    if kind == "Bidirectional":
        inner, _ = trainable_names(inner_layer(layer))
        return [f"{one}/{name}" for one in ("forward", "backward") for name in inner], []
    if kind in _NORMALIZATIONS:
        affine = [("gamma", "scale"), ("beta", "center")]
        names = [name for name, option in affine if config.get(option, True)]
        return names, ["moving_mean", "moving_variance"] if kind == "BatchNormalization" else []
    if kind in ("Attention", "AdditiveAttention"):
        names = ["scale"] if config.get("use_scale", kind == "AdditiveAttention") else []
        return names + ["concat_score_weight"] * (config.get("score_mode") == "concat"), []
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
            raise BuildError(f"{self._where}: no weights for {what}: {AGAIN}")
        group = self._group[top.name]
        names = list(names_in(group, "weight_names"))
        needed = list(_in_file_order(top))
        if not names and not self._has_any():
            raise BuildError(
                f"{self._where}: holds no weights at all: Keras 3 saves a model so before it was "
                "built or trained: save it again after model.fit()"
            )
        if len(names) != len(needed):
            short = ", ".join(name for _, name in needed)
            raise BuildError(
                f"{self._where}: {what} needs {len(needed)} weights ({short}), but the file lists "
                f"{len(names)}: use the architecture of the same model, or {AGAIN}"
            )
        found: dict[tuple[tuple[str, ...], str], DataSet] = {}
        for full_name, (path, name) in zip(names, needed, strict=True):
            data = group.get(full_name)
            if not isinstance(data, h5py.Dataset):
                raise BuildError(
                    f"{self._where}: weight {full_name!r} of layer {top.name!r} is missing: "
                    "the file is damaged, copy or save it again"
                )
            if _short(full_name) not in (name.rpartition("/")[2], _KERAS_3_NAMES.get(name)):
                raise BuildError(
                    f"{self._where}: weight {full_name!r} of {what} is in the place of {name!r} "
                    f"of {path[-1]!r}: {AGAIN}"
                )
            found[path, name] = data
        return found

    def _has_any(self) -> bool:
        """Whether the file lists a weight of any layer."""
        groups = [one for one in self._group.values() if isinstance(one, h5py.Group)]
        return any(names_in(one, "weight_names") for one in groups)


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
