"""The registry of converters, and how they read the options of a layer.

A converter turns one Keras class into operators of opset 15. A class or an option without an exact
counterpart is refused by name. To add a layer, write a converter and register it with the options
that it takes into account; an option that no converter lists is refused as well, so a newer Keras
cannot introduce a meaning that goes unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from controller.model_build.architecture import Layer
from controller.model_build.graph import Graph, Tensor

# The third parameter is a Tensor, or for `inputs="many"` a sequence of them.
Converter = Callable[[Graph, Layer, Any], Tensor]
Inputs = Literal["values", "indices", "many", "mask", "any"]
AnyConverter = TypeVar("AnyConverter", bound=Converter)


@dataclass(frozen=True)
class Entry:
    """A registered converter.

    Attributes:
        convert: the converter.
        options: options of the layer that it takes into account.
        inputs: what it takes: one value, word indices, several values, a mask, or a value or
            word indices.
        keeps_mask: whether Keras passes the layer's mask on to the next layer.
        planes: whether it takes values [batch, length, width, channels] as well.
    """

    convert: Converter
    options: frozenset[str]
    inputs: Inputs
    keeps_mask: bool
    planes: bool


REGISTRY: dict[str, Entry] = {}


def option_names(text: str) -> frozenset[str]:
    """The names of options in a line of text."""
    return frozenset(text.split())


# Options that say how a layer was trained or called, and have no effect on what it computes.
WITHOUT_EFFECT = option_names(
    "name trainable dtype batch_input_shape batch_shape input_dtype build_config seed input_shape "
    "kernel_initializer bias_initializer kernel_regularizer bias_regularizer "
    "activity_regularizer kernel_constraint bias_constraint input_dim input_length"
)


def converts(
    class_name: str,
    options: str = "",
    *,
    inputs: Inputs = "values",
    keeps_mask: bool = False,
    planes: bool = False,
) -> Callable[[AnyConverter], AnyConverter]:
    """Register a converter for a Keras class and the options that it takes into account."""

    def register(convert: AnyConverter) -> AnyConverter:
        REGISTRY[class_name] = Entry(convert, option_names(options), inputs, keeps_mask, planes)
        return convert

    return register


def check_options(layer: Layer, config: dict[str, Any], known: frozenset[str]) -> None:
    """Refuse an unknown option, and any type but float32, because others round differently.

    Raises:
        UnsupportedLayer: the first such option.
    """
    for option, value in config.items():
        if option not in known and option not in WITHOUT_EFFECT and value is not None:
            raise layer.unsupported(f"its option {option}={value!r} is unknown")
    dtype = config.get("dtype", "float32")
    if isinstance(dtype, dict):  # Keras 3: a DTypePolicy object
        dtype = dtype.get("config", {}).get("name")
    if dtype not in ("float32", None):
        raise layer.unsupported(f"it computes in {dtype}; only float32 is supported")


def whole_number(layer: Layer, option: str, default: int | None = None) -> int:
    """An integer option that Keras also writes as a list of one, such as `kernel_size: [5]`."""
    value = layer.config.get(option)
    value = default if value is None else value
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise layer.unsupported(f"its option {option} is {layer.config.get(option)!r}")
    return value


def pair(layer: Layer, option: str, default: int | None = None) -> tuple[int, int]:
    """An integer option for each of two axes, which Keras also takes as one number."""
    value = layer.config.get(option)
    value = default if value is None else value
    value = [value, value] if isinstance(value, int) else value
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(isinstance(one, int) and not isinstance(one, bool) and one > 0 for one in value)
    ):
        raise layer.unsupported(f"its option {option} is {layer.config.get(option)!r}")
    return value[0], value[1]


def real_number(layer: Layer, option: str, default: float | None = None) -> float:
    """A floating-point option."""
    value = layer.config.get(option)
    value = default if value is None else value
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise layer.unsupported(f"its option {option} is {layer.config.get(option)!r}")
    return float(value)


def require(layer: Layer, option: str, *allowed: Any) -> Any:
    """The value of an option, which is refused unless it is one of `allowed` (first = default)."""
    value = layer.config.get(option, allowed[0])
    if value not in allowed:
        raise layer.unsupported(f"its option {option} is {value!r}")
    return value


def sequence_length(layer: Layer, x: Tensor) -> int:
    """Length of the input, which must still be a sequence."""
    if x.length is None:
        raise layer.unsupported("its input is not a sequence any more")
    return x.length
