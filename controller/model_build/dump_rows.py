"""Rows of a bundle's dump, in place of the database."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from tox_com_det.model.manifest import Embedding
from tox_com_det.store.documents import Row
from tox_com_det.store.dump import find_dump, read_documents, read_row

__all__ = ["DumpRows"]


class DumpRows:
    """The rows of a dump, or of some of its words, held in memory."""

    def __init__(
        self, bundle: Path, embedding: Embedding, words: Collection[str] | None = None
    ) -> None:
        """Read the rows of `words`; None: of all.

        Raises:
            DumpError: there is no dump of this embedding, or it is damaged.
            OSError: it cannot be read.
        """
        dump = find_dump(bundle / "dump", embedding)
        self.bytes = dump.bytes
        with dump.bson.open("rb") as stream:
            found = (read_row(one, embedding) for one in read_documents(stream, dump.bson.name))
            self._rows = {row.word: row for row in found if words is None or row.word in words}

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, words: Collection[str]) -> list[Row]:
        """Rows of those of `words` that exist, as `EmbeddingDatabase.find` returns them."""
        return [self._rows[word] for word in words if word in self._rows]
