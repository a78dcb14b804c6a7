"""Scores comments with the head of a Keras text CNN; the word vectors are in MongoDB."""

import os

from tox_com_det.store.checksum import embedding_checksum
from tox_com_det.version import __version__

# ONNX Runtime 1.32 collects and uploads telemetry unless this is set before it is imported. The
# comments that this service scores are private.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__all__ = ["__version__", "embedding_checksum"]
