"""A stand-in of Linode's API v4 for tests: the part that `fab create-server` and its kin use.

Its form (paths, fields, envelope of lists, X-Filter, errors, status codes) follows Linode's
published OpenAPI specification, version 4.189.0 of linode/linode-api-docs (openapi.yaml, Apache
2.0), which later ones in linode/linode-api-openapi continue; nothing of it is copied. What is sold,
and for how much, is made up (linode_catalog.py).
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, Response, jsonify, request
from linode_account import Account
from linode_filters import DEFAULT, Invalid, page_of
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server

# What the stand-in accepts, by default.
TOKEN = "c0ffee" * 10
PUBLIC = ("/v4/regions", "/v4/linode/types")


class StandIn:
    """The API over HTTP.

    Attributes:
        account: what is behind it.
        token: the only one that is accepted.
        log: (method, path) of each request that was answered.
        answers: what the next requests get in place of an answer: (method, beginning of the path,
            status, headers); each is used once.
        drops: (method, beginning of the path) of requests that are done, but whose connection
            breaks before the answer; each is used once.
        scopes: beginnings of paths that the token may not use.
    """

    def __init__(self, account: Account, token: str = TOKEN) -> None:
        self.account, self.token = account, token
        self.log: list[tuple[str, str]] = []
        self.answers: list[tuple[str, str, int, dict[str, str]]] = []
        self.drops: list[tuple[str, str]] = []
        self.scopes: list[str] = []
        self.url = ""
        self.app = Flask("linode_standin")
        self.app.before_request(self.refuse)
        self.app.after_request(self.note)
        self.app.register_error_handler(
            Invalid, lambda error: errors(400, error.reason, error.field)
        )
        self.app.register_error_handler(
            HTTPException, lambda error: errors(error.code or 500, error.name)
        )
        for rule, view, *methods in self.routes():
            self.app.add_url_rule(f"/v4{rule}", view.__name__, view, methods=methods or ["GET"])

    def routes(self) -> list[tuple[Any, ...]]:
        """Return the paths with their views."""
        return [
            ("/images", self.images),
            ("/regions", self.regions),
            ("/linode/types", self.types),
            ("/linode/types/<type_id>", self.type),
            ("/linode/instances", self.servers, "GET", "POST"),
            ("/linode/instances/<int:server_id>", self.server, "GET", "DELETE"),
            ("/linode/instances/<int:server_id>/boot", self.boot, "POST"),
            ("/account/events", self.events),
            ("/networking/firewalls", self.firewalls, "GET", "POST"),
            ("/networking/firewalls/<int:wall_id>", self.firewall, "GET", "DELETE"),
            ("/networking/firewalls/<int:wall_id>/devices", self.devices, "GET", "POST"),
            ("/domains", self.domains),
            ("/domains/<int:domain_id>", self.domain),
            ("/domains/<int:domain_id>/records", self.records, "GET", "POST"),
            ("/domains/<int:domain_id>/records/<int:record_id>", self.record, "GET", "DELETE"),
        ]

    def refuse(self) -> Response | None:
        """Answer with an error that a test asked for, or that the token deserves."""
        for answer in self.answers:
            method, path, status, headers = answer
            if request.method == method and request.path.startswith(path):
                self.answers.remove(answer)
                refused = errors(status, "Too many requests" if status == 429 else "Not now")
                refused.headers.update(headers)
                return refused
        if request.path in PUBLIC:
            return None
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return errors(401, "Invalid Token")
        if any(request.path.startswith(one) for one in self.scopes):
            return errors(403, "Your OAuth token is not authorized to use this endpoint.")
        return None

    def note(self, response: Response) -> Response:
        """Keep what was asked for, and break the connection if a test wants that."""
        if response.status_code < 400:
            self.log.append((request.method, request.path))
        for drop in self.drops:
            if request.method == drop[0] and request.path.startswith(drop[1]):
                self.drops.remove(drop)
                request.environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
                break
        return response

    def images(self) -> Any:
        return listed(self.account.images)

    def regions(self) -> Any:
        return listed(self.account.regions)

    def types(self) -> Any:
        return listed(self.account.types)

    def type(self, type_id: str) -> Any:
        return found(self.account.types, type_id) or errors(404, "Not found")

    def servers(self) -> Any:
        if request.method == "POST":
            return self.account.add_server(body())
        return listed(self.account.servers)

    def server(self, server_id: int) -> Any:
        one = found(self.account.servers, server_id)
        if one is None:
            return errors(404, "Not found")
        if request.method == "DELETE":
            self.account.remove_server(one)
            return {}
        return self.account.look(one)

    def boot(self, server_id: int) -> Any:
        one = found(self.account.servers, server_id)
        return errors(404, "Not found") if one is None else self.account.boot(one)

    def events(self) -> Any:
        return listed(self.account.events)

    def firewalls(self) -> Any:
        if request.method == "POST":
            return self.account.add_firewall(body())
        return listed(self.account.firewalls)

    def firewall(self, wall_id: int) -> Any:
        one = found(self.account.firewalls, wall_id)
        if one is None:
            return errors(404, "Not found")
        if request.method == "DELETE":
            self.account.firewalls.remove(one)
            return {}
        return one

    def devices(self, wall_id: int) -> Any:
        if wall_id not in self.account.devices:
            return errors(404, "Not found")
        if request.method == "POST":
            return self.account.add_device(wall_id, body())
        return listed(self.account.devices[wall_id])

    def domains(self) -> Any:
        return listed(self.account.domains)

    def domain(self, domain_id: int) -> Any:
        return found(self.account.domains, domain_id) or errors(404, "Not found")

    def records(self, domain_id: int) -> Any:
        if domain_id not in self.account.records:
            return errors(404, "Not found")
        if request.method == "POST":
            return self.account.add_record(domain_id, body())
        return listed(self.account.records[domain_id])

    def record(self, domain_id: int, record_id: int) -> Any:
        records = self.account.records.get(domain_id, [])
        one = found(records, record_id)
        if one is None:
            return errors(404, "Not found")
        if request.method == "DELETE":
            records.remove(one)
            return {}
        return one


def body() -> dict[str, Any]:
    """Return the request's JSON object."""
    sent = request.get_json(silent=True)
    if not isinstance(sent, dict):
        raise Invalid("Invalid JSON")
    return sent


def listed(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the page that the request asks for."""
    page, size = request.args.get("page", "1"), request.args.get("page_size", str(DEFAULT))
    return page_of(items, request.headers.get("X-Filter"), page, size)


def found(items: list[dict[str, Any]], identifier: int | str) -> dict[str, Any] | None:
    """Return the item with this identifier."""
    return next((one for one in items if one["id"] == identifier), None)


def errors(status: int, reason: str, field: str | None = None) -> Response:
    """Return an error in the form of the API."""
    one = {"reason": reason} if field is None else {"reason": reason, "field": field}
    answer = jsonify({"errors": [one]})
    answer.status_code = status
    return answer


@contextmanager
def serving(standin: StandIn, port: int = 0) -> Iterator[StandIn]:
    """Serve it on 127.0.0.1; `url` is then the value of LINODE_API_URL."""
    server = make_server("127.0.0.1", port, standin.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    standin.url = f"http://127.0.0.1:{server.server_port}/v4"
    try:
        yield standin
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
