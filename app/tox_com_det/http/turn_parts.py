"""What `Turns` keeps of one request: while it waits, and while it runs."""

from __future__ import annotations

import threading
import time
from contextvars import ContextVar


class Share:
    """What one running request has used of the processor. Used by one thread at a time.

    Attributes:
        client: whose request it is.
        began: seconds of the processor that its thread had used before.
        used: seconds of the processor until its last step.
        stepped: when its last step began.
        rests: whether it rests now.
        rest: seconds that it may still rest.
    """

    def __init__(self, client: str, began: float, rest: float) -> None:
        self.client = client
        self.began = began
        self.used = 0.0
        self.stepped = time.monotonic()
        self.rests = False
        self.rest = rest


# The share of the running request, also on the thread that works for it (`Workers`).
SHARE: ContextVar[Share | None] = ContextVar("share", default=None)


class Waiter:
    """One request that waits until it is decided: it may run, or it is refused."""

    def __init__(self) -> None:
        self.decided = False
        self.refused = False
        # Held until then; an Event would be made of three objects for every request.
        self._undecided = threading.Lock()
        self._undecided.acquire()

    def decide(self) -> None:
        """Called once."""
        self.decided = True
        self._undecided.release()

    def wait(self, seconds: float) -> bool:
        """Wait until it is decided; whether it is."""
        return self._undecided.acquire(timeout=seconds)
