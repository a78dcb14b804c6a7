"""nginx's configuration, parsed by crossplane, which knows every directive's place and arguments.

Added here is what nginx itself rejects when it loads a configuration: duplicate directives, and
references to names that are not defined.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import crossplane
from crossplane.analyzer import DIRECTIVES

from parsers.error import ParseError

# Directives and blocks that may occur more than once in a block, with different arguments.
REPEATED = {
    "access_log",
    "add_header",
    "allow",
    "error_log",
    "error_page",
    "include",
    "limit_conn",
    "limit_conn_zone",
    "limit_req",
    "limit_req_zone",
    "listen",
    "location",
    "log_format",
    "map",
    "proxy_set_header",
    "rewrite",
    "server",
    "server_name",
    "set_real_ip_from",
    "upstream",
    "uwsgi_param",
}
VARIABLES = {
    "arg_access_token",
    "arg_key",
    "arg_oauth_token",
    "args",
    "binary_remote_addr",
    "body_bytes_sent",
    "content_length",
    "content_type",
    "document_uri",
    "host",
    "http_accept",
    "http_authorization",
    "http_host",
    "http_origin",
    "http_transfer_encoding",
    "http_x_api_key",
    "http_x_forwarded_proto",
    "http_x_goog_api_key",
    "https",
    "realip_remote_addr",
    "remote_addr",
    "remote_port",
    "request",
    "request_id",
    "request_method",
    "request_time",
    "request_uri",
    "scheme",
    "server_name",
    "server_port",
    "server_protocol",
    "status",
    "time_iso8601",
    "upstream_response_time",
    "limit_req_status",
    "upstream_status",
    "uri",
    "1",
}
# Blocks of values and results, not of directives; the last argument of a map is a new variable.
MAPS = ("geo", "map", "split_clients")
VALUES = (*MAPS, "types")


@dataclass(frozen=True)
class Statement:
    """A directive; `block` is None where it ends in a semicolon."""

    name: str
    arguments: tuple[str, ...]
    block: tuple[Statement, ...] | None
    line: int

    def all(self, name: str) -> Iterator[Statement]:
        """Yield every directive of that name below this one."""
        for below in self.block or ():
            if below.name == name:
                yield below
            yield from below.all(name)


def nginx(text: str) -> Statement:
    """Return the whole file as one block named `main`."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "nginx.conf")
        path.write_text(text, encoding="utf-8")
        parsed = crossplane.parse(str(path), single=True)
    if parsed["errors"]:
        first = parsed["errors"][0]
        raise ParseError(f"line {first['line']}: {first['error'].partition(' in /')[0]}")
    main = Statement("main", (), _statements(parsed["config"][0]["parsed"]), 0)
    _check_directives(main)
    _check_repetitions(main)
    _check_variables(main, VARIABLES | _defined_variables(main))
    _check_references(main)
    return main


def _statements(parsed: list[dict[str, Any]]) -> tuple[Statement, ...]:
    return tuple(
        Statement(
            one["directive"],
            tuple(one["args"]),
            _statements(one["block"]) if "block" in one else None,
            one["line"],
        )
        for one in parsed
    )


def _check_directives(parent: Statement) -> None:
    """As crossplane's own strict mode, which takes the values of a block for directives."""
    for one in parent.block or ():
        if one.name not in DIRECTIVES:
            raise ParseError(f'line {one.line}: unknown directive "{one.name}"')
        if one.name not in VALUES:
            _check_directives(one)


def _check_repetitions(parent: Statement) -> None:
    seen = set()
    for one in parent.block or ():
        key = (one.name, one.arguments if one.name in REPEATED else ())
        several = one.name == "server" and one.block is not None
        if key in seen and not several:
            raise ParseError(f"line {one.line}: {one.name} is duplicate")
        seen.add(key)
        _check_repetitions(one)


def _defined_variables(main: Statement) -> set[str]:
    """Return the variables of the maps, and the named groups of their expressions."""
    maps = [one for name in MAPS for one in main.all(name)]
    values = [value.name for one in maps for value in one.block or ()]
    return {one.arguments[-1].removeprefix("$") for one in maps} | {
        name for value in values for name in re.findall(r"\?<(\w+)>", value)
    }


def _check_variables(parent: Statement, known: set[str]) -> None:
    for one in parent.block or ():
        for name in re.findall(r"\$\{?(\w+)", " ".join(one.arguments)):
            if name not in known:
                raise ParseError(f"line {one.line}: {one.name} uses ${name}, which is unknown")
        _check_variables(one, known)


def _check_references(main: Statement) -> None:
    """Check that each zone, upstream, log format and named location that is used is defined."""
    upstreams = {one.arguments[0] for one in main.all("upstream")}
    zones = {
        word.split(":")[0].removeprefix("zone=")
        for name in ("limit_req_zone", "limit_conn_zone")
        for one in main.all(name)
        for word in one.arguments
        if word.startswith("zone=")
    }
    formats = {one.arguments[0] for one in main.all("log_format")}
    locations = {one.arguments[-1] for one in main.all("location")}
    uses: list[tuple[str, set[str], Callable[[tuple[str, ...]], list[str]]]] = [
        ("uwsgi_pass", upstreams, lambda a: [w for w in a if not w.startswith("unix:/")]),
        ("proxy_pass", upstreams, lambda a: _proxied(a[0])),
        ("limit_req", zones, lambda a: [w[5:] for w in a if w.startswith("zone=")]),
        ("limit_conn", zones, lambda a: list(a[:1])),
        ("access_log", formats, lambda a: list(a[1:2])),
        ("error_page", locations, lambda a: [w for w in a if w.startswith("@")]),
    ]
    for name, defined, used in uses:
        for one in main.all(name):
            for word in used(one.arguments):
                if word not in defined:
                    raise ParseError(f"line {one.line}: {name} names {word}, which is not defined")


def _proxied(address: str) -> list[str]:
    """Return the upstream that the address names, if any. Only plain HTTP is supported."""
    if not address.startswith("http://"):
        raise ParseError(f"proxy_pass {address} does not begin with http://")
    name = address.removeprefix("http://")
    return [] if name.startswith("unix:/") else [name]
