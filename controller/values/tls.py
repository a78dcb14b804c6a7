"""What is wrong with the options of role tls together, before anything is changed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from toxctl import certificate_files
from toxctl.errors import ToxctlError

__all__ = ["tls_problems"]


def tls_problems(options: Mapping[str, Any]) -> Iterator[str]:
    """Yield one line for each problem.

    Args:
        options: the options of role tls, templated.
    """
    mode = options.get("tls_mode")
    if mode == "acme":
        yield from _acme(options)
    elif mode == "files":
        yield from _files(options)


def _acme(options: Mapping[str, Any]) -> Iterator[str]:
    if not options.get("tls_names"):
        yield ("tls_mode is acme, but tls_names is empty: add the server's host name or IP address")
    if options.get("tls_accept_terms") is not True:
        yield (
            "tls_mode is acme, but tls_accept_terms is not true: read the terms of the authority "
            "(https://letsencrypt.org/repository/) and set it"
        )
    authorities = str(options.get("tls_acme_ca_file") or "")
    if authorities and not _here(authorities).is_file():
        yield f"tls_acme_ca_file: {authorities} is missing on this computer: correct the path"


def _here(path: str) -> Path:
    """A path on this computer; the home of a user that does not exist is left as it is."""
    return Path(os.path.expanduser(path))


def _files(options: Mapping[str, Any]) -> Iterator[str]:
    paths = {}
    for name in ("tls_certificate_file", "tls_key_file"):
        text = str(options.get(name) or "")
        paths[name] = _here(text)
        if not text:
            yield f"tls_mode is files, but {name} is empty: set it to the path of a PEM file"
        elif not paths[name].is_file():
            yield f"{name}: {text} is missing on this computer: correct the path"
    if not all(path.is_file() for path in paths.values()):
        return
    certificate, key = paths.values()
    try:
        found = certificate_files.check_pair(str(certificate), str(key))
    except (ToxctlError, OSError) as error:
        yield f"tls_certificate_file and tls_key_file: {error}: use files that belong together"
        return
    for name in found.missing(map(str, options.get("tls_names") or [])):
        yield (
            f"tls_certificate_file: {certificate} is not valid for {name} of tls_names: use "
            "another certificate, or correct tls_names"
        )
