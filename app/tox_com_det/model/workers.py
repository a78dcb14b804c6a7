"""A few threads that run the head, and what surrounds it, for all others.

ONNX Runtime leaves 0.2 MB with every thread that ran a head: pages of its stack, and buffers of its
own. The server has hundreds of threads, most of which only wait; together that was 70 MB. And what
a thread used last is in the processor's caches, if that was not long ago.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Workers:
    """Runs calls of other threads, in their order. Thread-safe."""

    def __init__(self, count: int) -> None:
        """`count` threads, which start with the first call: after a server's fork."""
        self._count = count
        self._jobs: SimpleQueue[_Job[Any]] = SimpleQueue()
        self._lock = threading.Lock()
        self._started = False
        self._clock = _Clock()

    def run(self, action: Callable[[], T]) -> T:
        """What `action` returns, or raises, on one of the threads and in the caller's context."""
        if self._clock.of_worker:
            return action()
        if not self._started:
            self._start()
        job = _Job(action, self._clock)
        self._jobs.put(job)
        return job.result()

    def thread_time(self) -> float:
        """Seconds of the processor that the caller has used, its calls among them.

        Within a call it goes on from where it was before the call.
        """
        return self._clock.now()

    def _start(self) -> None:
        with self._lock:
            if self._started:
                return
            for number in range(self._count):
                threading.Thread(target=self._work, name=f"worker-{number}", daemon=True).start()
            self._started = True

    def _work(self) -> None:
        self._clock.of_worker = True
        while True:
            self._jobs.get().run()


class _Clock(threading.local):
    """`time.thread_time` of each thread, with what others used for it."""

    of_worker = False
    offset = 0.0

    def now(self) -> float:
        return time.thread_time() + self.offset

    def set(self, seconds: float) -> None:
        self.offset = seconds - time.thread_time()


class _Job(Generic[T]):
    """One call; the lock is released when it has ended."""

    def __init__(self, action: Callable[[], T], clock: _Clock) -> None:
        self._action = action
        self._clock = clock
        self._context = contextvars.copy_context()
        self._time = clock.now()
        self._error: BaseException | None = None
        self._result: T
        self._done = threading.Lock()
        self._done.acquire()

    def run(self) -> None:
        """Called by a worker."""
        self._clock.set(self._time)
        try:
            self._result = self._context.run(self._action)
        except BaseException as error:
            self._error = error
        self._time = self._clock.now()
        self._done.release()

    def result(self) -> T:
        """Called by the thread that made it."""
        self._done.acquire()
        # What the caller itself used while it waited is next to nothing.
        self._clock.set(self._time)
        if self._error is not None:
            try:
                raise self._error
            finally:
                # Otherwise the error and this frame would hold each other.
                del self._error
        return self._result
