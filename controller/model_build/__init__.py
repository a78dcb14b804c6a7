"""Laptop side: turn a Keras text CNN (`.h5`) and its word index into a bundle for the server.

One module per step of the flow: `keras_h5` reads, `head` converts, `embedding` and `dump` write the
vectors, `dead_positions` and `known_answers` examine, `build` puts the bundle in place.
Nothing here is installed on the server; `tox_com_det` imports nothing of this.
"""

# Importing it turns ONNX Runtime's telemetry off, before any module here imports the runtime.
from tox_com_det import __version__

__all__ = ["__version__"]
