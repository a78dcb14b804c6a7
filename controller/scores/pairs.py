"""The file of collected scores: a CSV that survives a killed process and a full disk."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from controller.deploy.errors import DeployError
from controller.scores.csv_rows import Unreadable, header, parse

__all__ = ["HEADER", "Pairs"]

HEADER = ("text", "attribute", "score", "problem")
Row = tuple[str, str, str, str]
_FIRST_LINE = f"{','.join(HEADER)}\r\n".encode()


class Pairs:
    """Scores by text and attribute, appended text by text.

    A text that was refused has a row with a problem and no score, so that it is not asked again.
    """

    def __init__(
        self, path: Path, *, dry_run: bool = False, other: str = "choose another --out"
    ) -> None:
        """Open the file, or create it.

        A last row that a killed process left half written is moved into a file beside it, `.cut`
        at the end of its name: it may be one whose quotation mark somebody has removed.

        Args:
            path: of the file.
            dry_run: it is only read.
            other: what to do with another file, for errors.

        Raises:
            DeployError: another file, one with a row that cannot be read, or not writable. It is
                as it was.
        """
        self.path, self._other = path, other
        self._known: dict[str, set[str]] = {}
        try:
            content = path.read_bytes() if path.exists() else b""
            self._size = good = self._read(content)
            if dry_run:
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            if not good:
                path.write_bytes(b"")
                self._append([HEADER])
            elif good < len(content):
                self._cut(content[good:])
        except OSError as error:
            raise DeployError(f"{path}: {error.strerror}: {other}") from None

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
        _write_behind(self.path, data)
        self._size += len(data)

    def _cut(self, tail: bytes) -> None:
        """Move the half written row away, and say where it is."""
        beside = self.path.with_name(f"{self.path.name}.cut")
        _write_behind(beside, tail)
        os.truncate(self.path, self._size)
        print(
            f"{self.path}: its last row was half written: its {len(tail)} bytes are now in "
            f"{beside.name}, its text is asked for again"
        )

    def _read(self, content: bytes) -> int:
        """Read the rows; return how many bytes of the content are whole rows."""
        first, end_of_first, _ = content.partition(b"\n")
        ours = bool(end_of_first) and header(first.decode("utf-8", "replace")) == list(HEADER)
        if not ours and not _FIRST_LINE.startswith(content):
            raise DeployError(
                f"{self.path}: not a file of collected scores (its header is not "
                f"{','.join(HEADER)}): {self._other}"
            )
        # Without its line end, a row is half written.
        whole = content[: content.rfind(b"\n") + 1]
        try:
            text = whole.decode("utf-8", "surrogatepass")
            rows, end = parse(text, newline="\n", score=HEADER.index("score"))
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise self._damaged(
                line, f"cannot be read (not UTF-8: byte {content[error.start]:#04x})"
            ) from None
        except Unreadable as error:
            raise self._damaged(error.line, error.why) from None
        for _, row in rows[1:]:
            self._known.setdefault(row[0], set()).add(row[1])
        return len(text[:end].encode("utf-8", "surrogatepass"))

    def _damaged(self, line: int, why: str) -> DeployError:
        return DeployError(
            f"{self.path}: line {line} {why}: correct it, or {self._other}; nothing was changed"
        )


def _write_behind(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
