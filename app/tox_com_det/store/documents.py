"""The form of a word's document, and of the marker that says a collection was restored."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tox_com_det.model.manifest import Embedding

MARKER_COLLECTION = "restored"


@dataclass(frozen=True, slots=True)
class Row:
    """One word: its index, and its vector in little-endian bytes."""

    word: str
    index: int
    vector: bytes


def parse_row(document: Mapping[str, Any], embedding: Embedding) -> Row:
    """The row of a document `{_id: word, index: int32, vector: binary}`.

    Where the head holds the matrix, there is no `vector`, and the row is the index.

    Raises:
        ValueError: the document is not in that form, or the vector has another length.
    """
    indices_only = embedding.dtype == "index"
    expected = ["_id", "index"] if indices_only else ["_id", "index", "vector"]
    if document.keys() != set(expected):
        raise ValueError(
            f"a document has the fields {sorted(document)}, expected {', '.join(expected)}"
        )
    word, index, vector = document["_id"], document["index"], document.get("vector")
    if not isinstance(word, str) or not word:
        raise ValueError(f"a document has the _id {word!r}, expected a word")
    if not isinstance(index, int) or isinstance(index, bool) or index < 1:
        raise ValueError(f"word {word!r} has the index {index!r}, expected an integer >= 1")
    if indices_only:
        return Row(word, index, struct.pack("<i", index))
    # Binary of subtype 0 arrives as plain bytes; other subtypes are a class of their own.
    if type(vector) is not bytes or len(vector) != embedding.vector_bytes:
        size = f"{len(vector)} bytes" if isinstance(vector, bytes) else type(vector).__name__
        raise ValueError(
            f"the vector of word {word!r} is {size}, expected {embedding.vector_bytes} bytes"
            f" ({embedding.dimension} x {embedding.dtype})"
        )
    return Row(word, index, vector)


def marker_of(embedding: Embedding, witness: str) -> dict[str, Any]:
    """The marker of a finished restore, without its time.

    `witness` is a word of the collection. Looking it up by its key shows whether the documents
    still exist.
    """
    return {
        "witness": witness,
        "_id": embedding.collection,
        "count": embedding.count,
        "checksum": embedding.checksum,
        "dimension": embedding.dimension,
        "dtype": embedding.dtype,
    }


def marker_problem(marker: Mapping[str, Any] | None, embedding: Embedding) -> str | None:
    """Why a marker does not prove that the embedding was restored; None where it does."""
    name = f"{embedding.database}.{embedding.collection}"
    command = "run `fab restore-embeddings`"
    if marker is None:
        return f"{name} is not restored (no marker): {command}"
    witness = marker.get("witness")
    if not isinstance(witness, str):
        return f"the marker of {name} has no witness word: {command}"
    for key, expected in marker_of(embedding, witness).items():
        if marker.get(key) != expected:
            return f"{name} has {key} {marker.get(key)!r}, the manifest {expected!r}: {command}"
    return None
