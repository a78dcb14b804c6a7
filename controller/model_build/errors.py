"""The errors that end a build: one line with what happened, where, and what to do next."""

from __future__ import annotations

from pathlib import Path


class BuildError(Exception):
    """The bundle cannot be built; `str(error)` is one line for the user."""


class UnsupportedLayer(BuildError, ValueError):
    """The model has a layer or an option that this version does not convert exactly.

    Attributes:
        position: place of the layer in the model, `2.0` for the first layer of a nested model.
        class_name: Keras class of the layer.
        layer_name: name of the layer in the model.
    """

    def __init__(self, position: str, class_name: str, name: str, reason: str) -> None:
        self.position, self.class_name, self.layer_name = position, class_name, name
        super().__init__(
            f"layer {position} ({class_name} {name!r}) is not supported: {reason}; "
            "list the supported layers with `python -m controller.model_build --layers`"
        )


def from_os_error(error: OSError, default: Path) -> BuildError:
    """The error for a system call that failed; `default` is the path if the error names none."""
    reason = " ".join((error.strerror or str(error)).split())
    return BuildError(f"{error.filename or default}: {reason}: nothing was changed")


def one_line(error: BaseException) -> str:
    """The message of an error of another library, which may have several lines, as one line."""
    return " ".join(str(error).split())
