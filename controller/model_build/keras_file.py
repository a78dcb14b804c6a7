"""Open a Keras model with h5py only: its graph of layers, and its weights on demand.

Three forms: the legacy `.h5` of `model.save("x.h5")` (with or without optimizer), an `.h5` with
weights only and the architecture's JSON beside it (`save_weights` and `to_json`), and the `.keras`
archive. Nothing in a file is executed: a Lambda layer is only a name, which is refused.
Source: keras/saving/hdf5_format.py (2.x), keras/src/saving/saving_lib.py (3.x).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import h5py

from controller.model_build import keras_archive
from controller.model_build.architecture import Network, read_network
from controller.model_build.beside import file_kind
from controller.model_build.downloads import download_problem
from controller.model_build.errors import BuildError, UnsupportedLayer, file_problem, one_line
from controller.model_build.foreign_pickles import foreign_pickle
from controller.model_build.hdf5 import as_text
from controller.model_build.keras_1 import refuse_keras_1
from controller.model_build.keras_model import KerasModel
from controller.model_build.kinds import PICKLE, TEXT, foreign, kind_of
from controller.model_build.numbered_weights import NumberedWeights, is_numbered
from controller.model_build.weights import LegacyWeights, Weights
from tox_com_det.strict_json import integer


@contextmanager
def open_model(path: Path, architecture: Path | None = None) -> Iterator[KerasModel]:
    """Open a Keras model for reading.

    Args:
        path: the model: `.h5` or `.keras`.
        architecture: JSON of `model.to_json()`, for a file with weights only.

    Raises:
        BuildError: no such file, not HDF5, truncated, or no model in it.
        UnsupportedLayer: a layer is a custom class.
    """
    problem = file_problem(path)
    if problem:
        what = foreign(path) if path.is_dir() else ""
        raise BuildError(f"{path} {problem}: {what or 'name the Keras model with --h5'}")
    problem = download_problem(path)
    if problem:
        raise BuildError(f"{path} {problem}")
    given = read_architecture(architecture) if architecture else None
    with path.open("rb") as raw:
        if raw.read(4) == keras_archive.SIGNATURE and not foreign(path):
            with _open_archive(path, raw, given) as model:
                yield model
            return
    with _open_hdf5(path, path) as file:
        yield _read_hdf5(path, file, given, architecture or path)


def has_architecture(path: Path) -> bool:
    """Whether a model's file has its layers, or is a form that says itself what is missing."""
    with path.open("rb") as raw:
        if raw.read(4) == keras_archive.SIGNATURE:
            return True
    try:
        with h5py.File(path, "r") as file:
            return "model_config" in file.attrs
    except OSError:
        return True


@contextmanager
def _open_hdf5(path: Path, source: Path | BinaryIO) -> Iterator[h5py.File]:
    try:
        file = h5py.File(source, "r")
    except OSError as error:
        what = _not_hdf5(path) if source is path else ""
        if what:
            raise BuildError(f"{path} is {what}") from error
        raise BuildError(
            f"{path}: not a readable HDF5 file ({one_line(error)}): "
            "save the model with model.save('model.h5') and copy the whole file"
        ) from error
    with file:
        yield file


def _not_hdf5(path: Path) -> str:
    """What a file is that is no HDF5, with the way out; "" if that cannot be told."""
    kind = kind_of(path)
    if kind is PICKLE:
        what = foreign_pickle(path.read_bytes())
        return what or "a pickle, not a Keras model: save the model with model.save('model.h5')"
    if kind is TEXT and file_kind(path) == "architecture":
        return (
            "an architecture without weights: give it with --architecture, and the file of "
            "model.save_weights() with --h5"
        )
    return foreign(path)


