"""Open a Keras model with h5py alone: its graph of layers, weights on demand.

Three forms: the legacy `.h5` of `model.save("x.h5")` (with or without optimizer), an `.h5` of
weights alone with the architecture's JSON beside it (`save_weights` and `to_json`), and the
`.keras` archive. Nothing of a file is executed: a Lambda layer stays a name that is refused.
Source: keras/saving/hdf5_format.py (2.x), keras/src/saving/saving_lib.py (3.x).
"""

from __future__ import annotations

import io
import json
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from controller.model_build.architecture import Layer, Network, read_network
from controller.model_build.errors import BuildError, UnsupportedLayer
from controller.model_build.weights import LegacyWeights, NumberedWeights, Weights, as_text

_ZIP = b"PK\x03\x04"
_CONFIG, _WEIGHTS, _METADATA = "config.json", "model.weights.h5", "metadata.json"
_MAX_CONFIG_BYTES = 256 * 1024 * 1024
# A member's own header in a zip: 26 bytes, then the lengths of its name and of its extra field.
_LOCAL_HEADER = "<26xHH"


@dataclass(frozen=True)
class KerasModel:
    """An open model. `offset`: where in the file `path` its HDF5 part begins, in bytes."""

    path: Path
    network: Network
    architecture: dict[str, Any]
    keras_version: str
    offset: int
    _weights: Weights

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Top-level layers as Keras lists them."""
        return self.network.layers

    @property
    def is_keras_3(self) -> bool:
        """Some activations changed their meaning from Keras 2 to Keras 3."""
        if self.keras_version[:1].isdigit():
            return int(self.keras_version.partition(".")[0]) >= 3
        # Every Keras up to 2.15 that writes `module` also writes its version.
        return "module" in self.architecture

    def weights(self, layer: Layer) -> dict[str, h5py.Dataset]:
        """Data sets of a layer by their short names (`kernel`, `bias`, `embeddings`).

        Raises:
            BuildError: the file does not hold what the layer needs.
        """
        return self._weights.of(layer)

    def dataset(self, layer: Layer, name: str, shape: tuple[int, ...]) -> h5py.Dataset:
        """A weight, checked for its shape and type, not yet read.

        Raises:
            BuildError: missing, of another shape, or no floating-point numbers.
        """
        data, where = self.weights(layer)[name], self._where(layer, name)
        if data.shape != shape:
            raise BuildError(f"{where} has shape {data.shape}, its configuration says {shape}")
        if data.dtype.kind != "f":
            raise BuildError(f"{where} holds {data.dtype}, not floating-point numbers")
        return data

    def array(self, layer: Layer, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """A weight as float32, checked for its shape and for NaN and infinity.

        Raises:
            BuildError: missing, of another shape, or not finite.
        """
        data, where = self.dataset(layer, name, shape), self._where(layer, name)
        try:
            values = np.asarray(data[()]).astype(np.float32)
        except OSError as error:
            raise BuildError(f"{where} cannot be read (file damaged?): {_line(error)}") from error
        if not np.isfinite(values).all():
            raise BuildError(f"{where} holds NaN or infinity: train the model again")
        return values

    def _where(self, layer: Layer, name: str) -> str:
        return f"{self.path}: weight {name!r} of layer {layer.position} ({layer.name!r})"


@contextmanager
def open_model(path: Path, architecture: Path | None = None) -> Iterator[KerasModel]:
    """Open a Keras model for reading.

    Args:
        architecture: JSON of `model.to_json()`, for a file that holds weights alone.

    Raises:
        BuildError: no such file, not HDF5 or truncated, no model in it.
        UnsupportedLayer: a layer is a class of somebody's own.
    """
    if not path.is_file():
        raise BuildError(f"{path}: no such file: give the Keras model with --h5")
    given = _read_architecture(architecture) if architecture else None
    with path.open("rb") as raw:
        if raw.read(4) == _ZIP:
            with _open_archive(path, raw, given) as model:
                yield model
            return
    with _open_hdf5(path, path) as file:
        yield _read_hdf5(path, file, given, architecture)


@contextmanager
def _open_hdf5(path: Path, source: Path | BinaryIO) -> Iterator[h5py.File]:
    try:
        file = h5py.File(source, "r")
    except OSError as error:
        raise BuildError(
            f"{path}: not a readable HDF5 file ({_line(error)}): "
            "save the model with model.save('model.h5') and copy it whole"
        ) from error
    with file:
        yield file


def _read_hdf5(
    path: Path, file: h5py.File, given: dict[str, Any] | None, given_path: Path | None
) -> KerasModel:
    if given is None and "model_config" not in file.attrs:
        raise BuildError(
            f"{path}: HDF5, but no model_config: a weights-only file has no layers, give the JSON "
            "of model.to_json() with --architecture, or save the whole model with model.save()"
        )
    if given is not None and "model_config" in file.attrs:
        raise BuildError(
            f"{path}: holds its own architecture, {given_path} is another: leave --architecture out"
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
    network = _network(path if given is None else given_path, architecture)
    weights: Weights
    if given is not None and "layer_names" not in group.attrs and "layers" in file:
        weights = NumberedWeights(str(path), network, file)
    else:
        weights = LegacyWeights(str(path), network, group)
    backend = file.attrs.get("backend")
    return _model(path, network, architecture, version, backend, 0, weights)


@contextmanager
def _open_archive(path: Path, raw: BinaryIO, given: dict[str, Any] | None) -> Iterator[KerasModel]:
    if given is not None:
        raise BuildError(f"{path}: a .keras archive holds its architecture: no --architecture")
    try:
        with zipfile.ZipFile(raw) as archive:
            config, metadata = (_member(archive, name) for name in (_CONFIG, _METADATA))
            part, offset = _weights_part(archive, raw)
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, ValueError) as error:
        raise BuildError(
            f"{path}: not a whole .keras archive ({_line(error)}): save it again with "
            "model.save('model.keras') and copy it whole"
        ) from error
    with part, _open_hdf5(path, part) as file:
        architecture = _object(path, _CONFIG, config)
        version = _object(path, _METADATA, metadata).get("keras_version")
        network = _network(path, architecture)
        weights = NumberedWeights(str(path), network, file)
        yield _model(path, network, architecture, version, None, offset, weights)


def _member(archive: zipfile.ZipFile, name: str) -> str:
    if archive.getinfo(name).file_size > _MAX_CONFIG_BYTES:
        raise ValueError(f"{name} is larger than {_MAX_CONFIG_BYTES} bytes")
    return archive.read(name).decode("utf-8")


def _weights_part(archive: zipfile.ZipFile, raw: BinaryIO) -> tuple[BinaryIO, int]:
    """The weights as a file of their own, and where they begin in the archive (0: unpacked)."""
    info = archive.getinfo(_WEIGHTS)
    with archive.open(info) as member:
        if info.compress_type != zipfile.ZIP_STORED:
            unpacked = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
            shutil.copyfileobj(member, unpacked, 1 << 20)
            return unpacked, 0
    raw.seek(info.header_offset)
    header = struct.unpack(_LOCAL_HEADER, raw.read(struct.calcsize(_LOCAL_HEADER)))
    offset = raw.tell() + header[0] + header[1]
    return io.BufferedReader(_Part(raw, offset, info.file_size)), offset


class _Part(io.RawIOBase):
    """A stretch of a file as a file."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._start + self._at)
        count = self._file.readinto(memoryview(buffer)[: max(0, self._size - self._at)])
        self._at += count
        return count


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


def _network(path: Path, architecture: dict[str, Any]) -> Network:
    try:
        return read_network(architecture)
    except UnsupportedLayer:
        raise
    except BuildError as error:
        raise BuildError(f"{path}: {error}") from error
    except (KeyError, TypeError, IndexError, AttributeError, ValueError, RecursionError) as error:
        raise BuildError(
            f"{path}: model_config is not in a form that Keras writes ({error!r}): "
            "save the model again with model.save('model.h5')"
        ) from error


def _read_architecture(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BuildError(f"{path}: {error.strerror}: give model.to_json() as a file") from error
    except UnicodeDecodeError as error:
        raise BuildError(f"{path}: not UTF-8: give model.to_json() as a file") from error
    return _object(path, "the architecture", text)


def _object(path: Path, what: str, text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
        if isinstance(data, str):  # json.dump(model.to_json(), file)
            data = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BuildError(f"{path}: {what} is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise BuildError(f"{path}: {what} (model_config) is not a JSON object")
    return data


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
