"""Who sent a request, and whether it may be answered: by its key, or by its address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tox_com_det.http.limits import server_limits
from tox_com_det.http.turns import PROBE, client_of
from tox_com_det.keys.buckets import Buckets
from tox_com_det.keys.key_file import KeyFile
from tox_com_det.keys.quotas import Quota, Quotas

# Set by nginx on every request: not empty if it counted the request as one of a key's holder. nginx
# sees the form of a key only.
KEYED = "HTTP_X_TOX_COM_DET_KEYED"


class AccessRefused(Exception):
    """A request that is not answered because of its key or its rate."""


class KeyMissing(AccessRefused):
    """A key is required, and the request has none."""


class KeyInvalid(AccessRefused):
    """A key is required, and the request's is unknown, revoked or has ended."""


class QuotaExceeded(AccessRefused):
    """Too many requests.

    Attributes:
        quota: that was exceeded.
        key: identifier of the key; None: the quota is the address's.
    """

    def __init__(self, quota: Quota, key: str | None) -> None:
        super().__init__()
        self.quota = quota
        self.key = key


@dataclass(frozen=True)
class Client:
    """Who sent a request: a name for `Turns`, and the key's quota, if it has one."""

    name: str
    quota: Quota | None = None


class Access:
    """Admits requests. Safe to use from several threads."""

    def __init__(self, keys: KeyFile, required: bool, buckets: Buckets | None = None) -> None:
        """`required`: a request without a valid key is refused. `buckets`: see `Quotas`."""
        self._keys = keys
        self._required = required
        self._quotas = Quotas(buckets)

    @property
    def problem(self) -> str:
        """Why the file of keys cannot be used; "" if it can."""
        return self._keys.problem

    def client_of(self, environ: Mapping[str, Any], presented: Sequence[str]) -> Client:
        """Who sent a request, without counting it."""
        key = self._keys.find(presented)
        return Client(client_of(environ) if key is None else f"key {key.id}")

    def admit(self, environ: Mapping[str, Any], presented: Sequence[str]) -> Client:
        """Count a request and return who sent it.

        Where keys are optional, an unknown one is as none: clients keep their old key of Google's.

        Args:
            environ: of the request.
            presented: what it has as keys, see `keys.presented`.

        Raises:
            KeyMissing, KeyInvalid: a key is required.
            QuotaExceeded: the key's rate, or the address's.
        """
        address = client_of(environ)
        if address == PROBE:
            return Client(address)
        key = self._keys.find(presented)
        if key is None:
            self._count_address(environ, address)
            if self._required:
                raise KeyInvalid if presented else KeyMissing
            return Client(address)
        quota = None
        if key.requests_per_second is not None:
            quota = self._quotas.take(f"key {key.id}", key.requests_per_second)
            if quota.is_exceeded:
                raise QuotaExceeded(quota, key.id)
        return Client(f"key {key.id}", quota)

    def _count_address(self, environ: Mapping[str, Any], address: str) -> None:
        """Apply nginx's limit of an address where nginx took a wrong key for a right one."""
        limits = server_limits(environ)
        if not environ.get(KEYED) or not limits.get("requests_per_second"):
            return
        rate = limits["requests_per_second"]
        quota = self._quotas.take(f"address {address}", rate, limits.get("burst", 0) + 1)
        if quota.is_exceeded:
            raise QuotaExceeded(quota, None)
