"""The options of a build as they are typed, and what is wrong with them before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controller.model_build.downloads import check_input
from controller.model_build.dump import DATABASE
from controller.model_build.errors import BuildError, from_os_error
from controller.model_build.place import check_replaceable
from controller.model_build.settings import make_settings, read_settings

__all__ = ["check_dump_options", "check_options", "given_options"]


def given_options(no_oov_token: bool, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that were given as options; None is not given.

    Raises:
        BuildError: two of them contradict each other.
    """
    options = {key: value for key, value in overrides.items() if value is not None}
    if no_oov_token:
        if "oov_token" in options:
            raise BuildError("--oov-token and --no-oov-token contradict each other: give one")
        options["oov_token"] = None
    return options


def check_options(
    h5: Path,
    word_index: Path | None,
    out: Path,
    *,
    settings: Path | None = None,
    reference: Path | None = None,
    architecture: Path | None = None,
    sample: Path | None = None,
    no_oov_token: bool = False,
    force: bool = False,
    accept_unusual: bool = False,
    **overrides: Any,
) -> None:
    """Check what can be checked without reading the model: for a dry run.

    Args: as those of `build`.

    Raises:
        BuildError: with the line of the build.
    """
    # Imported here: h5py takes a third of a second, which no other dry run should wait for.
    from controller.model_build.input_files import input_files

    options = given_options(no_oov_token, overrides)
    try:
        check_input(h5, "--h5")
        files, _ = input_files(h5, word_index, settings, reference, architecture, sample)
        check_replaceable(out)
        files.check()
        file = read_settings(files.settings) if files.settings else {}
    except OSError as error:
        raise from_os_error(error, out) from error
    make_settings(str(files.settings or "options"), file, options)


def check_dump_options(
    out: Path,
    *,
    word_index: Path | None = None,
    architecture: Path | None = None,
    num_words: int | None = None,
    name: str = "embedding",
    dtype: str = "float32",
    member: str | None = None,
    accept_unusual: bool = False,
) -> None:
    """Check what can be checked without reading the vectors: for a dry run.

    Args: as those of `dump_embeddings`.

    Raises:
        BuildError: with the line of the dump.
    """
    make_settings("options", {"embedding_name": name, "dtype": dtype, "num_words": num_words})
    try:
        for path, option in ((word_index, "--word-index"), (architecture, "--architecture")):
            if path is not None:
                check_input(path, option)
        check_replaceable(out, DATABASE)
    except OSError as error:
        raise from_os_error(error, out) from error
