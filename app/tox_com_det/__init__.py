"""tox_com_det: scores comments with the head of a Keras text CNN; word vectors live in MongoDB."""

import os

from tox_com_det.store.checksum import embedding_checksum
from tox_com_det.version import __version__

# ONNX Runtime 1.32 collects telemetry and uploads it unless this stands in the environment before
# it is imported. What people write here is nobody else's business.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__all__ = ["__version__", "embedding_checksum"]
