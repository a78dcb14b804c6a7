"""A lock on the state directory, so that one checkout is served only once."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from controller.local_serve import ServeError
from controller.local_serve.plan import Places


@contextmanager
def state_lock(places: Places) -> Iterator[Callable[[str], None]]:
    """Hold the lock of the state directory; the kernel releases it if this process dies.

    Yields:
        A function that takes the address of the service, for the error of a second process.

    Raises:
        ServeError: another process holds the lock.
    """
    places.state.mkdir(parents=True, exist_ok=True)
    with places.lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            where = file.read().strip() or "it is still starting"
            raise ServeError(
                f"this checkout is served already ({where}): stop that one with Ctrl-C first"
            ) from None
        file.truncate(0)

        def announce(url: str) -> None:
            file.write(f"{url}, process {os.getpid()}\n")
            file.flush()

        yield announce
