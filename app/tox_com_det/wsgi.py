"""What uWSGI or gunicorn loads: `tox_com_det.wsgi:application`. A failure ends the server."""

from __future__ import annotations

import logging
import os
import sys

from flask import Flask

from tox_com_det.bundle import BundleError
from tox_com_det.head import HeadError
from tox_com_det.manifest import ManifestError
from tox_com_det.settings import Settings, SettingsError
from tox_com_det.web import create_app


def _load() -> Flask:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        return create_app(Settings.from_environment(os.environ))
    except (BundleError, HeadError, ManifestError, SettingsError) as error:
        logging.getLogger("tox_com_det").critical("cannot start: %s", error)
        # A known cause has its line; a stack trace would bury it.
        sys.tracebacklimit = 0
        raise ImportError(f"cannot start: {error}") from None


application = _load()
