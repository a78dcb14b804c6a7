"""The file of collected scores: a CSV that survives a killed process and a full disk."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from controller.deploy.errors import DeployError

__all__ = ["HEADER", "Pairs"]

HEADER = ("text", "attribute", "score", "problem")
Row = tuple[str, str, str, str]


class Pairs:
    """Scores by text and attribute, appended text by text.

    A text that was refused has a row with a problem and no score, so that it is not asked again.
    """

    def __init__(self, path: Path, *, dry_run: bool = False) -> None:
        """Open the file, or create it; rows that a killed process left half written are removed.

        With `dry_run` it is only read.

        Raises:
            DeployError: another file, or not writable.
        """
        self.path = path
        self._known: dict[str, set[str]] = {}
        try:
            content = path.read_bytes() if path.exists() else b""
            self._size = good = self._read(content)
            if dry_run:
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            if good < len(content):
                os.truncate(path, good)
            if not good:
                self._append([HEADER])
        except OSError as error:
            raise DeployError(f"{path}: {error.strerror}: choose another --out") from None

    def missing(self, text: str, attributes: Iterable[str]) -> list[str]:
        """Return the attributes that are not collected yet for a text."""
        known = self._known.get(text, set())
        return [name for name in attributes if name not in known]

    def add_scores(self, text: str, scores: Mapping[str, float]) -> None:
        """Append a text's scores. Raises DeployError: the disk is full."""
        self.add([(text, name, repr(value), "") for name, value in scores.items()])

    def add_problem(self, text: str, attributes: Iterable[str], problem: str) -> None:
        """Append why a text has no scores. Raises DeployError: the disk is full."""
        self.add([(text, name, "", problem) for name in attributes])

    def add(self, rows: list[Row]) -> None:
        """Append rows, all or none. Raises DeployError: the disk is full."""
        try:
            self._append(rows)
        except OSError as error:
            # What was written of these rows is removed: the file stays one that can be continued.
            os.truncate(self.path, self._size)
            raise DeployError(
                f"{self.path}: {error.strerror}: make room, then rerun the command; "
                "what was collected is kept"
            ) from None
        for text, name, _, _ in rows:
            self._known.setdefault(text, set()).add(name)

    def _append(self, rows: Iterable[Iterable[str]]) -> None:
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        data = text.getvalue().encode("utf-8", "surrogatepass")
        with self.path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._size += len(data)

    def _read(self, content: bytes) -> int:
        """Read the rows; return how many bytes of the content are whole rows."""
        good = 0
        for number, (row, end) in enumerate(_rows(content)):
            if number == 0 and row != list(HEADER):
                raise DeployError(
                    f"{self.path}: not a file of collected scores (its header is not "
                    f"{','.join(HEADER)}): choose another --out"
                )
            if len(row) == len(HEADER):
                if number:
                    self._known.setdefault(row[0], set()).add(row[1])
                good = end
        return good


def _rows(content: bytes) -> Iterator[tuple[list[str], int]]:
    """Whole rows, each with the position of its end in the content."""
    position = 0
    ends: list[int] = []

    def lines() -> Iterator[str]:
        nonlocal position
        while (end := content.find(b"\n", position) + 1) > 0:
            line = content[position:end]
            position = end
            ends.append(end)
            yield line.decode("utf-8", "surrogatepass")

    reader = csv.reader(lines(), strict=True)
    try:
        for row in reader:
            yield row, ends[reader.line_num - 1]
    except (csv.Error, UnicodeDecodeError):
        return  # the last row is half written
