"""Progress of an upload: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

__all__ = ["Step", "megabytes", "upload_progress"]

Step = Callable[[int], None]
LINE_SECONDS = 5.0


def megabytes(size: float) -> str:
    """Return a number of bytes for people."""
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


@contextmanager
def upload_progress(name: str, total: int, start: int, out: TextIO = sys.stdout) -> Iterator[Step]:
    """Yield a function that takes the number of bytes now on the server.

    `start`: bytes that were there before (a resumed upload): not counted into the rate.
    """
    if out.isatty():
        with bar(name, total, start) as step:
            yield step
        return
    begin = last = time.monotonic()

    def line(sent: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_SECONDS:
            last = now
            rate = (sent - start) / max(now - begin, 1e-3)
            left = (total - sent) / max(rate, 1)
            print(
                f"  {name}: {100 * sent // max(total, 1)} % of {megabytes(total)}, "
                f"{megabytes(rate)}/s, {left:.0f} s left",
                file=out,
                flush=True,
            )

    yield line


@contextmanager
def bar(name: str, total: int, start: int) -> Iterator[Step]:
    """Yield a function that moves a bar with rate and time left."""
    from rich import progress  # only where there is a terminal: saves its import elsewhere

    columns = (
        progress.TextColumn("  {task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, transient=True) as display:
        task = display.add_task(name, total=total, completed=start)
        yield lambda sent: display.update(task, completed=sent)
