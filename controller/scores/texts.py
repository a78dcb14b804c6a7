"""The comments of a file: one per line, or a column of a CSV or TSV file."""

from __future__ import annotations

from pathlib import Path

from controller.deploy.errors import DeployError
from controller.scores.csv_rows import Unreadable, header, parse

__all__ = ["all_texts", "read_texts"]

# Names of the column in data sets that people have.
COLUMNS = ("text", "comment_text", "comment", "body", "content")
DELIMITERS = {".csv": ",", ".tsv": "\t"}


def read_texts(path: Path, column: str | None = None) -> list[str]:
    """Return the comments of `all_texts`, each once."""
    return list(dict.fromkeys(all_texts(path, column)))


def all_texts(
    path: Path,
    column: str | None = None,
    option: str = "--texts",
    name_column: str = "name it with --column",
) -> list[str]:
    """Return the comments in their order, as often as they occur, without blank ones.

    Args:
        path: a text file with one comment per line, or a .csv or .tsv file with a header.
        column: of a .csv or .tsv file; by default one that is named text, comment_text or alike.
        option, name_column: the option of the file, and what to do where no column has a known
            name, for errors.

    Raises:
        DeployError: not readable, not UTF-8, no such column, no comment, or a row with another
            number of cells than the header.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DeployError(
            f"{path}: {error.strerror}: name a file of comments with {option}"
        ) from None
    except UnicodeDecodeError as error:
        raise DeployError(f"{path}: not UTF-8 (byte {error.start}): convert it first") from None
    delimiter = DELIMITERS.get(path.suffix.lower())
    if delimiter is None:
        texts = content.splitlines()
    else:
        texts = _column(path, content, delimiter, column, name_column)
    found = [text for text in texts if text.strip()]
    if not found:
        raise DeployError(f"{path}: contains no comment: one per line, or a CSV with a header")
    return found


def _column(
    path: Path, content: str, delimiter: str, column: str | None, name_column: str
) -> list[str]:
    names = header(content, delimiter)
    chosen = column or next((name for name in COLUMNS if name in names), None)
    if chosen not in names:
        raise DeployError(
            f"{path}: no column {chosen or 'text'} among {', '.join(names) or 'none'}: "
            f"{name_column}"
        )
    place = names.index(chosen)
    try:
        rows, _ = parse(content, delimiter)
    except Unreadable as error:
        raise DeployError(f"{path}: {error}") from None
    return [cells[place] for _, cells in rows[1:]]
