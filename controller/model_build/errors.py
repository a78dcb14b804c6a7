"""The errors that end a build: one line with what happened, where, and what to do next."""

from __future__ import annotations

from pathlib import Path

IS_DIRECTORY = "is a directory, not a file"


# Of a message: four questions fit; a longer one quotes a value that nobody reads to its end.
_START, _END = 1100, 300


class BuildError(Exception):
    """The bundle cannot be built; `str(error)` is one line for the user."""

    def __init__(self, message: str) -> None:
        line = " ".join(message.splitlines())
        if len(line) > _START + _END:
            line = f"{line[:_START]} ... {line[-_END:]}"
        super().__init__(line)


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


def from_os_error(error: OSError, out: Path) -> BuildError:
    """The error for a system call that failed; `out` is where the result was to be."""
    reason = " ".join((error.strerror or str(error)).split())
    where = Path(error.filename or out).absolute()
    target = out.absolute()
    # The result is first written beside its place.
    if where in target.parents or where.is_relative_to(target.parent):
        return BuildError(f"{where}: {reason}: nothing was changed, choose another --out")
    return BuildError(f"{where}: {reason}: nothing was changed")


def file_problem(path: Path) -> str:
    """What keeps a path from being a file that can be read; "" for a file."""
    try:
        if path.is_file():
            return ""
        if path.is_dir():
            return IS_DIRECTORY
        if path.is_symlink():
            return f"is a link to {path.readlink()}, which does not exist"
        return "is not a regular file" if path.exists() else "does not exist"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def one_line(error: BaseException) -> str:
    """The message of an error of another library, which may have several lines, as one line."""
    return " ".join(str(error).split())