def _read_hdf5(
    path: Path, file: h5py.File, given: dict[str, Any] | None, stated_in: Path
) -> KerasModel:
    """The model of an open file; `stated_in` is the file with the architecture."""
    if given is None and "model_config" not in file.attrs:
        raise BuildError(
            f"{path}: HDF5 without model_config: a file with weights only has no layers; name the "
            "JSON of model.to_json() with --architecture, or save the whole model with model.save()"
        )
    if given is not None and "model_config" in file.attrs:
        raise BuildError(
            f"{path}: contains its own architecture, but {stated_in} was given too: "
            "leave out --architecture"
        )
    if given is None:
        if not isinstance(file.get("model_weights"), h5py.Group):
            raise BuildError(
                f"{path}: no group model_weights: save the whole model with model.save()"
            )
        architecture = _object(path, "model_config", as_text(file.attrs["model_config"]))
    else:
        architecture = given
    group = file.get("model_weights", file)
    version = file.attrs.get("keras_version", group.attrs.get("keras_version"))
    version = as_text(version) if version is not None else architecture.get("keras_version")
    refuse_keras_1(path, version, architecture)
    network = read_network_of(stated_in, architecture)
    weights: Weights
    if given is not None and "layer_names" not in group.attrs and is_numbered(file):
        weights = NumberedWeights(str(path), network, file)
    else:
        weights = LegacyWeights(str(path), network, group)
    backend = file.attrs.get("backend")
    return _model(path, network, architecture, version, backend, 0, weights)


@contextmanager
def _open_archive(path: Path, raw: BinaryIO, given: dict[str, Any] | None) -> Iterator[KerasModel]:
    if given is not None:
        raise BuildError(
            f"{path}: a .keras archive contains its architecture: leave out --architecture"
        )
    with (
        keras_archive.open_archive(path, raw) as archive,
        _open_hdf5(path, archive.weights) as file,
    ):
        architecture = _object(path, keras_archive.CONFIG, archive.config)
        metadata = _object(path, keras_archive.METADATA, archive.metadata)
        network = read_network_of(path, architecture)
        weights = NumberedWeights(str(path), network, file)
        version = metadata.get("keras_version")
        model = _model(path, network, architecture, version, None, archive.offset, weights)
        yield replace(model, vocabulary=archive.vocabulary)


def _model(
    path: Path,
    network: Network,
    architecture: dict[str, Any],
    version: Any,
    backend: Any,
    offset: int,
    weights: Weights,
) -> KerasModel:
    version = str(version) if version is not None else "unknown"
    architecture = architecture | {"keras_version": version}
    if backend is not None:
        architecture["backend"] = as_text(backend)
    return KerasModel(path, network, architecture, version, offset, weights)


def read_network_of(path: Path, architecture: dict[str, Any]) -> Network:
    with as_keras_writes(path):
        return read_network(architecture)


@contextmanager
def as_keras_writes(path: Path) -> Iterator[None]:
    """Turn the errors of reading an architecture that no Keras wrote into one of the file.

    Raises:
        BuildError: as raised within, or with the name of the file.
    """
    try:
        yield
    except UnsupportedLayer:
        raise
    except BuildError as error:
        if str(error).startswith(str(path)):
            raise
        raise BuildError(f"{path}: {error}") from error
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        StopIteration,
        TypeError,
        ValueError,
    ) as error:
        raise BuildError(
            f"{path}: model_config is not in a form that Keras writes ({error!r}): "
            "save the model again with model.save('model.h5')"
        ) from error


def read_architecture(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BuildError(
            f"{path}: {error.strerror}: name the JSON of model.to_json() with --architecture"
        ) from error
    except UnicodeDecodeError as error:
        raise BuildError(
            f"{path}: not UTF-8: name the JSON of model.to_json() with --architecture"
        ) from error
    return _object(path, "the architecture", text)


def _object(path: Path, what: str, text: str) -> dict[str, Any]:
    try:
        data = json.loads(text, parse_int=integer)
        if isinstance(data, str):  # json.dump(model.to_json(), file)
            data = json.loads(data, parse_int=integer)
    except (ValueError, RecursionError) as error:
        raise BuildError(
            f"{path}: {what} is not JSON ({error}): write it with model.to_json() or model.save()"
        ) from error
    if not isinstance(data, dict):
        raise BuildError(f"{path}: {what} (model_config) is not a JSON object")
    return data
