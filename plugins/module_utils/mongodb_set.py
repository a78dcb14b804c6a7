"""A replica set of MongoDB as one of its hosts sees it: who answers, who is primary."""

from __future__ import annotations

import time
from collections.abc import Callable

from ansible.module_utils.mongodb_commands import (
    AUTHENTICATION_FAILED,
    COMMAND_NOT_FOUND,
    TRANSIENT,
    UNAUTHORIZED,
    CommandFailed,
    Document,
    Refused,
    Send,
    Unanswered,
)

PAUSE = 1.0
HEALTHY = ("PRIMARY", "SECONDARY")


class ReplicaSet:
    """What the changes of members and the restarts share.

    Args:
        send: sends a command to a member.
        name: name of the set.
        own: address of this host's member, on loopback.
        wanted: addresses of all members; empty where they do not matter.
        timeout: seconds to wait for a primary, or for this member.
        check_mode: whether to change nothing.
        clock, sleep: the time, for tests.
    """

    def __init__(
        self,
        send: Send,
        name: str,
        own: str,
        *,
        wanted: list[str] | None = None,
        timeout: float = 120,
        check_mode: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._send, self._name, self._own, self._wanted = send, name, own, wanted or []
        self._timeout, self._check_mode = timeout, check_mode
        self._clock, self._sleep = clock, sleep
        self.done: list[str] = []

    def await_primary(self) -> str:
        """Address of the member that is primary and says so itself."""
        deadline = self._clock() + self._timeout
        while True:
            answers = self._answers([self._own, *self._wanted])
            for seen in answers.values():
                primary = seen.get("primary")
                if primary and seen.get("setName") == self._name and self._confirms(primary):
                    return str(primary)
            if self._clock() >= deadline:
                found = [one for one in self._seeds() if one in answers]
                raise Refused(
                    f"replica set {self._name} has no primary after {self._timeout:.0f} s:"
                    f" {len(found)} of {len(self._seeds())} members answer"
                    f" ({', '.join(found) or 'none'}), and a majority has to run:"
                    " `systemctl status mongod` on the others"
                )
            self._sleep(PAUSE)

    def _answer(self, primary: str) -> Document:
        hello: Document = {}
        if primary:
            hello = self._answers([self._own]).get(self._own, {})
        return {
            "changed": bool(self.done),
            "primary": primary,
            "is_primary": bool(primary) and primary == hello.get("me"),
            "done": self.done,
        }

    def _seeds(self) -> list[str]:
        return self._wanted or [self._own]

    def _hello(self, address: str) -> Document:
        try:
            return self._send(address, {"hello": 1}, False)
        except CommandFailed as error:
            if error.code != COMMAND_NOT_FOUND:
                raise
            # Before 4.4.2, 4.2.10 and 4.0.21.
            return self._send(address, {"isMaster": 1}, False)

    def _answers(self, addresses: list[str] | None = None) -> dict[str, Document]:
        found = {}
        for address in self._seeds() if addresses is None else addresses:
            try:
                found[address] = self._hello(address)
            except Unanswered:
                continue
        return found

    def _confirms(self, address: str) -> bool:
        return is_primary(self._answers([address]).get(address, {}))

    def _command(self, address: str, command: Document) -> Document:
        """Send a command with the login; over loopback without one, while there are no users."""
        try:
            return self._send(address, command, True)
        except CommandFailed as error:
            if error.code != AUTHENTICATION_FAILED:
                raise
            if address != self._own:
                raise Refused(
                    f"{address} does not accept the administrator of mongodb_access_users: {error}"
                ) from error
        try:
            return self._send(address, command, False)
        except CommandFailed as error:
            if error.code != UNAUTHORIZED:
                raise
            raise Refused(
                "mongod does not accept the administrator of mongodb_access_users. If it does not"
                " exist yet, `ansible-playbook site.yml --tags mongodb_access` makes it"
            ) from error

    def _config(self, primary: str) -> Document:
        config: Document = self._command(primary, {"replSetGetConfig": 1})["config"]
        return config

    def _states(self, address: str = "") -> dict[str, str]:
        """States of all members, as the primary or the given member sees them."""
        status = self._command(address or self.await_primary(), {"replSetGetStatus": 1})
        return {
            one["name"]: one["stateStr"] if one.get("health") else "DOWN"
            for one in status["members"]
        }

    def _hand_on(self, address: str) -> None:
        """Let a primary step down, once a secondary has all that it has."""
        try:
            self._command(address, {"replSetStepDown": 120, "secondaryCatchUpPeriodSecs": 60})
        except Unanswered:
            pass  # 4.0 closes all connections when it steps down
        except CommandFailed as error:
            if error.code not in TRANSIENT:
                raise Refused(f"the primary does not step down: {error}") from error

    def _await_other_primary(self, host: str) -> str:
        deadline = self._clock() + self._timeout
        addresses = [self._own, *self._wanted]
        while True:
            for seen in self._answers(addresses).values():
                primary = seen.get("primary")
                if primary and primary != host and self._confirms(primary):
                    return str(primary)
            if self._clock() >= deadline:
                raise Refused(
                    f"no other member became primary within {self._timeout:.0f} s after {host} has"
                    " stepped down; it was not restarted or removed"
                )
            self._sleep(PAUSE)


def votes(member: Document) -> bool:
    return bool(member.get("votes", 1))


def hosts_of(members: list[Document]) -> str:
    return ", ".join(one["host"] for one in members)


def is_primary(hello: Document) -> bool:
    return bool(hello.get("isWritablePrimary", hello.get("ismaster")))
