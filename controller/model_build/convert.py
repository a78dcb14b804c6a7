"""Walk through a Keras model and convert it layer by layer into the operators of a graph."""

from __future__ import annotations

from dataclasses import replace

# Importing a module of converters registers them.
from controller.model_build import (  # noqa: F401
    attention,
    convolutions,
    layers,
    masks,
    merges,
    normalizations,
    pools,
    recurrent,
    shapes,
    text_vectorization,
)
from controller.model_build.architecture import Call, Layer, Network, Source
from controller.model_build.graph import Graph, Mask, Tensor
from controller.model_build.registry import REGISTRY, check_options, option_names

_INPUT_OPTIONS = option_names("shape sparse ragged optional")
_NO_MASK_THROUGH = Mask(problem="it crosses the boundary of a nested model")
# Layers that set the mask of their result themselves.
_OF_MASKS = ("NotEqual", "Any", "ConvertToTensor")
_SET_MASK = (
    "Embedding",
    "Masking",
    "Rescaling",
    "LSTM",
    "GRU",
    "SimpleRNN",
    "Bidirectional",
    *_OF_MASKS,
)
# Arguments of a call that change nothing where they are false.
_SWITCHES = ("training", "return_attention_scores", "use_causal_mask")


def supported_layers() -> list[str]:
    """Keras classes that can be part of a model."""
    return sorted({*REGISTRY, "InputLayer", "Sequential", "Functional"} - {*_OF_MASKS})


def check_layers(network: Network) -> None:
    """Refuse, in the order of the model, every unknown class and option.

    Raises:
        UnsupportedLayer: the first one.
    """
    for layer in network.leaves():
        check_layer(layer)


def check_layer(layer: Layer) -> None:
    """Refuse an unknown class or option; UnsupportedLayer names it."""
    if layer.class_name == "InputLayer":
        check_options(layer, layer.config | {"dtype": "float32"}, _INPUT_OPTIONS)
        if layer.config.get("sparse") or layer.config.get("ragged"):
            raise layer.unsupported("its input is sparse or ragged")
        return
    entry = REGISTRY.get(layer.class_name)
    if entry is None:
        raise layer.unsupported("there is no converter for this class")
    config = layer.config
    if layer.class_name == text_vectorization.CLASS_NAME:
        config = config | {"dtype": "float32"}  # Keras 2 writes that of its input, string
    check_options(layer, config, entry.options)


def convert_network(graph: Graph, network: Network, inputs: list[Tensor]) -> list[Tensor]:
    """Convert every call of a network; returns its outputs.

    Raises:
        UnsupportedLayer: a layer, an option, or a way to call it that is not converted exactly.
        BuildError: weights are missing or damaged.
    """
    values: dict[Source, Tensor] = dict(zip(network.inputs, inputs, strict=True))
    for call in network.calls:
        taken = [_value(values, call.layer, source) for source in call.sources]
        if call.mask is not None:
            mask = _value(values, call.layer, call.mask)
            if mask.kind != "mask":
                raise call.layer.unsupported("its mask is computed by another layer")
            taken = [replace(x, mask=mask.mask) for x in taken]
        made = _convert(graph, call, taken)
        for number, one in enumerate(made):
            values[call.layer.name, call.number, number] = one
    return [_value(values, network.calls[-1].layer, source) for source in network.outputs]


def _value(values: dict[Source, Tensor], layer: Layer, source: Source) -> Tensor:
    if source not in values:
        raise layer.unsupported(f"its input is output {source[2]} of layer {source[0]!r}")
    return values[source]


def _convert(graph: Graph, call: Call, inputs: list[Tensor]) -> list[Tensor]:
    layer = call.layer
    options = {key: value for key, value in call.options.items() if key not in _SWITCHES or value}
    constants = options.pop("constants", None)
    if layer.class_name == "NotEqual" and isinstance(constants, list) and len(constants) == 1:
        layer = replace(layer, config=layer.config | {masks.CONSTANT: constants[0]})
        constants = None
    if constants or options:
        shown = ", ".join(options) or f"{constants}"
        raise layer.unsupported(f"it is called with additional arguments ({shown})")
    if layer.network is not None:
        return _convert_nested(graph, layer, layer.network, inputs)
    entry = REGISTRY[layer.class_name]
    kind = "values" if entry.inputs == "many" else entry.inputs
    if kind == "any":
        kind = "indices" if all(x.kind == "indices" for x in inputs) else "values"
    if any(x.kind != kind for x in inputs):
        if any(x.kind == "mask" for x in inputs) or kind == "mask":
            raise layer.unsupported("a mask is taken for a value")
        raise layer.unsupported(
            "an Embedding needs word indices, but its input is the output of another layer"
            if kind == "indices"
            else "the first layer must be an Embedding, but the input of this one is word indices"
        )
    if any(x.width is not None for x in inputs) and not entry.planes:
        raise layer.unsupported(f"its input has the shape {list(inputs[0].shape)}")
    if entry.inputs == "many":
        if len(inputs) < 2:
            raise layer.unsupported(f"it has {len(inputs)} inputs")
        return [entry.convert(graph, layer, inputs)]
    if len(inputs) != 1:
        raise layer.unsupported(f"it has {len(inputs)} inputs")
    x = inputs[0]
    made = entry.convert(graph, layer, x)
    if layer.class_name not in _SET_MASK:
        made = replace(made, mask=x.mask if entry.keeps_mask else None)
    return [made]


def _convert_nested(
    graph: Graph, layer: Layer, network: Network, inputs: list[Tensor]
) -> list[Tensor]:
    if len(inputs) != len(network.inputs):
        raise layer.unsupported(f"it has {len(inputs)} inputs")
    edge = [replace(x, mask=_NO_MASK_THROUGH) if x.mask else x for x in inputs]
    made = convert_network(graph, network, edge)
    return [replace(x, mask=_NO_MASK_THROUGH) if x.mask else x for x in made]
