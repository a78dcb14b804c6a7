"""Calls the model builder for the fab tasks: its inputs, its dry run, its errors in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from controller.deploy.errors import DeployError
from controller.deploy.paths import SAMPLE_MODEL, absolute
from controller.model_build.errors import IS_DIRECTORY, BuildError, file_problem

__all__ = ["build_bundle", "model_files", "write_dump"]

WORD_INDEX = "word_index.json"


def model_files(h5: str | None, word_index: str | None) -> tuple[Path, Path]:
    """Return the .h5 and its word index: the sample model's if none is given.

    Raises DeployError: no such file.
    """
    if h5 is None and word_index is not None:
        raise DeployError("--word-index needs the --h5 that it belongs to")
    if h5 is None:
        found = sorted(SAMPLE_MODEL.glob("*.h5"))
        if len(found) != 1:
            raise DeployError(f"{SAMPLE_MODEL} holds {len(found)} .h5 files: choose one with --h5")
        model = found[0]
    else:
        model = absolute(h5)
    index = absolute(word_index) if word_index else model.parent / WORD_INDEX
    for path, option in ((model, "--h5"), (index, "--word-index")):
        problem = file_problem(path)
        if problem:
            raise DeployError(f"{path} {problem}: set it with {option}")
    return model, index


def as_typed(options: dict[str, Any]) -> str:
    """Return the options that were given, as they are typed."""
    words = (
        f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}")
        for name, value in options.items()
        if value
    )
    return " ".join(words) or "no further options"


def build_bundle(
    h5: str | None, word_index: str | None, out: Path, dry_run: bool = False, **options: Any
) -> None:
    """Build the bundle in `out`; DeployError with the builder's own line if it refuses."""
    model, index = model_files(h5, word_index)
    if dry_run:
        state = "replacing the bundle in it" if out.exists() else "which does not exist yet"
        print(f"dry run of build-model: would build {model} with {index} ({as_typed(options)})")
        print(f"into {out}, {state}; nothing is built if nothing has changed since")
        return
    # Imported here: h5py and onnx take a second, which no other task should wait for.
    from controller.model_build.build import build

    try:
        build(model, index, out, **options)
    except BuildError as error:
        raise DeployError(str(error)) from None


def write_dump(source: str | None, out: Path, dry_run: bool = False, **options: Any) -> None:
    """Write a dump of word vectors in `out`; DeployError with one line if it is refused."""
    if source is None:
        raise DeployError("--source is missing: run `fab dump-embeddings --source FILE`")
    path = absolute(source)
    problem = file_problem(path)
    if problem not in ("", IS_DIRECTORY):
        raise DeployError(f"{path} {problem}: set it with --source")
    if dry_run:
        print(f"dry run of dump-embeddings: would write the vectors of {path}", end=" ")
        print(f"({as_typed(options)})\ninto {out}, in mongodump's form")
        return
    from controller.model_build.dump_embeddings import dump_embeddings

    try:
        dump_embeddings(path, out, **options)
    except BuildError as error:
        raise DeployError(str(error)) from None
