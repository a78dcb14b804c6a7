"""The bare head: ONNX Runtime with the settings of the service, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import onnxruntime

from bench.serving.processors import serving
from tox_com_det.model.bundle import read_head, read_manifest
from tox_com_det.model.encode import Inputs, TextEncoder
from tox_com_det.model.head import OUTPUT, Head, session_options
from tox_com_det.model.manifest import Manifest
from tox_com_det.model.usable_words import Lookup, usable_words


class BareHead:
    """A session of its own, and the inputs of some texts.

    `whole`: of sequences with all their padding, as the model defines them, and `least`: with what
    the head needs of it, as the service runs it (`least_padding`). The same where it needs all.
    """

    def __init__(self, bundle: Path, texts: Sequence[str], lookup: Lookup, batch: int) -> None:
        """`lookup`: rows of words. `batch`: texts of the larger inputs."""
        manifest = read_manifest(bundle)
        head = read_head(bundle, manifest)
        self._session = onnxruntime.InferenceSession(
            head, session_options(), providers=["CPUExecutionProvider"]
        )
        needed = Head(head, manifest).least_padding
        self.whole = [_inputs(manifest, texts[:count], lookup, None) for count in (1, batch)]
        self.least = [_inputs(manifest, texts[:count], lookup, needed) for count in (1, batch)]

    def times(self, inputs: Inputs, seconds: float) -> list[float]:
        """Milliseconds of one run after the other, for so many seconds."""
        feed, found, end = dict(inputs), [], time.perf_counter() + seconds
        with serving():
            while (begin := time.perf_counter()) < end:
                self._session.run([OUTPUT], feed)
                found.append((time.perf_counter() - begin) * 1000)
        return found


def _inputs(
    manifest: Manifest, texts: Sequence[str], lookup: Lookup, least_padding: int | None
) -> Inputs:
    encoder = TextEncoder.from_manifest(manifest, masked=False, least_padding=least_padding)
    words = usable_words(encoder, texts, lookup)
    chosen = [encoder.choose(tokens, words.rows) for tokens in words.tokens]
    return encoder.tensors([window for one in chosen for window in one.windows])
