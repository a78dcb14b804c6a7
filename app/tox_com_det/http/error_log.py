"""What is logged of an unexpected exception: where it was raised, and no word of a request."""

from __future__ import annotations

import traceback
from collections.abc import Iterator


def describe(error: BaseException) -> str:
    """Types and stack frames of an exception and of its causes, the first cause first.

    Only messages of this package are included: those of libraries often quote what they were
    given, which may be the words of a comment.
    """
    return "\n".join(line for one in _chain(error) for line in _lines(one))


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.insert(0, one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return found


def _lines(error: BaseException) -> Iterator[str]:
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    yield f"{kind}: {error}" if kind.startswith("tox_com_det.") else kind
    for frame in traceback.extract_tb(error.__traceback__):
        yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}: {frame.line}'
