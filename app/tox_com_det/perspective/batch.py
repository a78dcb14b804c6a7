"""`POST /batch`: many requests in one `multipart/mixed` body, and their responses."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from http import HTTPStatus

from tox_com_det.perspective.errors import GoogleError

MOST_PARTS = 1000
MOST_ID_BYTES = 1_000_000
# So much nginx takes off this process at once, however slowly the client reads (`uwsgi_buffers`).
MOST_RESPONSE_BYTES = 4_000_000
# What `write_batch` writes around a body at most, beside the Content-ID.
HEAD_BYTES = 256
_REQUEST_LINE = re.compile(rb"([A-Z]+) +(\S+)(?: +HTTP/1\.[01])?[ \t]*\r?\n")


@dataclass(frozen=True)
class Part:
    """One request of a batch. `problem`: why it cannot be read, or None."""

    content_id: str
    method: str = ""
    target: str = ""
    headers: Message | None = None
    body: bytes = b""
    problem: GoogleError | None = None

    def header(self, name: str) -> str:
        """A header's value, or ""."""
        return str(self.headers.get(name, "")) if self.headers is not None else ""


@dataclass(frozen=True)
class PartResponse:
    """The response to one request of a batch."""

    content_id: str
    status: int
    body: bytes


def read_batch(
    content_type: str, body: bytes, rest: Callable[[], None] = lambda: None
) -> list[Part]:
    """Split a batch into its requests.

    Args:
        content_type: the header, with the boundary.
        body: the raw bytes; lines end with LF or CRLF.
        rest: called between two of the requests.

    Raises:
        GoogleError: 400, not multipart/mixed, without parts, with too many, or with Content-IDs
            that would fill the response.
    """
    head = b"Content-Type: " + content_type.encode("latin-1", "replace").replace(b"\n", b" ")
    outer = _read_headers(head + b"\n\n")
    boundary = outer.get_boundary()
    parts = _split(body, boundary) if boundary else []
    if outer.get_content_type() != "multipart/mixed" or not parts:
        raise GoogleError(400, "Failed to parse batch request: send multipart/mixed with its parts")
    if len(parts) > MOST_PARTS:
        raise GoogleError(
            400, f"The batch request has {len(parts)} parts, the limit is {MOST_PARTS}"
        )
    found = []
    for part in parts:
        rest()
        found.append(_read_part(_read_headers(part)))
    size = sum(len(part.content_id) for part in found)
    if size > MOST_ID_BYTES:
        raise GoogleError(
            400, f"The batch's Content-IDs have {size} bytes, the limit is {MOST_ID_BYTES}"
        )
    return found


def _split(body: bytes, boundary: str) -> list[bytes]:
    """The parts between the lines of a boundary (RFC 2046), without what is before and behind them.

    Not by `email`, which follows a multipart inside a part: its parts would be split at boundaries
    of their own, as deep as a client likes. A last part without an end is one.
    """
    line = re.compile(
        rb"^--" + re.escape(boundary.encode("ascii", "replace")) + rb"(--)?[ \t]*(?:\r?\n|\Z)",
        re.MULTILINE,
    )
    parts: list[bytes] = []
    begin = None
    for found in line.finditer(body):
        # Lines of the boundary one behind the other are one.
        if begin is not None and begin < found.start():
            # The line end in front belongs to the boundary.
            part = body[begin : found.start()].removesuffix(b"\n")
            parts.append(part.removesuffix(b"\r"))
        if found[1]:
            return parts
        begin = found.end()
    return parts if begin in (None, len(body)) else [*parts, body[begin:]]


def _read_headers(part: bytes) -> Message:
    """Headers, and as payload what is behind them, whatever its type is."""
    return BytesParser(policy=compat32).parsebytes(part, headersonly=True)


def _read_part(part: Message) -> Part:
    content_id = _content_id(part)
    if part.get_content_type() != "application/http":
        problem = GoogleError(400, "Failed to parse batch request: a part is not application/http")
        return Part(content_id, problem=problem)
    payload = part.get_payload(decode=True)
    content = payload.lstrip(b"\r\n") if isinstance(payload, bytes) else b""
    line = _REQUEST_LINE.match(content)
    if line is None:
        problem = GoogleError(400, "Failed to parse batch request: a part has no request line")
        return Part(content_id, problem=problem)
    rest = content[line.end() :]
    end = re.search(rb"\r?\n\r?\n|\A\r?\n", rest)
    head, body = (rest[: end.start()], rest[end.end() :]) if end else (rest, b"")
    # Of a long Content-ID and of folded headers the parser takes care.
    headers = _read_headers(head + b"\n\n")
    return Part(content_id, line[1].decode(), line[2].decode("latin-1"), headers, body)


def _content_id(part: Message) -> str:
    """Content-ID in one line, whose bytes beyond ASCII `surrogateescape` turns back."""
    values = (str(value) for name, value in part.raw_items() if name.lower() == "content-id")
    return " ".join(next(values, "").split())


def write_batch(responses: Iterable[PartResponse]) -> tuple[str, bytes]:
    """The content type and the body of the response to a batch."""
    boundary = f"batch_{uuid.uuid4().hex}"
    lines: list[bytes] = []
    for response in responses:
        reason = HTTPStatus(response.status).phrase
        head = (
            f"--{boundary}\r\nContent-Type: application/http\r\n"
            f"Content-ID: {_response_id(response.content_id)}\r\n\r\n"
            f"HTTP/1.1 {response.status} {reason}\r\n"
            "Content-Type: application/json; charset=UTF-8\r\n"
            f"Content-Length: {len(response.body)}\r\n\r\n"
        )
        lines += [head.encode("utf-8", "surrogateescape"), response.body, b"\r\n"]
    lines.append(f"--{boundary}--\r\n".encode())
    return f"multipart/mixed; boundary={boundary}", b"".join(lines)


def _response_id(content_id: str) -> str:
    if content_id.startswith("<"):
        return f"<response-{content_id[1:]}"
    return f"response-{content_id}"
