"""Linode's API through Linode's own library: its address, the token, and waiting where it says so.

The form of the API is that of Linode's OpenAPI specification (linode/linode-api-docs, 4.189.0).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from linode_api4 import LinodeClient
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse
from urllib3.util import Retry

from controller.deploy.errors import DeployError

__all__ = ["TOKEN", "VAULT_TOKEN", "api_address", "open_client", "token_of"]

ADDRESS = "https://api.linode.com/v4"
ADDRESS_VARIABLE = "LINODE_API_URL"
TOKEN = "LINODE_TOKEN"  # noqa: S105 (the name of a variable)
VAULT_TOKEN = "vault_linode_token"  # noqa: S105 (the name of a variable)
LOOPBACK = ("127.0.0.1", "::1", "localhost")
TOO_MANY = 429
UNAVAILABLE = {502, 503, 504}
CONNECT_SECONDS, SILENT_SECONDS = 15, 60
TRIES = 10  # of a request that is refused because of too many, or while the API is unavailable


class Adapter(HTTPAdapter):
    """Ends a request that is not answered; the library sets no time limit."""

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        limit = timeout or (CONNECT_SECONDS, SILENT_SECONDS)
        return super().send(request, stream, limit, verify, cert, proxies)


def waiting_retry(say: Callable[[str], None], sleep: Callable[[float], None]) -> Retry:
    """Return the rule of when a request is sent again: urllib3's, which says what it waits for.

    After 429 any request is: it was refused. After 502 and its kin only one that changes nothing.
    """

    class SayingRetry(Retry):
        def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
            if status_code == TOO_MANY:
                return True
            return method == "GET" and status_code in UNAVAILABLE

        def sleep(self, response: BaseHTTPResponse | None = None) -> None:
            if response is None:
                sleep(1)
                return
            seconds = self.get_retry_after(response) or 5
            why = (
                "Linode takes no more requests for now"
                if response.status == TOO_MANY
                else f"Linode's API is unavailable ({response.status})"
            )
            say(f"{why}: waiting {seconds:.0f} s, then going on")
            sleep(seconds)

    return SayingRetry(
        total=2 * TRIES,
        connect=2,
        # A connection that was closed meanwhile, or an answer that was lost.
        read=2,
        allowed_methods={"GET"},
        redirect=0,
        other=0,
        status=TRIES,
        raise_on_status=False,
    )


def api_address(environment: Mapping[str, str]) -> str:
    """Return the address of the API without a slash at its end.

    Raises DeployError: it is not https, and not this machine; the token would go over the network.
    """
    address = environment.get(ADDRESS_VARIABLE) or ADDRESS
    try:
        parts = urlsplit(address)
        good = parts.hostname and (
            parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
        )
    except ValueError:
        good = False
    if not good:
        raise DeployError(
            f"{ADDRESS_VARIABLE} is {address!r}: it takes an address that begins with https://, "
            f"such as {ADDRESS}"
        )
    return address.rstrip("/")


def token_of(environment: Mapping[str, str], variables: Mapping[str, Any]) -> str:
    """Return the token, of the environment or else of the inventory's vault.

    Raises DeployError: neither has one, or it has characters that no token has. It is not shown.
    """
    token = environment.get(TOKEN, "").strip()
    where = TOKEN
    if not token:
        found = variables.get(VAULT_TOKEN, "")
        # As `ansible-inventory` writes a value that is not to be templated.
        found = found.get("__ansible_unsafe", "") if isinstance(found, Mapping) else found
        token, where = str(found).strip(), VAULT_TOKEN
    if not token:
        raise DeployError(
            "there is no token for Linode's API: create one at https://cloud.linode.com/profile/"
            f"tokens (Linodes, Firewalls, Domains: read/write; Events, Images: read) and `export "
            f"{TOKEN}=...`, or write {VAULT_TOKEN} into the inventory's vault.yml, then rerun the "
            "command"
        )
    if not (token.isascii() and token.isalnum()):
        raise DeployError(
            f"{where} is not a token of Linode's, which has letters and digits only: copy it once "
            "more, then rerun the command"
        )
    return token


def open_client(
    token: str, say: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
) -> LinodeClient:
    """Return Linode's client; nothing is sent yet.

    Args:
        token: as `token_of` returns it.
        say: takes a line for each time that is waited.
        sleep: waits so many seconds.
    """
    client = LinodeClient(
        token, base_url=api_address(os.environ), user_agent="tox_com_det", retry=False
    )
    adapter = Adapter(max_retries=waiting_retry(say, sleep))
    for scheme in ("https://", "http://"):
        client.session.mount(scheme, adapter)
    return client
