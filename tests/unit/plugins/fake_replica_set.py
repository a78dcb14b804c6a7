"""A replica set in memory that keeps MongoDB's rules and records the commands that it got.

The rules are those of MongoDB's manual: a set is initiated once and only while all members answer
and are empty, a configuration changes one vote at a time and follows the version before it, only
the primary takes it, and a primary needs the votes of a majority. Time passes only in `sleep`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from ansible_module import load

MODULE = load("mongodb_replica_set")
LOOPBACK = "127.0.0.1:27017"
NAME = "toxic"

Document = dict[str, Any]


class Mongod:
    """One server: whether it runs, whether its configuration names a set, how long it copies."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.running = True
        self.set_name: str | None = NAME  # of its mongod.conf
        self.has_data = False
        self.joined = False
        # Ends of the clock: when it has copied the data; never, if it is infinite.
        self.copied_at = 0.0


class Fake:
    """Several servers; `own` is the one that loopback leads to."""

    def __init__(self, addresses: list[str], *, users: bool = False) -> None:
        self.servers = {one: Mongod(one) for one in addresses}
        self.own = addresses[0]
        self.users = users
        self.config: Document | None = None
        self.primary = ""
        self.now = 0.0
        self.copy_seconds = 5.0
        self.commands: list[tuple[str, str]] = []
        # Called before a command is carried out, as if something happened at that moment.
        self.before: Callable[[str, str], None] = lambda _address, _command: None
        self.votes_seen: list[dict[str, int]] = []

    # ---- what the tests ask for

    def run(self, step: str = "adjust", own: str | None = None, **options: Any) -> Document:
        """Run the module's step on one of the hosts."""
        if own is not None:
            self.own = own
        made = (MODULE.Members if step == "adjust" else MODULE.Restart)(
            self.send, NAME, LOOPBACK, clock=lambda: self.now, sleep=self.sleep, **options
        )
        answer: Document = getattr(made, step)()
        return answer

    def initiated(self, *addresses: str) -> Fake:
        """Make it a set of these members, which have copied everything."""
        members = [{"_id": i, "host": one, "votes": 1} for i, one in enumerate(addresses)]
        self.config = {"_id": NAME, "version": 1, "term": 1, "members": members}
        for one in addresses:
            self.servers[one].joined = True
        self.primary, self.users = addresses[0], True
        return self

    def changes(self) -> list[str]:
        """Names of the commands that change something, in their order."""
        quiet = ("hello", "isMaster", "replSetGetStatus", "replSetGetConfig")
        return [command for _, command in self.commands if command not in quiet]

    def members(self) -> list[str]:
        """Addresses of the configuration."""
        return [one["host"] for one in (self.config or {"members": []})["members"]]

    def sleep(self, seconds: float) -> None:
        """Let time pass; a majority elects a primary meanwhile."""
        self.now += seconds
        self.elect()

    # ---- MongoDB

    def send(self, address: str, command: Document, login: bool) -> Document:
        """Carry a command out as mongod would; signature of the module's `Send`."""
        real = self.own if address == LOOPBACK else address
        name = next(iter(command))
        self.before(real, name)
        server = self.servers.get(real)
        if server is None or not server.running:
            raise MODULE.Unanswered(f"{real}: connection refused")
        if name in ("hello", "isMaster"):
            self.commands.append((real, name))
            return self._hello(server)
        if login and not (self.users and server.joined):
            raise MODULE.CommandFailed(18, "Authentication failed.")
        # Without users, MongoDB lets loopback do this alone (localhost exception).
        if not login and (self.users or address != LOOPBACK or name != "replSetInitiate"):
            raise MODULE.CommandFailed(13, "command requires authentication")
        self.commands.append((real, name))
        handler = getattr(self, f"_{name}")
        result: Document = handler(server, copy.deepcopy(command))
        return result

    def voters(self) -> list[str]:
        members = (self.config or {"members": []})["members"]
        return [one["host"] for one in members if one.get("votes", 1)]

    def state(self, address: str) -> str:
        server = self.servers.get(address)
        if server is None or not server.running:
            return "DOWN"
        if not server.joined:
            return "STARTUP"
        if self.now < server.copied_at:
            return "STARTUP2"
        return "PRIMARY" if address == self.primary else "SECONDARY"

    def elect(self, besides: str = "") -> None:
        voters = self.voters()
        up = [one for one in voters if self.state(one) in ("PRIMARY", "SECONDARY")]
        if 2 * len(up) <= len(voters):
            self.primary = ""
        elif self.primary not in up:
            self.primary = next((one for one in up if one != besides), "")

    def _hello(self, server: Mongod) -> Document:
        if self.config is None or not server.joined or server.set_name is None:
            own: Document = {"isreplicaset": True} if server.set_name else {"ismaster": True}
            return own
        state = self.state(server.address)
        members = self.config["members"]
        answer = {
            "setName": server.set_name,
            "me": server.address,
            "isWritablePrimary": state == "PRIMARY",
            "secondary": state == "SECONDARY",
            "hosts": [one["host"] for one in members if one.get("priority", 1)],
            "passives": [
                one["host"]
                for one in members
                if not one.get("priority", 1) and not one.get("hidden")
            ],
        }
        if self.primary:
            answer["primary"] = self.primary
        return answer

    def _replSetInitiate(self, server: Mongod, command: Document) -> Document:
        if self.config is not None:
            raise MODULE.CommandFailed(23, "already initialized")
        config = command["replSetInitiate"]
        for one in config["members"]:
            other = self.servers.get(one["host"])
            if other is None or not other.running:
                raise MODULE.CommandFailed(74, f"quorum check failed: {one['host']}")
            if other.has_data and other is not server:
                raise MODULE.CommandFailed(110, f"{one['host']} has data already")
        self.config = {**config, "version": 1, "term": 1}
        for host in self.members():
            self.servers[host].joined = True
        self.primary = ""
        return {"ok": 1.0}

    def _replSetGetConfig(self, server: Mongod, command: Document) -> Document:
        del server, command
        return {"config": copy.deepcopy(self.config)}

    def _replSetGetStatus(self, server: Mongod, command: Document) -> Document:
        del server, command
        states = {one: self.state(one) for one in self.members()}
        return {
            "members": [
                {
                    "name": name,
                    "health": 0.0 if state == "DOWN" else 1.0,
                    "stateStr": "(not reachable/healthy)" if state == "DOWN" else state,
                }
                for name, state in states.items()
            ]
        }

    def _replSetReconfig(self, server: Mongod, command: Document) -> Document:
        new = command["replSetReconfig"]
        if server.address != self.primary:
            raise MODULE.CommandFailed(10107, "not primary")
        assert self.config is not None
        if new["version"] <= self.config["version"]:
            raise MODULE.CommandFailed(103, "version is not higher")
        before = set(self.voters())
        after = {one["host"] for one in new["members"] if one.get("votes", 1)}
        if len(before ^ after) > 1:
            raise MODULE.CommandFailed(103, "more than one voting member at a time")
        if self.primary not in after:
            raise MODULE.CommandFailed(103, "the primary is not in the new configuration")
        for one in new["members"]:
            if one["host"] not in self.members():
                joined = self.servers[one["host"]]
                joined.joined, joined.copied_at = True, self.now + self.copy_seconds
        self.config = new
        self.votes_seen.append({one["host"]: one.get("votes", 1) for one in new["members"]})
        return {"ok": 1.0}

    def _replSetStepDown(self, server: Mongod, command: Document) -> Document:
        assert command["replSetStepDown"] > command["secondaryCatchUpPeriodSecs"]
        if server.address != self.primary:
            raise MODULE.CommandFailed(10107, "not primary")
        if not [one for one in self.voters() if self.state(one) == "SECONDARY"]:
            raise MODULE.CommandFailed(262, "No electable secondaries caught up")
        self.primary = ""
        self.elect(besides=server.address)
        return {"ok": 1.0}
