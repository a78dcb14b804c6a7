"""What Linode's API answers instead of what was asked for, as one line with the next command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import requests
from linode_api4.errors import ApiError, UnexpectedResponseError

from controller.cloud.api import TOKEN, VAULT_TOKEN
from controller.deploy.errors import DeployError

__all__ = ["Refused", "explained"]

TOKENS = "https://cloud.linode.com/profile/tokens"
LONGEST = 300


class Refused(DeployError):
    """The API refused a request. `status`: of HTTP."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Raise DeployError for what goes wrong with requests, without the request and its token.

    `doing`: what they are for, such as "creating the server".
    """
    try:
        yield
    except ApiError as error:
        raise Refused(_line(doing, error), error.status) from None
    except requests.JSONDecodeError:
        raise DeployError(
            f"{doing}: what answers is not Linode's API: check LINODE_API_URL and your proxy, then "
            "rerun the command"
        ) from None
    except requests.RequestException as error:
        raise DeployError(
            f"{doing}: Linode's API cannot be reached ({_why(error)}): check the connection, then "
            "rerun the command"
        ) from None
    except UnexpectedResponseError as error:
        raise DeployError(
            f"{doing}: Linode's API answers in another form ({error}): `git pull`, then rerun the "
            "command"
        ) from None
    except RuntimeError as error:  # of the library: a list that changed while it was read
        raise DeployError(f"{doing}: {error}: rerun the command") from None


def _line(doing: str, error: ApiError) -> str:
    """Return the line for an answer of 400 and more."""
    if error.status == 401:
        return (
            f"{doing}: Linode does not accept the token: make one at {TOKENS}, set {TOKEN} or "
            f"{VAULT_TOKEN}, then rerun the command"
        )
    if error.status == 403:
        return (
            f"{doing}: the token may not do this ({_reasons(error)}): make one at {TOKENS} with "
            "Linodes, Firewalls and Domains read/write, Events and Images read, then rerun the "
            "command"
        )
    if error.status == 429:
        return f"{doing}: Linode takes no more requests for now: rerun the command in some minutes"
    if error.status >= 500:
        return (
            f"{doing}: Linode's API has an error of its own ({error.status}: {_reasons(error)}): "
            "see https://status.linode.com, then rerun the command"
        )
    return (
        f"{doing}: Linode refuses it ({error.status}: {_reasons(error)}): correct it, then rerun "
        "the command"
    )


def _reasons(error: ApiError) -> str:
    """Return what the answer says, each reason with its field."""
    answer = error.json if isinstance(error.json, dict) else {}
    listed = answer.get("errors")
    words = [
        f"{one['field']}: {one.get('reason')}" if one.get("field") else str(one.get("reason"))
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, dict)
    ]
    return ("; ".join(words) or "no reason given")[:LONGEST]


def _why(error: requests.RequestException) -> str:
    """Return why there was no answer, without the objects of the library."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy does not let it through"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection"
    return type(error).__name__
