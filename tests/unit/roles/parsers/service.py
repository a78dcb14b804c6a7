"""Files that the service reads; where the reader is our own code, it is the parser."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from parsers.error import ParseError
from tox_com_det.settings import Settings, SettingsError
from toxctl.backup_config import load as load_backup
from toxctl.config import load
from toxctl.errors import ToxctlError
from toxctl.tls_config import load as load_tls


def environment(text: str) -> Settings:
    """Return the settings that the service reads from its EnvironmentFile."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r"([A-Z_]+)=([^\s'\"\\]*)", line)
        if not match or match[1] in found:
            raise ParseError(f"line {number}: {line!r} is not a variable, or a duplicate")
        found[match[1]] = match[2]
    try:
        return Settings.from_environment({**found, "TOX_COM_DET_MODEL": "/srv/model"})
    except SettingsError as error:
        raise ParseError(str(error)) from None


GUNICORN_SETTINGS: dict[str, type | tuple[type, ...]] = {
    "accesslog": type(None),
    "backlog": int,
    "bind": list,
    "control_socket_disable": bool,
    "errorlog": str,
    "graceful_timeout": int,
    "limit_request_field_size": int,
    "limit_request_fields": int,
    "limit_request_line": int,
    "logconfig_dict": dict,
    "preload_app": bool,
    "threads": int,
    "timeout": int,
    "umask": int,
    "worker_class": str,
    "worker_tmp_dir": str,
    "workers": int,
    "wsgi_app": str,
}


def gunicorn(text: str) -> dict[str, object]:
    """Return the settings of slot blue. gunicorn ignores unknown names; this parser does not."""
    found: dict[str, object] = {}
    with mock.patch.dict(os.environ, {"TOX_COM_DET_SLOT": "blue"}):
        try:
            exec(compile(text, "gunicorn.conf.py", "exec"), found)  # noqa: S102 (our own text)
        except (KeyError, NameError, SyntaxError, TypeError) as error:
            raise ParseError(f"gunicorn.conf.py: {error!r}") from None
    settings = {name: value for name, value in found.items() if not name.startswith("_")}
    settings.pop("logging", None)
    del settings["os"]
    for name, value in settings.items():
        if name not in GUNICORN_SETTINGS:
            raise ParseError(f"{name} is unknown")
        if not isinstance(value, GUNICORN_SETTINGS[name]):
            raise ParseError(f"{name} cannot be {value!r}")
    return settings


def server_json(text: str) -> dict:
    """Return the JSON if the program that reads it accepts it."""
    with tempfile.NamedTemporaryFile("w", suffix="-server.json") as file:
        file.write(text)
        file.flush()
        try:
            load(file.name)
        except ToxctlError as error:
            raise ParseError(str(error)) from None
    return json.loads(text)


def tls_json(text: str) -> dict:
    """Return the JSON if the program that reads it accepts it."""
    return _accepted(text, load_tls)


def backup_json(text: str) -> dict:
    """Return the JSON if the program that reads it accepts it."""
    return _accepted(text, load_backup)


def _accepted(text: str, load: Callable[[str], object]) -> dict:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(text)
        file.flush()
        try:
            load(file.name)
        except ToxctlError as error:
            raise ParseError(str(error)) from None
    return json.loads(text)


def shell(text: str) -> str:
    """Return the text if shellcheck has nothing to report."""
    done = subprocess.run(  # noqa: S603 (fixed words, no shell)
        [Path(sys.executable).with_name("shellcheck"), "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ParseError(f"shellcheck: {done.stdout}{done.stderr}")
    return text
