"""Fill the article's collection, `python -m bench.serving.servers.article_words URI WORD_INDEX`.

As the article's script, but for many documents at once, which takes less than a minute instead of
most of a day; what is stored is the same, and has no index on `word`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.collection import Collection

DATABASE, COLLECTION = "word_embeddings", "article_posts"
_BLOCK = 2000
# Numbers of a vector. Their values are not used: the model has its own rows.
_DIMENSION = 100


def documents(words: dict[str, int]) -> Iterator[dict[str, Any]]:
    """A document for each word."""
    vector = [f"{number / 1000:.6f}" for number in range(_DIMENSION)]
    for word, index in words.items():
        yield {"word": word, "index": index, "vector": vector}


def main() -> None:
    """Fill the collection, if it is not full already."""
    words = json.loads(Path(sys.argv[2]).read_text())
    client: MongoClient[dict[str, Any]]
    with MongoClient(sys.argv[1]) as client:
        posts: Collection[dict[str, Any]] = client[DATABASE][COLLECTION]
        posts.drop()
        waiting = documents(words)
        while block := list(islice(waiting, _BLOCK)):
            posts.insert_many(block, ordered=False)


if __name__ == "__main__":
    main()
