"""The errors a build ends with: one line that says what happened, where, and what to do next."""

from __future__ import annotations


class BuildError(Exception):
    """The bundle cannot be built. `str(error)` is one line for the person at the keyboard."""


class UnsupportedLayer(BuildError, ValueError):
    """The model has a layer or an option that this version does not convert exactly."""

    def __init__(self, position: str, class_name: str, name: str, reason: str) -> None:
        self.position, self.class_name, self.layer_name = position, class_name, name
        super().__init__(
            f"layer {position} ({class_name} {name!r}) is not supported: {reason}; "
            "supported layers: `python -m controller.model_build --layers`"
        )
