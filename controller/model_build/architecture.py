"""Read a Keras architecture (the JSON of `model.to_json()`) as a graph of layer calls.

Sequential and Functional models, nested to any depth, in the forms that Keras 2.1 to 3.x write: a
bare list or an object as the configuration of a Sequential, `inbound_nodes` as lists (2.x) or as
arguments with `__keras_tensor__` objects (3.x).
Source: keras/engine/functional.py (2.x), keras/src/models/functional.py (3.x).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.model_build.errors import BuildError, UnsupportedLayer

_FUNCTIONAL = ("Functional", "Model")
NESTED = ("Sequential", *_FUNCTIONAL)

# One output of one call of a layer: name of the layer, number of the call, number of the output.
Source = tuple[str, int, int]


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        position: counted from 0 as in `model.layers`; `2.0` is the first one of a nested model.
        class_name: Keras class.
        name: name in the model.
        config: its options as Keras writes them.
        path: names of the nested models around it, then its own.
        network: the layers of a nested model, else None.
    """

    position: str
    class_name: str
    name: str
    config: dict[str, Any]
    path: tuple[str, ...] = ()
    network: Network | None = None

    @property
    def trainable(self) -> bool:
        """Whether training may change its weights, which decides their order in the file."""
        return self.config.get("trainable", True) is not False

    def unsupported(self, reason: str) -> UnsupportedLayer:
        """The error to raise for this layer; `reason` says which property is not supported."""
        return UnsupportedLayer(self.position, self.class_name, self.name, reason)


@dataclass(frozen=True)
class Call:
    """A layer applied to outputs of other calls; `mask` is one that Keras 3 wrote explicitly."""

    layer: Layer
    number: int
    sources: tuple[Source, ...]
    mask: Source | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """A model: layers as listed, calls in the order of the data flow, inputs and outputs."""

    layers: tuple[Layer, ...]
    calls: tuple[Call, ...]
    inputs: tuple[Source, ...]
    outputs: tuple[Source, ...]

    def leaves(self) -> Iterator[Layer]:
        """Every layer that is not a nested model, in the order of the lists."""
        for layer in self.layers:
            if layer.network is None:
                yield layer
            else:
                yield from layer.network.leaves()


def read_network(architecture: Mapping[str, Any]) -> Network:
    """The graph of a whole model.

    Raises:
        UnsupportedLayer: a layer is a custom class.
        BuildError: neither Sequential nor Functional.
        KeyError, TypeError, IndexError, AttributeError, ValueError: not in a form that Keras
            writes.
    """
    kind = architecture["class_name"]
    if kind == "Tokenizer":
        raise BuildError(
            "this is a Tokenizer, not a model: give it as --word-index, and the model with --h5"
        )
    if kind not in NESTED:
        raise BuildError(
            f"this is a {kind} model, a class of its own whose layers are in Python code and not "
            "in the file; only Sequential and Functional models are supported: rebuild it as one "
            "of these, with the same layers and weights, and save that"
        )
    return _network(architecture["class_name"], architecture["config"], "", ())


def _network(kind: str, config: Any, prefix: str, path: tuple[str, ...]) -> Network:
    if kind == "Sequential":
        entries = config if isinstance(config, list) else config["layers"]
        return _sequential([_layer(entry, i, prefix, path) for i, entry in enumerate(entries)])
    layers = {}
    for number, entry in enumerate(config["layers"]):
        layer = _layer(entry, number, prefix, path)
        layers[layer.name] = layer
    return _functional(layers, config)


def _layer(entry: Mapping[str, Any], number: int, prefix: str, path: tuple[str, ...]) -> Layer:
    kind, config = entry["class_name"], entry["config"]
    # The list form of a nested Sequential of Keras 2.1 has its name beside it, or none, and so has
    # a class without get_config.
    name = config.get("name") if isinstance(config, dict) else None
    name = name or entry.get("name") or f"{kind}_{number}"
    if not (isinstance(kind, str) and isinstance(name, str)):
        raise TypeError(f"layer {number} has the class {kind!r} and the name {name!r}")
    position = f"{prefix}{number}"
    registered = entry.get("registered_name")
    if registered not in (None, kind):
        raise UnsupportedLayer(position, kind, name, f"it is a custom class, {registered}")
    if isinstance(config, dict) and "name" not in config and kind not in NESTED:
        raise UnsupportedLayer(
            position,
            kind,
            name,
            "it is a custom class without get_config, so the file says nothing of what it computes",
        )
    path = (*path, name)
    network = _network(kind, config, f"{position}.", path) if kind in NESTED else None
    return Layer(position, kind, name, config if isinstance(config, dict) else {}, path, network)


