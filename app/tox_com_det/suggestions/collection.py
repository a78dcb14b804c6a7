"""The collection of suggestions: its name, its size, and the index that ends documents by age."""

from __future__ import annotations

from typing import Any

from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

# A database of its own: rights to write are given for a whole database, and those on the word
# vectors need not change.
DATABASE = "perspective"
COLLECTION = "suggestions"

_INDEX = "at_1"
_NO_END = 2**31 - 1
_SECONDS_PER_DAY = 86_400
_NAMESPACE_NOT_FOUND = 26

Client = MongoClient[dict[str, Any]]


def collection_of(client: Client) -> Collection[dict[str, Any]]:
    """The collection of suggestions."""
    return client[DATABASE][COLLECTION]


def prepare(client: Client, days: int) -> None:
    """Let documents end `days` after their time; 0: never.

    The index is made while the collection is empty, also where documents do not end: later it
    takes long, and from version 5.1 of MongoDB on only would another one become one that ends
    documents. Changing its number is quick.
    """
    collection = collection_of(client)
    seconds = days * _SECONDS_PER_DAY or _NO_END
    index = next((one for one in collection.list_indexes() if one["name"] == _INDEX), None)
    if index is None:
        collection.create_index("at", name=_INDEX, expireAfterSeconds=seconds)
    elif index.get("expireAfterSeconds") != seconds:
        change = {"name": _INDEX, "expireAfterSeconds": seconds}
        client[DATABASE].command("collMod", COLLECTION, index=change)


def stored_bytes(client: Client) -> int:
    """Bytes of all documents, uncompressed; MongoDB keeps this number, so it is quick."""
    try:
        return int(client[DATABASE].command("collStats", COLLECTION)["size"])
    except OperationFailure as error:
        if error.code == _NAMESPACE_NOT_FOUND:
            return 0
        raise
