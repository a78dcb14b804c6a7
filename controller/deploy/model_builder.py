"""Calls the model builder for the fab tasks: its inputs, its dry run, its errors in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from controller.deploy.errors import DeployError
from controller.deploy.paths import SAMPLE_MODEL, absolute
from controller.model_build.errors import IS_DIRECTORY, BuildError, file_problem

__all__ = ["build_bundle", "inspect_file", "model_files", "write_dump"]

WORD_INDEX = "word_index.json"
FILES = ("settings", "reference", "architecture", "sample", "word_index")


def model_files(h5: str | None, word_index: str | None) -> tuple[Path, Path | None]:
    """Return the .h5 and its word index: the sample model's if none is given.

    The word index is None if none is given and none is beside the model, which may hold its words.

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
    beside = model.parent / WORD_INDEX
    index = absolute(word_index) if word_index else beside
    if h5 is not None and word_index is None and not beside.exists() and model.is_file():
        return model, None  # the builder says if it holds no words
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


def with_files(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with whole paths: a shell leaves the ~ of `--settings=~/x` as it is.

    Raises DeployError: `~name` of a user that does not exist.
    """
    return {
        name: absolute(value) if name in FILES and value is not None else value
        for name, value in options.items()
    }


def build_bundle(
    h5: str | None, word_index: str | None, out: Path, dry_run: bool = False, **options: Any
) -> None:
    """Build the bundle in `out`; DeployError with the builder's own line if it refuses."""
    model, index = model_files(h5, word_index)
    given, options = options, with_files(options)
    if dry_run:
        from controller.model_build.options import check_options

        try:
            check_options(model, index, out, **options)
        except BuildError as error:
            raise DeployError(str(error)) from None
        state = "replacing the bundle in it" if out.exists() else "which does not exist yet"
        words = index or "the words in it"
        print(f"dry run of build-model: would build {model} with {words} ({as_typed(given)})")
        print(f"into {out}, {state}; nothing is built if nothing has changed since")
        return
    # Imported here: h5py and onnx take a second, which no other task should wait for.
    from controller.model_build.build import build

    try:
        build(model, index, out, **options)
    except BuildError as error:
        raise DeployError(str(error)) from None


def inspect_file(
    file: str, word_index: str | None, architecture: str | None, dry_run: bool = False
) -> None:
    """Print what a file is; DeployError if nothing can be built of it."""
    path = absolute(file)
    if file.startswith("-") and not path.exists():
        # invoke takes an option that it does not know for the file's name.
        raise DeployError(f"there is no option {file}: see `fab --help inspect-model`")
    if dry_run:
        print(f"dry run of inspect-model: would read {path}; it never changes anything")
        return
    from controller.model_build.inspect_file import inspect

    words, given = (absolute(one) if one else None for one in (word_index, architecture))
    try:
        report = inspect(path, word_index=words, architecture=given)
    except BuildError as error:
        raise DeployError(str(error)) from None
    print("\n".join(report.text(path)))
    if not report.fits:
        raise DeployError(f"{path} does not fit: {report.obstacles[0]}")


def write_dump(source: str | None, out: Path, dry_run: bool = False, **options: Any) -> None:
    """Write a dump of word vectors in `out`; DeployError with one line if it is refused."""
    if source is None:
        raise DeployError("--source is missing: run `fab dump-embeddings --source FILE`")
    path = absolute(source)
    problem = file_problem(path)
    if problem not in ("", IS_DIRECTORY):
        raise DeployError(f"{path} {problem}: set it with --source")
    given, options = options, with_files(options)
    if dry_run:
        from controller.model_build.options import check_dump_options

        try:
            check_dump_options(out, **options)
        except BuildError as error:
            raise DeployError(str(error)) from None
        print(f"dry run of dump-embeddings: would write the vectors of {path}", end=" ")
        print(f"({as_typed(given)})\ninto {out}, in mongodump's form")
        return
    from controller.model_build.dump_embeddings import dump_embeddings

    try:
        dump_embeddings(path, out, **options)
    except BuildError as error:
        raise DeployError(str(error)) from None
