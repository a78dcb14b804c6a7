"""A group of processes that run and stop together, so that none is left behind."""

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

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TERM_SECONDS = 10
POLL_SECONDS = 0.1
SHOWN_LINES = 10
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class Stopped(BaseException):
    """A signal to stop arrived; not an Exception, so that no handler of errors catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass
class Running:
    """One process with a process group of its own."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    def last_line(self) -> str:
        """The last line of its log."""
        return (self.log.read_text(errors="replace").strip().splitlines() or [""])[-1]


def raise_stopped(number: int, frame: FrameType | None) -> NoReturn:
    """Signal handler: unwind the stack, which stops every process on the way."""
    raise Stopped(number)


class Group:
    """Starts processes, watches them, and stops them in reverse order when the block is left.

    Each has a session of its own, so Ctrl-C reaches only this process, which stops them in order.
    If this process is killed, the kernel stops them (Linux).
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
        # Stopping takes a limited time and must not be interrupted.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in STOP_SIGNALS}
        try:
            while self._running:
                _stop(self._running.pop())
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def start(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str],
        inherited: Sequence[int] = (),
    ) -> Running:
        """Start one process, with its output in a log.

        Args:
            name: its name in errors.
            command: the argument list.
            log: the log file.
            environment: its environment.
            inherited: file descriptors that it gets, with the same numbers.

        Raises:
            ServeError: it cannot be started.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        parent = os.getpid()
        # A signal between the start and the entry in the list would leave the process behind.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)

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
                    pass_fds=inherited,
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
        """Wait for a process that finishes by itself, while the others keep running.

        Raises:
            ServeError: it failed, or another one exited meanwhile.
        """
        others = [other for other in self._running if other is not running]
        while running.process.poll() is None:
            _check_running(others)
            time.sleep(POLL_SECONDS)
        self._running.remove(running)
        if running.process.returncode:
            raise ServeError(_exit_message(running))

    def check(self) -> None:
        """Raise ServeError if one of them has exited."""
        _check_running(self._running)

    def watch(self) -> NoReturn:
        """Wait until one of them exits, which is an error, or a signal arrives.

        Raises:
            ServeError: one exited.
            Stopped: a signal arrived, if `raise_stopped` handles it.
        """
        while True:
            self.check()
            time.sleep(POLL_SECONDS)


def _check_running(processes: list[Running]) -> None:
    for running in processes:
        if running.process.poll() is not None:
            raise ServeError(_exit_message(running))


def _exit_message(running: Running) -> str:
    code = running.process.returncode
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    try:
        lines = running.log.read_text(errors="replace").strip().splitlines()[-SHOWN_LINES:]
    except OSError:
        lines = []
    shown = "".join(f"\n  {line}" for line in lines)
    return f"{running.name} exited unexpectedly ({how}): see {running.log}{shown}"


def _stop(running: Running) -> None:
    process = running.process
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(TERM_SECONDS)
    # The rest of its group outlives it if it was killed, such as workers without their master.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
