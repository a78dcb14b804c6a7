"""Whether PyMongo takes the database's URI as it is: what it would only warn of is refused.

PyMongo ignores an option that it does not know, or a value that it cannot read, with a warning:
with `tsl=true` in place of `tls=true` it would connect without TLS.
"""

from __future__ import annotations

import warnings
from collections.abc import Set

from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

__all__ = ["UriError", "check_uri"]

_PLAIN, _SRV = "mongodb://", "mongodb+srv://"
_FILES = frozenset({"tlscafile", "tlscertificatekeyfile", "tlscrlfile"})
_ONLY_SRV = frozenset({"srvmaxhosts", "srvservicename"})


class UriError(ValueError):
    """PyMongo refuses the URI, or would ignore a part of it. The text shows nothing of the URI."""


def check_uri(uri: str, files: bool = True) -> None:
    """Check a URI without a connection, and without asking the DNS.

    Args:
        uri: begins with mongodb:// or mongodb+srv://.
        files: whether the files that it names are on this machine; otherwise they are not read.

    Raises:
        UriError: a part of it is wrong, or an option is there twice.
    """
    is_srv = uri.startswith(_SRV)
    # The other form would be looked up in the DNS.
    address = _PLAIN + uri.removeprefix(_SRV) if is_srv else uri
    left_out = (_ONLY_SRV if is_srv else frozenset()) | (frozenset() if files else _FILES)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Duplicate URI option", UserWarning)
            hosts = parse_uri(_without(address, left_out), default_port=None)["nodelist"]
    except OSError as error:
        raise UriError("a file that it names cannot be read") from error
    except (PyMongoError, OverflowError, TypeError, UserWarning, ValueError) as error:
        raise UriError(type(error).__name__) from error
    if is_srv and (len(hosts) != 1 or hosts[0][1] is not None):
        raise UriError("mongodb+srv:// has one host, and no port")


def _without(uri: str, names: Set[str]) -> str:
    """The URI without the options of these names, in lower case."""
    address, _, options = uri.partition("?")
    between = ";" if ";" in options and "&" not in options else "&"
    kept = [
        one
        for one in options.split(between)
        if "=" not in one or one.partition("=")[0].lower() not in names
    ]
    return f"{address}?{between.join(kept)}" if any(kept) else address
