"""The head of the model: from word vectors to scores with ONNX Runtime."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from tox_com_det.model.encode import INDICES, MASK, VECTORS, Inputs
from tox_com_det.model.manifest import Manifest

OUTPUT = "scores"
# In a head's metadata: see `Head`.
LEAST_PADDING = "least_padding"
_SEVERITY_ERROR = 3

OnWorker = Callable[[Callable[[], list[Any]]], list[Any]]


class HeadError(Exception):
    """The head cannot be loaded, or is not the one that the manifest describes. One line."""


class Head:
    """An ONNX Runtime session: float32 batch x length x dimension -> float32 batch x labels.

    A head that contains the matrix takes int32 indices, batch x length, instead. One that uses
    Keras' mask (`masked`) also takes `mask`, float32 batch x length: 1 for a word, 0 for padding.
    Where a head says so, sequences may be shorter than the manifest's: from `least_padding`
    positions of padding on, more of them change no score. Otherwise that is None.
    """

    def __init__(
        self, model: bytes, manifest: Manifest, on_worker: OnWorker = lambda action: action()
    ) -> None:
        """Load and check a head.

        Args:
            model: content of head.onnx.
            manifest: its inputs, output and metadata must match it.
            on_worker: runs the head on a thread for it (`Workers.run`); the caller's by default.

        Raises:
            HeadError: ONNX Runtime cannot load it, or it does not match the manifest.
        """
        try:
            self._session = onnxruntime.InferenceSession(
                model, session_options(), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors share no base class
            message = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise HeadError(f"head.onnx cannot be loaded: {message}") from error
        self._on_worker = on_worker
        try:
            self.least_padding = _least_padding(self._session)
        except ValueError as error:
            raise HeadError(f"head.onnx has a {LEAST_PADDING} that is no number") from error
        problem = _disagreement(self._session, manifest, self.least_padding is not None)
        if problem is not None:
            raise HeadError(f"head.onnx and manifest.json disagree: {problem}")
        shape = tuple(_input_shape(manifest))
        self.masked = len(self._session.get_inputs()) == 2
        self._expected: dict[str, tuple[np.dtype[Any], tuple[int, ...]]]
        if manifest.embedding.dtype == "index":
            self._expected = {INDICES: (np.dtype(np.int32), shape)}
        else:
            self._expected = {VECTORS: (np.dtype(np.float32), shape)}
        if self.masked:
            self._expected[MASK] = (np.dtype(np.float32), shape[:1])

    def run(self, inputs: Inputs) -> NDArray[np.float32]:
        """Scores in 0..1, float32 batch x labels, of inputs from `TextEncoder`.

        Raises:
            ValueError: inputs are missing, unknown, or of another shape or type.
            HeadError: a score is not a number in 0..1; no score of the batch is valid.
        """
        if inputs.keys() != self._expected.keys():
            raise ValueError(f"the inputs are {sorted(inputs)}, expected {sorted(self._expected)}")
        for name, (dtype, shape) in self._expected.items():
            value = inputs[name]
            if value.dtype != dtype or not self._fits(value.shape[1:], shape):
                raise ValueError(
                    f"{name} is {value.dtype}{value.shape}, expected {dtype} batch x {shape}"
                )
        feed = dict(inputs)
        scores: NDArray[np.float32] = self._on_worker(lambda: self._session.run([OUTPUT], feed))[0]
        # Both comparisons are False for NaN as well; a few numbers are compared faster one by one.
        if not all(0.0 <= score <= 1.0 for score in scores.ravel().tolist()):
            raise HeadError("the head returned a score that is not a number from 0 to 1")
        return scores

    def _fits(self, found: tuple[int, ...], whole: tuple[int, ...]) -> bool:
        if self.least_padding is None:
            return found == whole
        return found[1:] == whole[1:] and self.least_padding <= found[0] <= whole[0]


def session_options() -> onnxruntime.SessionOptions:
    """ONNX Runtime's settings: one thread, and no memory kept between two runs."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # The arena would keep the largest batch's memory; 1 GB is shared with the database.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = _SEVERITY_ERROR
    return options


def _least_padding(session: onnxruntime.InferenceSession) -> int | None:
    found = session.get_modelmeta().custom_metadata_map.get(LEAST_PADDING)
    return None if found is None else int(found)


def _disagreement(
    session: onnxruntime.InferenceSession, manifest: Manifest, any_length: bool
) -> str | None:
    inputs: list[Any] = session.get_inputs()
    shape_in: list[int | str] = [*_input_shape(manifest)]
    if any_length:
        shape_in[0] = "length"
    indices = manifest.embedding.dtype == "index"
    problem = None
    if not indices and [node.name for node in inputs[1:]] == [MASK]:
        problem = _signature("input", inputs[1:], MASK, shape_in[:1])
        inputs = inputs[:1]
    problem = (
        problem
        or _signature("input", inputs, INDICES if indices else VECTORS, shape_in, indices)
        or _signature("output", session.get_outputs(), OUTPUT, [len(manifest.labels)])
    )
    if problem is not None:
        return problem
    metadata = session.get_modelmeta().custom_metadata_map
    required = {
        "embedding_checksum": manifest.embedding.checksum,
        "labels": list(manifest.labels),
        "sequence_length": str(manifest.sequence.length),
    }
    for key, value in required.items():
        found: Any = metadata.get(key)
        if key == "labels" and found is not None:
            try:
                found = json.loads(found)
            except ValueError:
                return "its metadata labels are not JSON"
        if found != value:
            return f"its metadata {key} is {found!r}, the manifest says {value!r}"
    return None


def _input_shape(manifest: Manifest) -> list[int]:
    length = manifest.sequence.length
    return (
        [length] if manifest.embedding.dtype == "index" else [length, manifest.embedding.dimension]
    )


def _signature(
    kind: str, nodes: list[Any], name: str, shape: list[Any], indices: bool = False
) -> str | None:
    if [node.name for node in nodes] != [name]:
        return f"its {kind}s are {[node.name for node in nodes]}, expected [{name!r}]"
    node = nodes[0]
    element = "tensor(int32)" if indices else "tensor(float)"
    if node.type != element:
        return f"its {kind} {name} is {node.type}, expected {element}"
    # The size of the batch is symbolic or open, the others are fixed.
    if list(node.shape[1:]) != shape or isinstance(node.shape[0], int):
        return f"its {kind} {name} has the shape {node.shape}, expected {['batch', *shape]}"
    return None
