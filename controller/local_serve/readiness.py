"""Wait until a process of the service answers."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from controller.local_serve import ServeError
from controller.local_serve.processes import Group
from controller.ports import LOOPBACK

# For a process that hangs; one that exits is noticed at once, however slow the machine is.
START_SECONDS = 300


def wait_for(group: Group, name: str, problem: Callable[[], str | None]) -> None:
    """Wait until `problem` returns None.

    Raises:
        ServeError: it still returns a problem after `START_SECONDS`, or a process exited.
    """
    deadline = time.monotonic() + START_SECONDS
    while (reason := problem()) is not None:
        group.check()
        if time.monotonic() > deadline:
            raise ServeError(f"{name} is not ready after {START_SECONDS} s: {reason}")
        time.sleep(0.1)


def database_problem(port: int) -> str | None:
    """Why the database on this port does not answer; None if it does."""
    try:
        client: MongoClient[dict[str, Any]]
        with MongoClient(LOOPBACK, port, serverSelectionTimeoutMS=200) as client:
            client.admin.command("ping")
    except PyMongoError as error:
        return str(error).partition(",")[0]
    return None


def app_problem(url: str) -> str | None:
    """Why the app at this address is not ready; None if it is."""
    # Proxy settings of the environment are not for this process's own loopback address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/readyz", timeout=5):
            return None
    except urllib.error.HTTPError as error:
        with error:
            try:
                return str(json.load(error)["error"]["message"])
            except (ValueError, KeyError, TypeError):
                return f"/readyz returned {error.code}"
    except OSError as error:
        return str(error)
