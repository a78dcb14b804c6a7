"""Several processes that live and die together: nobody is left behind, whatever happens."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn, Self

from controller.local_serve import ServeError

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TERM_SECONDS = 10
POLL_SECONDS = 0.1
SHOWN_LINES = 10
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class Ended(BaseException):
    """A signal asks for the end; not an Exception, so that nothing on its way takes it for one."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass
class Running:
    """One process with a process group of its own."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]


def raise_ended(number: int, frame: FrameType | None) -> NoReturn:
    """Signal handler: unwind, so that everything is taken down on the way."""
    raise Ended(number)


class Group:
    """Starts processes, watches them, ends them in reverse order when the block is left.

    Each is in a session of its own: Ctrl-C reaches this process alone, which ends them in order.
    Should this process be killed outright, the kernel ends them (Linux).
    """

    def __init__(self) -> None:
        self._running: list[Running] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The end itself takes a bounded time and is not to be interrupted half-way.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING_SIGNALS}
        try:
            while self._running:
                _end(self._running.pop())
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def start(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> Running:
        """Start one process; what it says goes to its log.

        Raises:
            ServeError: it cannot be started.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        parent = os.getpid()
        # No signal between the start and the note of it: that process would be left behind.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)

        def prepare() -> None:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            if _LIBC is not None:
                _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
                if os.getppid() != parent:
                    os._exit(1)

        try:
            with log.open("wb") as output:
                process = subprocess.Popen(  # noqa: S603 (commands are built in controller.local_serve.plan)
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=dict(environment),
                    start_new_session=True,
                    preexec_fn=prepare,
                )
            running = Running(name, log, process)
            self._running.append(running)
        except OSError as error:
            raise ServeError(f"{name} cannot be started: {command[0]}: {error.strerror}") from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        return running

    def finish(self, running: Running) -> None:
        """Wait for a process that has an end, while the others go on.

        Raises:
            ServeError: it failed, or another one ended meanwhile.
        """
        others = [other for other in self._running if other is not running]
        while running.process.poll() is None:
            _all_alive(others)
            time.sleep(POLL_SECONDS)
        self._running.remove(running)
        if running.process.returncode:
            raise ServeError(_obituary(running))

    def check(self) -> None:
        """Raise ServeError if one of them has ended."""
        _all_alive(self._running)

    def watch(self) -> NoReturn:
        """Wait until one of them ends, which is an error, or a signal comes.

        Raises:
            ServeError: one ended by itself.
        """
        while True:
            self.check()
            time.sleep(POLL_SECONDS)


def _all_alive(processes: list[Running]) -> None:
    for running in processes:
        if running.process.poll() is not None:
            raise ServeError(_obituary(running))


def _obituary(running: Running) -> str:
    code = running.process.returncode
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    try:
        lines = running.log.read_text(errors="replace").strip().splitlines()[-SHOWN_LINES:]
    except OSError:
        lines = []
    shown = "".join(f"\n  {line}" for line in lines)
    return f"{running.name} ended by itself ({how}): see {running.log}{shown}"


def _end(running: Running) -> None:
    process = running.process
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(TERM_SECONDS)
    # Its group outlives it where it was killed: a worker without its master, a child without one.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
