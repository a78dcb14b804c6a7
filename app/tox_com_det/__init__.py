"""tox_com_det: scores comments with the head of a Keras text CNN; word vectors live in MongoDB."""

from tox_com_det.checksum import embedding_checksum

__all__ = ["__version__", "embedding_checksum"]

__version__ = "0.1.0"
