"""Find the weights of a layer in `.keras` archives and in Keras 3's `.weights.h5`.

Groups are named by class and number, `layers/conv1d_1/vars/0`. Keras 2.13 and 2.14 write them below
`_layer_checkpoint_dependencies` instead. Keras 2.13 lists a layer with weights twice there, so the
numbers of these are 0, 2, 4.
Source: keras/src/saving/saving_lib.py (2.13 to 3.x), `_save_container_state`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import h5py

from controller.model_build.architecture import Layer, Network
from controller.model_build.errors import BuildError
from controller.model_build.hdf5 import DataSet
from controller.model_build.weights import AGAIN, RECURRENT, trainable_names

_NOW, _BEFORE = "layers", "_layer_checkpoint_dependencies"


def is_numbered(file: h5py.File) -> bool:
    """Whether the weights of a file are in numbered groups."""
    return any(name.startswith((_NOW, _BEFORE)) for name in file)


def numbered_layers(group: h5py.Group) -> list[str]:
    """The layers of such a file by their numbered names, each once; those of any other as named."""
    names = []
    for name in (_NOW, _BEFORE):
        inner = group.get(name)
        names += list(inner) if isinstance(inner, h5py.Group) else []
        # Written on Windows: layers\\dense\\vars.
        names += [one.split("\\")[1] for one in group if one.startswith(f"{name}\\")]
    return list(dict.fromkeys(names)) or list(group)


class NumberedWeights:
    """Weights in the numbered groups of a file; `where` names it in errors."""

    def __init__(self, where: str, network: Network, file: h5py.File) -> None:
        self._where, self._file = where, file
        names = list(file)
        # On Windows, Keras 2 and early Keras 3 join the names of groups with backslashes.
        self._separator = "\\" if any("\\" in name for name in names) else "/"
        top = next(
            (name for name in (_BEFORE, _NOW) if any(one.startswith(name) for one in names)), _NOW
        )
        self._groups = dict(_numbered(network, "", top, 1))
        if not all(self._group(place) in file for place in self._groups.values()):
            self._groups = dict(_numbered(network, "", top, 2))

    def _group(self, place: str) -> str:
        return place.replace("/", self._separator)

    def of(self, layer: Layer) -> dict[str, DataSet]:
        """Data sets of a layer by short name.

        Raises:
            BuildError: the file lacks weights of the layer.
        """
        first, second = trainable_names(layer)
        found: dict[str, DataSet] = {}
        for number, name in enumerate(first + second):
            group = self._groups[layer.path]
            if layer.class_name == "Bidirectional":
                group += f"/{name.partition('/')[0]}_layer/cell"
                number %= len(first) // 2
            elif layer.class_name in RECURRENT:
                group += "/cell"
            data = self._file.get(f"{self._group(group)}/vars/{number}")
            if not isinstance(data, h5py.Dataset):
                raise BuildError(
                    f"{self._where}: weight {name!r} of layer {layer.position} "
                    f"({layer.class_name} {layer.name!r}) is missing: {AGAIN}"
                )
            found[name] = data
        return found


def _numbered(
    network: Network, prefix: str, top: str, step: int
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Path and group of every layer with weights; `step` is how far each of them counts."""
    used: dict[str, int] = {}
    for layer in network.layers:
        kind = layer.class_name if layer.class_name != "Model" else "Functional"
        name = _snake_case(kind)
        number, weighs = used.get(name, 0), _has_weights(layer)
        used[name] = number + (step if weighs else 1)
        group = f"{prefix}{top}/{name}" + (f"_{number}" if number else "")
        if layer.network is not None:
            yield from _numbered(layer.network, f"{group}/", top, step)
        elif weighs:
            yield layer.path, f"{group}/layer" if kind == "TimeDistributed" else group


def _has_weights(layer: Layer) -> bool:
    leaves = layer.network.leaves() if layer.network is not None else [layer]
    return any(any(trainable_names(leaf)) for leaf in leaves)


def _snake_case(name: str) -> str:
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
