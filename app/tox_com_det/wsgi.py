"""Entry point of uWSGI and gunicorn: `tox_com_det.wsgi:application`. A failure ends the server."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Iterable
from contextvars import copy_context
from typing import TYPE_CHECKING

from flask import Flask

from tox_com_det.http.routes import create_app
from tox_com_det.model.bundle import BundleError
from tox_com_det.model.head import HeadError
from tox_com_det.model.manifest import ManifestError
from tox_com_det.settings import Settings, SettingsError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Python's own 5 ms are too long: a short request takes the interpreter's lock about ten times, and
# waited for so long each time beside a long request.
_SWITCH_SECONDS = 0.001


class InContext:
    """An application, each of whose requests has a context of its own.

    What a request sets would otherwise stay with its thread until the thread's next one: small
    objects of each of hundreds of threads, which keep the memory around them from being given back.
    A worker grew by 1 MB a minute.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, as WSGI says."""
        return copy_context().run(self._app, environ, start_response)


def _load() -> Flask:
    sys.setswitchinterval(_SWITCH_SECONDS)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        app = create_app(Settings.from_environment(os.environ))
        app.wsgi_app = InContext(app.wsgi_app)  # type: ignore[method-assign]  # Flask's way
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
