"""Score texts on the laptop as the server will: tokens, rows, padding, head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime

from controller.model_build.errors import BuildError
from tox_com_det.model.tokenizer import Side, TokenizerRules, pad_sequence

# What a head takes, by name.
Inputs = Mapping[str, np.ndarray]
_ROW_TYPES = {"float32": "<f4", "float16": "<f2", "index": "<i4"}


def open_session(head: bytes) -> onnxruntime.InferenceSession:
    """ONNX Runtime with one thread, so that equal inputs give equal bits on every run.

    Raises:
        BuildError: ONNX Runtime does not take the graph.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(head, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no common class but Exception
        reason = " ".join(str(error).split())
        raise BuildError(f"ONNX Runtime does not load the head: {reason}") from error


def run(session: onnxruntime.InferenceSession, inputs: Inputs) -> np.ndarray:
    """Scores float32 [batch, labels] of what the head takes."""
    return session.run(["scores"], dict(inputs))[0]


@dataclass(frozen=True)
class TextScorer:
    """Everything that turns a text into the head's input.

    `dtype`: what a row's bytes are: `float32` or `float16` numbers of a vector, or an `index`.
    `masked`: whether the head also takes which positions hold a word.
    """

    rules: TokenizerRules
    length: int
    padding: Side
    truncating: Side
    padding_row: bytes
    unknown_row: bytes | None
    dtype: str = "float32"
    masked: bool = False

    def inputs(self, texts: Sequence[str], rows: Mapping[str, bytes]) -> Inputs:
        """The head's inputs for `texts`; `rows` holds the words of the texts."""
        selected = [
            self.rules.select(self.rules.tokens(text), rows, self.unknown_row) for text in texts
        ]
        data = b"".join(b"".join(self._padded(one, self.padding_row)) for one in selected)
        numbers = np.frombuffer(data, _ROW_TYPES[self.dtype])
        if self.dtype == "index":
            return {"indices": numbers.astype(np.int32).reshape(len(texts), self.length)}
        vectors = numbers.astype(np.float32).reshape(len(texts), self.length, -1)
        if not self.masked:
            return {"vectors": vectors}
        mask = [self._padded([1.0] * len(one), 0.0) for one in selected]
        return {"vectors": vectors, "mask": np.array(mask, np.float32)}

    def _padded(self, row: list, fill: object) -> list:
        return pad_sequence(row, self.length, fill, self.padding, self.truncating)
