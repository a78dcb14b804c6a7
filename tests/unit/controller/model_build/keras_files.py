"""Recorded Keras models, and a writer of `.h5` files that does not need Keras."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from controller.model_build.head import Head, build_head, stated_length
from controller.model_build.keras_file import open_model

FIXTURES = Path(__file__).parents[3] / "fixtures" / "keras"
ROWS, DIMENSION = 40, 6


@dataclass(frozen=True)
class Recorded:
    """A model that Keras wrote, and Keras' scores for sequences of word indices."""

    path: Path
    keras: str
    tokens: np.ndarray
    scores: np.ndarray


def recorded(name: str) -> Recorded:
    data = json.loads((FIXTURES / f"{name}.json").read_text())
    return Recorded(
        FIXTURES / f"{name}.h5", data["keras"], np.array(data["tokens"]), np.array(data["scores"])
    )


RECORDED = sorted(path.stem for path in FIXTURES.glob("*.h5"))


LABELS = ["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"]

Weights = dict[str, dict[str, np.ndarray]]


def layer(class_name: str, **config: Any) -> dict[str, Any]:
    config.setdefault("name", class_name.lower())
    return {"class_name": class_name, "config": config}


def write_h5(path: Path, layers: list[dict[str, Any]], weights: Weights, **attributes: Any) -> Path:
    """Write a legacy Keras `.h5` of these layers, with the weight names of Keras 2."""
    config = {"class_name": "Sequential", "config": {"name": "model", "layers": layers}}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = b"2.15.0"
        for key, value in attributes.items():
            file.attrs[key] = value
        group = file.create_group("model_weights")
        for entry in layers:
            name = entry["config"]["name"]
            one = group.create_group(name)
            arrays = weights.get(name, {})
            one.attrs["weight_names"] = [f"{name}/{short}:0".encode() for short in arrays]
            for short, values in arrays.items():
                one[f"{name}/{short}:0"] = values
    return path


def head_of(path: Path, length: int | None = None, mode: str = "split") -> tuple[Head, np.ndarray]:
    """A converted model and its matrix."""
    with open_model(path) as model:
        head = build_head(model, stated_length(model) or length, mode=mode)
        return head, np.asarray(head.matrix)
