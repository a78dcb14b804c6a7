"""Score texts on the laptop as the server will: tokens, rows, padding, head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime

from model_build.errors import BuildError
from tox_com_det.tokenizer import Side, TokenizerRules, pad_sequence


def open_session(head: bytes) -> onnxruntime.InferenceSession:
    """ONNX Runtime with one thread, so that equal inputs give equal bits on every run.

    Raises:
        BuildError: ONNX Runtime does not take the graph.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(head, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no common class but Exception
        raise BuildError(f"ONNX Runtime does not load the head: {error}") from error


def run(session: onnxruntime.InferenceSession, vectors: np.ndarray) -> np.ndarray:
    """Scores float32 [batch, labels] of vectors float32 [batch, length, dimension]."""
    return session.run(["scores"], {"vectors": vectors})[0]


@dataclass(frozen=True)
class TextScorer:
    """Everything that turns a text into the head's input."""

    rules: TokenizerRules
    length: int
    padding: Side
    truncating: Side
    padding_row: bytes
    unknown_row: bytes | None

    def vectors(self, texts: Sequence[str], rows: Mapping[str, bytes]) -> np.ndarray:
        """Vectors float32 [texts, length, dimension]; `rows` holds the words of the texts."""
        batch = [
            b"".join(
                pad_sequence(
                    self.rules.select(self.rules.tokens(text), rows, self.unknown_row),
                    self.length,
                    self.padding_row,
                    self.padding,
                    self.truncating,
                )
            )
            for text in texts
        ]
        numbers = np.frombuffer(b"".join(batch), "<f4").astype(np.float32)
        return numbers.reshape(len(texts), self.length, -1)
