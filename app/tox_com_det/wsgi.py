"""Entry point of uWSGI and gunicorn: `tox_com_det.wsgi:application`. A failure ends the server."""

from __future__ import annotations

import gc
import logging
import os
import sys

from flask import Flask

from tox_com_det.http.routes import create_app
from tox_com_det.model.bundle import BundleError
from tox_com_det.model.head import HeadError
from tox_com_det.model.manifest import ManifestError
from tox_com_det.settings import Settings, SettingsError

# Python's own 5 ms are too long: a short request takes the interpreter's lock about ten times, and
# waited for so long each time beside a long request.
_SWITCH_SECONDS = 0.001


def _load() -> Flask:
    sys.setswitchinterval(_SWITCH_SECONDS)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        app = create_app(Settings.from_environment(os.environ))
        # What has been loaded stays: no request shall wait while all of it is looked through.
        gc.collect()
        gc.freeze()
        return app
    except (BundleError, HeadError, ManifestError, SettingsError) as error:
        logging.getLogger("tox_com_det").critical("cannot start: %s", error)
        # A known cause is one line; a stack trace would hide it.
        sys.tracebacklimit = 0
        raise ImportError(f"cannot start: {error}") from None


application = _load()
