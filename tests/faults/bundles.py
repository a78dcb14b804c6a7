"""The bundles of the fault tests: good ones that differ, and bad ones that must never go live."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bson
import h5py
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from controller.deploy.model_builder import build_bundle
from controller.deploy.paths import SAMPLE_MODEL
from controller.model_build.dump import DATABASE, write_dump
from tox_com_det.model.manifest import HEAD_FILE, Manifest, content_version

H5, WORD_INDEX, SETTINGS = "toxic_comment_detector.h5", "word_index.json", "build_settings.json"
HUNGRY_BYTES, HEAVY_BYTES = 600 << 20, 20 << 20
BIG_WORDS, BIG_DIMENSION = 200_000, 20

Json = dict[str, Any]


class Bundles:
    """Builds bundles below a directory; `known` has the manifests of the good ones for the load."""

    def __init__(self, directory: Path) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        self.directory = directory
        self.known = directory / "known"
        self.known.mkdir(parents=True)
        self.good: dict[str, Path] = {}
        # New models in each run, so that a Nanode of an earlier run does not have them.
        self.random = random.SystemRandom()

    # ------------------------------------------------------------ good ones

    def base(self) -> Path:
        """The sample model."""
        return self._built("base", SAMPLE_MODEL / H5)

    def other(self) -> Path:
        """The sample model with other scores and the same words."""
        return self._varied("other", lambda h5: add_to_bias(h5, 0.25))

    def fresh(self, name: str) -> Path:
        """A good model that the server does not have; its words are the sample model's."""
        number = self.random.uniform(0.3, 0.9)
        return self._varied(self._unused(name), lambda h5: add_to_bias(h5, number))

    def fresh_words(self, name: str) -> Path:
        """A good model that the server does not have, with words in a collection of its own."""
        number = self.random.uniform(0.1, 0.9)
        return self._varied(self._unused(name), lambda h5: change_word(h5, number))

    def heavy(self, name: str) -> Path:
        """A good model that the server does not have, with a head of 20 MB to interrupt."""

        def pad(model: onnx.ModelProto) -> None:
            ballast = np.frombuffer(self.random.randbytes(HEAVY_BYTES), np.uint8)
            model.graph.initializer.append(numpy_helper.from_array(ballast, "ballast"))

        out = self.directory / self._unused(name)
        return self._noted(rewritten(self.base(), out, head=pad))

    def _unused(self, name: str) -> str:
        """A name that no bundle has: a deployed one must not change."""
        numbered = (f"{name}-{number}" for number in itertools.count(1))
        return next(one for one in numbered if not (self.directory / one).exists())

    def _varied(self, name: str, change: Callable[[h5py.File], None]) -> Path:
        h5 = self.directory / f"{name}.h5"
        shutil.copy(SAMPLE_MODEL / H5, h5)
        with h5py.File(h5, "r+") as file:
            change(file)
        return self._built(name, h5)

    def _built(self, name: str, h5: Path) -> Path:
        out = self.directory / name
        build_bundle(
            str(h5),
            str(SAMPLE_MODEL / WORD_INDEX),
            out,
            settings=SAMPLE_MODEL / SETTINGS,
            say=lambda _: None,
        )
        return self._noted(out)

    def _noted(self, bundle: Path) -> Path:
        """Make the load accept this model's answers."""
        version = read(bundle)["model_version"]
        shutil.copy(bundle / "manifest.json", self.known / f"{version}.json")
        self.good[version] = bundle
        return bundle

    # ------------------------------------------------------------ bad ones

    def wrong(self) -> Path:
        """A head that loads, with the golden outputs of another model."""
        answers = read(self.base())["golden_outputs"]
        out = self._varied("wrong", lambda h5: add_to_bias(h5, self.random.uniform(1.0, 2.0)))
        version = read(out)["model_version"]
        del self.good[version]
        (self.known / f"{version}.json").unlink()
        return rewritten(out, out, manifest=lambda one: {**one, "golden_outputs": answers})

    def not_a_number(self) -> Path:
        """A head that returns NaN for every text."""

        def poison(model: onnx.ModelProto) -> None:
            _, last = last_bias(model)
            values = np.full_like(numpy_helper.to_array(last), np.nan)
            last.CopyFrom(numpy_helper.from_array(values, last.name))

        return rewritten(self.base(), self.directory / "nan", head=poison)

    def hungry(self) -> Path:
        """A head that gives the right answers and needs 600 MB of memory."""

        def swell(model: onnx.ModelProto) -> None:
            node, last = last_bias(model)
            fill = numpy_helper.from_array(
                np.array([self.random.uniform(1e-30, 2e-30)], np.float32), "fill"
            )
            shape = numpy_helper.from_array(np.array([HUNGRY_BYTES // 4], np.int64), "hungry_shape")
            model.graph.initializer.append(shape)
            front = [
                helper.make_node("ConstantOfShape", ["hungry_shape"], ["hungry"], value=fill),
                helper.make_node("ReduceMax", ["hungry"], ["hungry_most"], keepdims=1),
                helper.make_node("Add", [last.name, "hungry_most"], ["hungry_bias"]),
            ]
            node.input[list(node.input).index(last.name)] = "hungry_bias"
            nodes = list(model.graph.node)
            del model.graph.node[:]
            model.graph.node.extend([*front, *nodes])

        return rewritten(self.base(), self.directory / "hungry", head=swell)

    def mixed(self) -> Path:
        """The head of one model with the manifest of another."""
        bundle = self.fresh("mixed")
        shutil.copy(self.fresh("mixed-from") / "manifest.json", bundle / "manifest.json")
        return bundle

    def with_dump(self, source: Path, name: str, change: Callable[[list[Json]], None]) -> Path:
        """A copy whose dump does not match its manifest."""
        out = self.directory / name
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(source, out)
        (dump,) = out.glob(f"dump/{DATABASE}/*.bson")
        documents = bson.decode_all(dump.read_bytes())
        change(documents)
        dump.write_bytes(b"".join(bson.encode(one) for one in documents))
        return out

    def big(self) -> Path:
        """A bundle with 200,000 words of 20 random numbers, 27 MB to interrupt."""
        out = self.directory / "big"
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(self.base(), out, ignore=shutil.ignore_patterns("dump"))
        dump = write_dump(out / "dump", "big", self._random_rows())

        def manifest(one: Json) -> Json:
            embedding = {
                **one["embedding"],
                "collection": dump.collection,
                "count": dump.count,
                "dimension": BIG_DIMENSION,
                "checksum": dump.checksum,
                "special_rows": {"0": base64.b64encode(bytes(4 * BIG_DIMENSION)).decode()},
            }
            return {**one, "embedding": embedding}

        return rewritten(out, out, manifest=manifest)

    def _random_rows(self) -> Iterator[tuple[str, int, bytes]]:
        numbers = np.random.default_rng(self.random.getrandbits(32))
        for index in range(1, BIG_WORDS + 1):
            vector = numbers.normal(size=BIG_DIMENSION).astype("<f4")
            yield f"word{index:06d}", index, vector.tobytes()


def read(bundle: Path) -> Json:
    """The manifest of a bundle as an object."""
    return json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))


def rewritten(
    source: Path,
    out: Path,
    head: Callable[[onnx.ModelProto], None] | None = None,
    manifest: Callable[[Json], Json] = lambda one: one,
) -> Path:
    """A bundle with a changed head or manifest, and with hashes and version that match it."""
    if out != source:
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(source, out)
    content = manifest(read(source))
    if head is not None:
        model = onnx.load(source / HEAD_FILE)
        head(model)
        data = model.SerializeToString()
        (out / HEAD_FILE).write_bytes(data)
        content["files"] = {
            HEAD_FILE: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        }
    content["model_version"] = content_version(content)
    (out / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    Manifest.load(out / "manifest.json")
    return out


def last_bias(model: onnx.ModelProto) -> tuple[onnx.NodeProto, TensorProto]:
    """The last node that adds an initializer of one number per label, and that initializer."""
    labels = model.graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    biases = {one.name: one for one in model.graph.initializer if list(one.dims) == [labels]}
    for node in reversed(model.graph.node):
        for name in node.input:
            if name in biases:
                return node, biases[name]
    raise AssertionError("the head has no bias of its labels")


def add_to_bias(h5: h5py.File, number: float) -> None:
    """Change the last bias of the Keras model, and with it every score."""
    names: list[str] = []
    h5["model_weights"].visit(names.append)
    biases = [h5["model_weights"][name] for name in names if name.split("/")[-1].startswith("bias")]
    (last,) = [one for one in biases if one.shape == (6,)]
    last[...] = last[...] + number


def change_word(h5: h5py.File, number: float) -> None:
    """Change one number of every word's vector a little, and with it every score."""
    names: list[str] = []
    h5["model_weights"].visit(names.append)
    (matrix,) = [
        h5["model_weights"][name]
        for name in names
        if name.split("/")[-1].startswith("embeddings")
        and isinstance(h5["model_weights"][name], h5py.Dataset)
    ]
    rows = matrix[...]
    rows[1:, 0] += number
    matrix[...] = rows


def flip(path: Path, after: bytes = b"") -> None:
    """Flip one bit of a file: in its middle, or in the byte behind some bytes of it."""
    data = bytearray(path.read_bytes())
    data[data.index(after) + len(after) if after else len(data) // 2] ^= 1
    path.write_bytes(data)
