"""How much of a replica set takes part in writes and reads; a single server is its own majority."""

from __future__ import annotations

from typing import Any

from pymongo import ReadPreference, WriteConcern

# A member that is lost takes nothing along that a majority has. Without a majority a write fails.
_WAIT_MS = 60_000
MAJORITY = WriteConcern(w="majority", wtimeout=_WAIT_MS)
JOURNALED = WriteConcern(w="majority", j=True, wtimeout=_WAIT_MS)
# Word vectors do not change, so any member may answer.
NEAREST: Any = ReadPreference.NEAREST
PRIMARY: Any = ReadPreference.PRIMARY
# Backups leave the primary to the service.
SECONDARY_PREFERRED: Any = ReadPreference.SECONDARY_PREFERRED
