"""Progress bars, byte sizes and tables on the laptop: the only module that uses rich.

Each function writes plain text where the output is not a terminal (a pipe, a log, CI), and imports
rich only where it is one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TextIO

__all__ = [
    "Step",
    "megabytes",
    "print_scores",
    "print_table",
    "step_progress",
    "table",
    "transfer_progress",
]

Step = Callable[[int], None]
SECONDS_BETWEEN_LINES = 5.0
HIGH_SCORE = 0.5


def megabytes(size: float) -> str:
    """Return a number of bytes as readable text: kB below 0.1 MB, MB from there on."""
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


@contextmanager
def transfer_progress(
    name: str, total: int, start: int = 0, out: TextIO | None = None
) -> Iterator[Step]:
    """Show the progress of a transfer: a bar on a terminal, a line every five seconds elsewhere.

    Args:
        name: what is transferred.
        total: its size in bytes.
        start: bytes that an earlier transfer left at the target; not counted into the rate.
        out: where to write; standard output by default.

    Yields:
        A function that takes the number of bytes that are now at the target.
    """
    out = sys.stdout if out is None else out
    if out.isatty():
        with _transfer_bar(name, total, start, out) as step:
            yield step
        return
    begin = last = monotonic()

    def line(sent: int) -> None:
        nonlocal last
        now = monotonic()
        if now - last < SECONDS_BETWEEN_LINES:
            return
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
def step_progress(title: str, total: int, say: Callable[[str], None]) -> Iterator[Step]:
    """Show the progress of a computation: a bar on a terminal, a line every five seconds elsewhere.

    Args:
        title: what is done.
        total: number of steps.
        say: takes each line where standard output is not a terminal.

    Yields:
        A function that takes the number of steps done so far.
    """
    if sys.stdout.isatty():
        with _step_bar(title, total) as step:
            yield step
        return
    last = monotonic()

    def line(done: int) -> None:
        nonlocal last
        now = monotonic()
        if now - last >= SECONDS_BETWEEN_LINES:
            last = now
            say(f"{title}: {done} of {total}")

    yield line


def table(rows: Sequence[Sequence[str]], header: Sequence[str] | None = None) -> str:
    """Return the rows as aligned columns, each line indented by two blanks; "" for no rows.

    Args:
        rows: cells, the same number in each row.
        header: cells of a first line.
    """
    lines = [header, *rows] if header is not None else list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join("  " + "  ".join(map(str.ljust, cells, widths)).rstrip() for cells in lines)


def print_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], out: TextIO | None = None
) -> None:
    """Print rows of text and numbers; on a terminal as a table with rules.

    Args:
        header: names of the columns.
        rows: cells, as many as names; rows with an equal first cell are a section.
    """
    out = sys.stdout if out is None else out
    if not out.isatty():
        print(table(rows, header), file=out)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table()
    for number, name in enumerate(header):
        grid.add_column(name, justify="right" if number else "left")
    for row, after in zip(rows, [*rows[1:], None], strict=True):
        grid.add_row(*map(Text, row), end_section=after is None or after[0] != row[0])
    Console(file=out).print(grid)


def print_scores(
    rows: Sequence[tuple[str, Mapping[str, float]]], out: TextIO | None = None
) -> None:
    """Print texts with their scores (label -> score, the same labels in each row).

    On a terminal it is a table with rules in which scores from 0.5 on are highlighted.
    """
    out = sys.stdout if out is None else out
    labels = list(rows[0][1]) if rows else []
    if out.isatty():
        _print_score_table(rows, labels, out)
        return
    print("".join(f"{label:>14}" for label in labels) + "  comment", file=out)
    for text, scores in rows:
        print("".join(f"{scores[label]:>14.3f}" for label in labels) + f"  {text}", file=out)


@contextmanager
def _transfer_bar(name: str, total: int, start: int, out: TextIO) -> Iterator[Step]:
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("  {task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(file=out), transient=True) as display:
        task = display.add_task(name, total=total, completed=start)
        yield lambda sent: display.update(task, completed=sent)


@contextmanager
def _step_bar(title: str, total: int) -> Iterator[Step]:
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, transient=True) as display:
        task = display.add_task(title, total=total)
        yield lambda done: display.update(task, completed=done)


def _print_score_table(
    rows: Sequence[tuple[str, Mapping[str, float]]], labels: Sequence[str], out: TextIO
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(show_lines=False)
    grid.add_column("comment", overflow="fold", min_width=24)
    for label in labels:
        grid.add_column(label, justify="right", overflow="fold")
    for text, scores in rows:
        cells = [
            Text(f"{scores[label]:.3f}", style="bold red" if scores[label] >= HIGH_SCORE else "")
            for label in labels
        ]
        grid.add_row(Text(text), *cells)
    Console(file=out).print(grid)
