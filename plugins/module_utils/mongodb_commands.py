"""Commands to single members of a replica set of MongoDB, for module mongodb_replica_set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

LOOPBACK = "127.0.0.1"
UNAUTHORIZED = 13
AUTHENTICATION_FAILED = 18
ALREADY_INITIALIZED = 23
COMMAND_NOT_FOUND = 59
# Another run was faster, or the primary has changed: read again, then try again.
TRANSIENT = frozenset({91, 103, 109, 189, 308, 10058, 10107, 11600, 11602, 13435, 13436})

Document = dict[str, Any]
# Sends a command to an address, with or without the administrator's login.
Send = Callable[[str, Document, bool], Document]


class Refused(Exception):
    """What the module fails with."""


class Unanswered(Exception):
    """A member does not answer."""


class CommandFailed(Exception):
    """A member refuses a command."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code


def sender(given: Document) -> Send:
    """Return what sends commands with PyMongo, over a connection to one member at a time.

    Args:
        given: `user`, `password`, `tls` and `tls_ca` of the task.

    Raises:
        ImportError: this Python has no PyMongo.
    """
    import pymongo

    clients: dict[tuple[str, bool], Any] = {}

    def client(address: str, login: bool) -> Any:
        host, _, port = address.rpartition(":")
        options: Document = {
            "directConnection": True,
            "serverSelectionTimeoutMS": 5_000,
            "connectTimeoutMS": 5_000,
            "socketTimeoutMS": 90_000,
            "retryReads": False,
            "retryWrites": False,
        }
        if given["tls"]:
            options["tls"] = True
            if host == LOOPBACK:
                options["tlsAllowInvalidCertificates"] = True
            if given["tls_ca"]:
                options["tlsCAFile"] = given["tls_ca"]
        if login and given["user"]:
            options |= {"username": given["user"], "password": given["password"]}
        return pymongo.MongoClient(host.strip("[]"), int(port), **options)

    def send(address: str, command: Document, login: bool) -> Document:
        if (address, login) not in clients:
            clients[address, login] = client(address, login)
        try:
            answer: Document = clients[address, login].admin.command(command)
        except pymongo.errors.OperationFailure as error:
            words = (error.details or {}).get("errmsg") or str(error)
            raise CommandFailed(error.code or 0, str(words)[:300]) from error
        except pymongo.errors.PyMongoError as error:
            raise Unanswered(str(error).split(", Timeout", maxsplit=1)[0][:300]) from error
        return answer

    return send