def _sequential(layers: list[Layer]) -> Network:
    source: Source = ("", 0, 0)
    calls = []
    for layer in layers:
        if layer.class_name != "InputLayer":
            calls.append(Call(layer, 0, (source,)))
            source = (layer.name, 0, 0)
    return Network(tuple(layers), tuple(calls), (("", 0, 0),), (source,))


def _functional(layers: dict[str, Layer], config: Mapping[str, Any]) -> Network:
    nodes = {
        layer.name: [_node(node) for node in entry["inbound_nodes"]]
        for layer, entry in zip(layers.values(), config["layers"], strict=True)
    }
    outputs = _ends(config["output_layers"])
    first = _first_calls(nodes, outputs)
    calls = {
        (name, number): Call(layers[name], number, sources, mask, options)
        for name, one in nodes.items()
        for number, (sources, mask, options) in enumerate(one, start=first.get(name, 0))
    }
    return Network(
        tuple(layers.values()),
        tuple(_in_order(calls, layers)),
        tuple(_ends(config["input_layers"])),
        tuple(outputs),
    )


def _first_calls(nodes: Mapping[str, list[Any]], outputs: list[Source]) -> dict[str, int]:
    """Number of the first listed call of each layer.

    A nested model was already called once when it was created; that call is not listed, so its
    calls count from 1. Every listed call is the source of another one or an output, so the highest
    number in use gives the count.
    """
    highest: dict[str, int] = {}
    used = [source for one in nodes.values() for sources, _, _ in one for source in sources]
    masks = [mask for one in nodes.values() for _, mask, _ in one if mask is not None]
    for name, number, _ in (*used, *masks, *outputs):
        highest[name] = max(highest.get(name, 0), number)
    return {name: max(0, top + 1 - len(nodes[name])) for name, top in highest.items()}


def _in_order(calls: dict[tuple[str, int], Call], layers: Mapping[str, Layer]) -> list[Call]:
    done: set[tuple[str, int]] = {
        (name, 0) for name, layer in layers.items() if layer.class_name == "InputLayer"
    }
    waiting, ordered = list(calls.values()), []
    while waiting:
        later = []
        for call in waiting:
            needed = {source[:2] for source in (*call.sources, *filter(None, [call.mask]))}
            if needed <= done:
                done.add((call.layer.name, call.number))
                ordered.append(call)
            else:
                later.append(call)
        if len(later) == len(waiting):
            raise ValueError(f"the inputs of layer {later[0].layer.name!r} are missing")
        waiting = later
    return ordered


def _node(node: Any) -> tuple[tuple[Source, ...], Source | None, dict[str, Any]]:
    """(inputs, mask, other arguments) of one entry of `inbound_nodes`."""
    if isinstance(node, Mapping):  # Keras 3
        sources = tuple(_tensors(node["args"]))
        options = {key: value for key, value in node["kwargs"].items() if value is not None}
        # A list has a mask for each of several inputs; it stays an argument, which is refused.
        given = None if isinstance(options.get("mask"), list) else options.pop("mask", None)
        mask = next(iter(_tensors(given)), None)
        constants = [one for one in node["args"] if not list(_tensors(one)) and one is not None]
        return sources, mask, options | ({"constants": constants} if constants else {})
    if node and isinstance(node[0], str):  # an operator of TensorFlow: one bare entry
        node = [node]
    options = {}
    for entry in node:
        for key, value in (entry[3] if len(entry) > 3 else {}).items():
            if value is not None:
                options[key] = value
    return tuple(map(_source, node)), None, options


def _tensors(value: Any) -> Iterator[Source]:
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            yield _source(value["config"]["keras_history"])
            return
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _tensors(one)


def _ends(entries: Any) -> list[Source]:
    """Inputs or outputs: `["x", 0, 0]` (Keras 3, a single one) or a list of them."""
    if isinstance(entries, Mapping):
        raise ValueError("inputs or outputs are a dictionary")
    if isinstance(entries[0], str):
        entries = [entries]
    return [_source(entry) for entry in entries]


def _source(entry: Any) -> Source:
    """The first three items of an entry, which name one output of one call."""
    name, call, output = entry[:3]
    if not (isinstance(name, str) and isinstance(call, int) and isinstance(output, int)):
        raise TypeError(f"{entry[:3]} names no output of a layer")
    return name, call, output
