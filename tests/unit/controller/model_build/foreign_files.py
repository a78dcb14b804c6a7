"""Files that people have in place of a model or a word index, made here without their programs."""

from __future__ import annotations

import pickle
import struct
import sys
import types
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LFS = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    b"size 480123456\n"
)
# What came in place of a file, and what the message says of it.
DOWNLOADS = {
    "lfs": (LFS, r"Git LFS pointer of a file of 480\.1 MB.*git lfs pull"),
    "lfs of windows": (LFS.replace(b"\n", b"\r\n"), r"Git LFS pointer.*git lfs pull"),
    "annex": (b"/annex/objects/SHA256E-s480--4d7a.h5\n", "pointer of git-annex.*git annex get"),
    "dvc": (b"outs:\n- md5: 4d7a\n  size: 480\n  path: model.h5\n", "pointer of DVC.*dvc pull"),
    "page": (b"\n<!DOCTYPE html>\n<html lang=en>", "web page.*download the raw file"),
    "page without a type": (b"<html><head>", "web page"),
    "404": (b"404: Not Found", "'404: Not Found', a server's answer"),
    "hub": (b"Entry not found", "a server's answer"),
    "empty": (b"", "is empty: download or copy it again"),
}


def _zip(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")


def write_foreign(path: Path, kind: str) -> Path:
    """Write a file of another program, of a kind of `FOREIGN`."""
    content = FOREIGN[kind][0]
    if isinstance(content, tuple):
        _zip(path, *content)
    else:
        path.write_bytes(content)
    return path


# Bytes of the start of a file, or the names in a zip; and what the message says.
FOREIGN: dict[str, tuple[bytes | tuple[str, ...], str]] = {
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(40), "TensorFlow Lite.* made from"),
    "safetensors": (struct.pack("<Q", 80) + b'{"a":{"dtype":"F32"', "safetensors"),
    "gguf": (b"GGUF\3\0\0\0", "GGUF"),
    "npy": (b"\x93NUMPY\1\0v\0", "numpy array"),
    "npz": (("arr_0.npy",), "numpy arrays"),
    "gzip": (b"\x1f\x8b\x08\0" + bytes(20), "gzip file.* unpack it"),
    "xz": (b"\xfd7zXZ\0" + bytes(20), "xz file.* unpack it"),
    "tar": (b"model.h5" + bytes(249) + b"ustar\0", "tar archive.* unpack it"),
    "zip of a model": (("toxic/model.h5", "toxic/readme.txt"), r"a zip that holds toxic/model\.h5"),
    "pytorch": (("archive/data.pkl", "archive/data/0"), "PyTorch"),
    "old pytorch": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + bytes(9), "PyTorch"),
    "fasttext": (b"\xba\x16\x4f\x2f" + bytes(30), "fastText"),
    "joblib": (b"\x78\x5e\x8d\x94" + bytes(30), "dump of joblib"),
}


@contextmanager
def named_class(module: str, name: str) -> Iterator[type]:
    """A class of a module that is not installed, while it is pickled."""
    made = type(name, (), {"__module__": module})
    parts = module.split(".")
    names = [".".join(parts[: count + 1]) for count in range(len(parts))]
    before = {one: sys.modules.get(one) for one in names}
    for one in names:
        sys.modules[one] = types.ModuleType(one)
    setattr(sys.modules[module], name, made)
    try:
        yield made
    finally:
        for one, old in before.items():
            if old is None:
                del sys.modules[one]
            else:
                sys.modules[one] = old


def pickled(module: str, name: str, protocol: int = 4, **attributes: Any) -> bytes:
    """The pickle of an object of `module.name` with these attributes."""
    with named_class(module, name) as made:
        one = made()
        one.__dict__.update(attributes)
        return pickle.dumps(one, protocol=protocol)


# Module, class, what the message says.
PICKLES = (
    ("sklearn.feature_extraction.text", "TfidfVectorizer", "TfidfVectorizer of scikit-learn"),
    ("sklearn.feature_extraction.text", "CountVectorizer", "CountVectorizer .*no Embedding"),
    ("sklearn.preprocessing._label", "LabelEncoder", "LabelEncoder of scikit-learn.*--labels"),
    ("sklearn.linear_model._logistic", "LogisticRegression", "LogisticRegression of scikit-learn"),
    ("xgboost.sklearn", "XGBClassifier", "model of XGBoost"),
    ("gensim.models.word2vec", "Word2Vec", r"Word2Vec of gensim.*save_word2vec_format"),
    ("pandas.core.frame", "DataFrame", "table of pandas"),
    ("transformers.models.bert", "BertTokenizer", "BertTokenizer of Hugging Face"),
    ("keras.src.engine.sequential", "Sequential", r"Sequential of Keras itself: .*model\.save"),
    (
        "keras.src.layers.preprocessing.text_vectorization",
        "TextVectorization",
        r"TextVectorization of Keras: .*get_vocabulary",
    ),
)
