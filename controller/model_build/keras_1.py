"""Recognize a model of Keras 1, whose layers have other names and options."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controller.model_build.errors import BuildError
from controller.model_build.hdf5 import as_text

_KERAS_1_CLASSES = ("Convolution1D", "Convolution2D", "Merge", "TimeDistributedDense", "Highway")
_KERAS_1_OPTIONS = ("nb_filter", "border_mode", "inner_activation", "subsample_length", "nb_words")


def refuse_keras_1(path: Path, version: Any, architecture: Mapping[str, Any]) -> None:
    """Refuse a model of Keras 1, whose layers have other names and options.

    Raises:
        BuildError: Keras 1 wrote it, by its version or its layers.
    """
    said = as_text(version) if version is not None else ""
    config = architecture.get("config")
    layers = config.get("layers") if isinstance(config, Mapping) else config
    entries = (
        [one for one in layers if isinstance(one, Mapping)] if isinstance(layers, list) else []
    )
    configs = [one["config"] for one in entries if isinstance(one.get("config"), Mapping)]
    if (
        said.startswith(("0.", "1."))
        or any(one.get("class_name") in _KERAS_1_CLASSES for one in entries)
        or any(option in one for one in configs for option in _KERAS_1_OPTIONS)
    ):
        by = f"Keras {said}" if said else "Keras 1"
        raise BuildError(
            f"{path}: written by {by}, whose layers have other options: open it with Keras 2.2 "
            "(keras.models.load_model of keras==2.2.5) and save it again with "
            "model.save('model.h5')"
        )
