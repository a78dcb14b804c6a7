"""Recognize the kind of a file or directory by its first bytes, without reading the rest.

Only what a name and a signature tell: nothing is loaded. `way_out` says what somebody with such a
file can do, because only Keras models with their weights can be built.
"""

from __future__ import annotations

import io
import pickletools
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

_START_BYTES = 1024
_FROM_TF = (
    "open it with tf.keras.models.load_model and save it with model.save('model.h5'), or give the "
    ".h5 that it was made from"
)
_ORIGINAL = "give the Keras model (.h5 or .keras) that it was made from"
_OTHER_LIBRARY = "only Keras models are supported"
_UNPACK = "unpack it and give the file in it"


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        key: short name for programs: `hdf5`, `keras`, `pickle`, `text`, `foreign`.
        name: for people, with an article.
        way_out: what to do where it is nothing that a build reads.
    """

    key: str
    name: str
    way_out: str = ""


HDF5 = Kind("hdf5", "an HDF5 file")
KERAS = Kind("keras", "a .keras archive")
PICKLE = Kind("pickle", "a pickle")
TEXT = Kind("text", "a text")
UNKNOWN = Kind("foreign", "a file in an unknown format", _OTHER_LIBRARY)

# Where the signature begins, the signature, what it means.
_SIGNATURES: tuple[tuple[int, bytes, Kind], ...] = (
    (0, b"\x89HDF\r\n\x1a\n", HDF5),
    (4, b"TFL3", Kind("foreign", "a TensorFlow Lite model", _ORIGINAL)),
    (0, b"GGUF", Kind("foreign", "a GGUF language model", _OTHER_LIBRARY)),
    (0, b"\x93NUMPY", Kind("foreign", "a numpy array (.npy)", _OTHER_LIBRARY)),
    (0, b"\x1f\x8b", Kind("foreign", "a gzip file", _UNPACK)),
    (0, b"\x78\x9c", Kind("foreign", "a compressed dump of joblib", _OTHER_LIBRARY)),
    (0, b"\x78\x5e", Kind("foreign", "a compressed dump of joblib", _OTHER_LIBRARY)),
    (0, b"\x78\xda", Kind("foreign", "a compressed dump of joblib", _OTHER_LIBRARY)),
    (0, b"\x78\x01", Kind("foreign", "a compressed dump of joblib", _OTHER_LIBRARY)),
    (0, b"BZh", Kind("foreign", "a bzip2 file", _UNPACK)),
    (0, b"\xfd7zXZ", Kind("foreign", "an xz file", _UNPACK)),
    (0, b"7z\xbc\xaf'\x1c", Kind("foreign", "a 7-Zip archive", _UNPACK)),
    (0, b"Rar!", Kind("foreign", "a RAR archive", _UNPACK)),
    (257, b"ustar", Kind("foreign", "a tar archive", _UNPACK)),
    (0, b"\xba\x16\x4f\x2f", Kind("foreign", "a fastText model", _OTHER_LIBRARY)),
    (0, b"PAR1", Kind("foreign", "a Parquet table", _OTHER_LIBRARY)),
    (0, b"SQLite format 3\0", Kind("foreign", "an SQLite database", _OTHER_LIBRARY)),
    (0, b"%PDF", Kind("foreign", "a PDF", _OTHER_LIBRARY)),
    (0, b"\x89PNG", Kind("foreign", "a picture", _OTHER_LIBRARY)),
    # torch.save before 1.6: a pickle of PyTorch's own number
    (
        0,
        b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.",
        Kind("foreign", "a PyTorch model", _OTHER_LIBRARY),
    ),
)
_SAFETENSORS = re.compile(rb".{7}\0\{\s*\"", re.DOTALL)
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
# What `pickletools` says of a pickle whose end is missing, because only its start was read.
_CUT_OFF = re.compile("not enough data|no newline found|expected .* bytes in a|pickle exhausted")
_BY_SUFFIX = {
    ".onnx": Kind("foreign", "an ONNX model", _ORIGINAL),
    ".pb": Kind("foreign", "a graph of TensorFlow (.pb)", _FROM_TF),
    ".index": Kind("foreign", "a part of a TensorFlow checkpoint", _FROM_TF),
    ".ckpt": Kind("foreign", "a TensorFlow checkpoint", _FROM_TF),
    ".meta": Kind("foreign", "a part of a TensorFlow checkpoint", _FROM_TF),
    ".tflite": Kind("foreign", "a TensorFlow Lite model", _ORIGINAL),
    ".pt": Kind("foreign", "a PyTorch model", _OTHER_LIBRARY),
    ".pth": Kind("foreign", "a PyTorch model", _OTHER_LIBRARY),
}
_CHECKPOINT = re.compile(r".*\.data-\d{5}-of-\d{5}")


def kind_of(path: Path) -> Kind:
    """The kind of a file or directory.

    Raises:
        OSError: it cannot be read.
    """
    if path.is_dir():
        return _directory(path)
    with path.open("rb") as file:
        start = file.read(_START_BYTES)
    if start.startswith(b"PK\x03\x04"):
        return _zip(path)
    for at, signature, kind in _SIGNATURES:
        if start[at : at + len(signature)] == signature:
            return kind
    if _SAFETENSORS.match(start):
        return Kind("foreign", "a file of weights in safetensors", _OTHER_LIBRARY)
    if is_pickle(start):
        return PICKLE
    if _CHECKPOINT.fullmatch(path.name):
        return _BY_SUFFIX[".ckpt"]
    if path.suffix.lower() in _BY_SUFFIX:
        return _BY_SUFFIX[path.suffix.lower()]
    return UNKNOWN if b"\0" in start and not start.startswith((b"\xff\xfe", b"\xfe\xff")) else TEXT


def is_pickle(start: bytes) -> bool:
    """Whether a file that begins so is a pickle of any protocol; 0 and 1 have no signature."""
    if _PICKLE.match(start):
        return True
    if start[:1] not in (b"(", b"]", b"}", b"c"):
        return False
    memorized = False
    try:
        for opcode, _, _ in pickletools.genops(io.BytesIO(start)):
            memorized = memorized or opcode.name in ("PUT", "BINPUT", "LONG_BINPUT")
    except (ValueError, OverflowError) as error:
        return memorized and bool(_CUT_OFF.match(str(error)))
    return True


def foreign(path: Path) -> str:
    """What a file is that a build cannot read, with the way out; "" if its kind is unknown."""
    try:
        kind = kind_of(path)
    except OSError:
        return ""
    return f"{kind.name}: {kind.way_out}" if kind.key == "foreign" and kind is not UNKNOWN else ""


def _directory(path: Path) -> Kind:
    names = {entry.name for entry in path.iterdir()}
    if "saved_model.pb" in names or "saved_model.pbtxt" in names:
        return Kind("foreign", "a SavedModel of TensorFlow", _FROM_TF)
    if {"config.json", "metadata.json", "model.weights.h5"} <= names:
        return Kind(
            "foreign",
            "an unpacked .keras archive",
            "zip all of it again: (cd DIRECTORY && zip -0 -r ../model.keras .)",
        )
    if "config.json" in names and any(
        name.endswith((".safetensors", ".bin", "tf_model.h5")) for name in names
    ):
        return Kind("foreign", "a model of Hugging Face Transformers", _OTHER_LIBRARY)
    if "model.json" in names and any(name.endswith(".bin") for name in names):
        return Kind("foreign", "a model of TensorFlow.js", _ORIGINAL)
    models = sorted(name for name in names if name.endswith((".h5", ".hdf5", ".keras")))
    if models:
        return Kind("foreign", "a directory", f"give one of its models: {', '.join(models[:5])}")
    return Kind("foreign", "a directory without a model", "give a model file")


def _zip(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        damaged = "copy the whole file again"
        return KERAS if path.suffix == ".keras" else Kind("foreign", "a damaged zip", damaged)
    if "config.json" in names and "model.weights.h5" in names:
        return KERAS
    if any(name.endswith("data.pkl") for name in names):
        return Kind("foreign", "a PyTorch model", _OTHER_LIBRARY)
    if names and all(name.endswith(".npy") for name in names):
        return Kind("foreign", "numpy arrays (.npz)", _OTHER_LIBRARY)
    models = [name for name in names if name.endswith((".h5", ".hdf5", ".keras"))]
    if models:
        return Kind("foreign", f"a zip that holds {models[0]}", _UNPACK)
    if any(name.endswith("saved_model.pb") for name in names):
        return Kind("foreign", "a zip of a SavedModel of TensorFlow", _FROM_TF)
    return KERAS if path.suffix == ".keras" else Kind("foreign", "a zip", _UNPACK)
