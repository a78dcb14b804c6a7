"""Errors of lookups and restores."""


class DatabaseUnavailable(Exception):
    """MongoDB does not answer, or refuses to; it may come back."""


class EmbeddingNotReady(Exception):
    """MongoDB answers, but the collection is not the one the manifest was built with."""


class RestoreError(Exception):
    """The embedding could not be restored. One line."""


class DiskFull(RestoreError):
    """A disk has no room, or would have none left for the database. One line."""
