"""The models that this service serves in the comparison, each with a database of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bench.serving import BenchError, ours
from bench.serving import large as larger
from bench.serving.load import LOOPBACK
from bench.serving.texts import Texts
from controller.deploy.model_builder import model_files
from controller.local_serve.plan import Places
from controller.local_serve.processes import Group
from controller.model_build.build import build
from tox_com_det.model.manifest import Manifest
from tox_com_det.model.usable_words import Lookup
from tox_com_det.store.database import EmbeddingDatabase
from tox_com_det.store.vectors import Vectors

_TIMEOUT_MS = 10_000


@dataclass(frozen=True)
class ServedModel:
    """A model whose vectors are in a running database.

    Attributes:
        places: of its bundle and of everything that is written.
        h5: the model.
        word_index: its words.
        texts: made of its words.
        database_port: on loopback.
        database: its process.
    """

    places: Places
    h5: Path
    word_index: Path
    texts: Texts
    database_port: int
    database: int

    @property
    def uri(self) -> str:
        """The address of the database."""
        return f"mongodb://{LOOPBACK}:{self.database_port}"

    def lookup(self) -> Lookup:
        """Rows of words, from the database."""
        manifest = Manifest.load(self.places.bundle / "manifest.json")
        source = EmbeddingDatabase(self.uri, _TIMEOUT_MS, manifest.embedding)
        return Vectors(source, manifest.tokenizer, 0).lookup


def sample(group: Group, checkout: Path, state: Path) -> ServedModel:
    """The sample model. Raises BuildError, ServeError."""
    return _served(group, Places(checkout, state / "ours"), *_sample_files())


def large(group: Group, checkout: Path, state: Path) -> ServedModel:
    """The sample model with 400,000 x 300 numbers, see `large`. Raises BuildError, ServeError."""
    places = Places(checkout, state / "large")
    return _served(group, places, *larger.make(*_sample_files(), places.state / "model"))


def _sample_files() -> tuple[Path, Path]:
    h5, word_index = model_files(None, None)
    if word_index is None:
        raise BenchError(f"{h5} has no word index beside it")
    return h5, word_index


def _served(group: Group, places: Places, h5: Path, word_index: Path) -> ServedModel:
    places.state.mkdir(parents=True, exist_ok=True)
    build(h5, word_index, places.bundle, say=lambda line: None)
    port, process = ours.database(group, places)
    words = [word for word in json.loads(word_index.read_text()) if " " not in word]
    return ServedModel(places, h5, word_index, Texts(words), port, process)
