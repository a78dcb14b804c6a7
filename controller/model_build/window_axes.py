"""The windows of convolutions and pools: their sizes, their number, and how they are padded.

Source: TensorFlow's `nn_ops`: with padding `same` the odd cell goes to the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from controller.model_build.architecture import Layer
from controller.model_build.graph import Tensor
from controller.model_build.registry import require


@dataclass(frozen=True)
class Axis:
    """Windows along one axis.

    Attributes:
        length: of the input.
        window: cells that a window spans, with those that a dilation skips.
        stride: from one window to the next.
        count: number of windows.
        pads: cells added before the first position and after the last one.
    """

    length: int
    window: int
    stride: int
    count: int
    pads: tuple[int, int]

    def bounds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first position of every window, and the one behind its last; padding left out."""
        starts = np.arange(self.count, dtype=np.int64) * self.stride - self.pads[0]
        ends = np.minimum(starts + self.window, self.length)
        return np.maximum(starts, 0), ends


def place_windows(layer: Layer, length: int, window: int, stride: int, *more: str) -> Axis:
    """The windows along an axis, by the layer's option padding: valid, same, or one of `more`.

    Raises:
        UnsupportedLayer: another padding, or a window wider than the axis.
    """
    padding = require(layer, "padding", "valid", "same", *more)
    if padding == "same":
        result = -(-length // stride)
        missing = max((result - 1) * stride + window - length, 0)
        return Axis(length, window, stride, result, (missing // 2, missing - missing // 2))
    pads = (window - 1, 0) if padding == "causal" else (0, 0)
    padded = length + sum(pads)
    if padded < window:
        raise layer.unsupported(
            f"its window of {window} is wider than its input of {padded} positions"
        )
    return Axis(length, window, stride, (padded - window) // stride + 1, pads)


def all_pads(axes: tuple[Axis, ...]) -> list[int]:
    """ONNX's attribute pads: what comes before each axis, then what comes after."""
    return [axis.pads[side] for side in (0, 1) for axis in axes]


def plane(layer: Layer, x: Tensor) -> tuple[int, int]:
    """Length and width of the input, which must be [batch, length, width, channels]."""
    if x.length is None or x.width is None:
        raise layer.unsupported(f"its input has the shape {list(x.shape)}, not three axes")
    return x.length, x.width
