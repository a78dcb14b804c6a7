"""Run a head with ONNX Runtime on the laptop."""

from __future__ import annotations

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from controller.model_build.errors import BuildError, one_line
from tox_com_det.model.encode import Inputs


def open_session(head: bytes) -> onnxruntime.InferenceSession:
    """Load a head with one thread, so that equal inputs give equal bits on every run.

    Raises:
        BuildError: ONNX Runtime cannot load the graph.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(head, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no common class but Exception
        raise BuildError(f"ONNX Runtime cannot load the head: {one_line(error)}") from error


def run(session: onnxruntime.InferenceSession, inputs: Inputs) -> NDArray[np.float32]:
    """Scores, float32 [batch, labels], of the head's inputs."""
    scores: NDArray[np.float32] = session.run(["scores"], dict(inputs))[0]
    return scores
