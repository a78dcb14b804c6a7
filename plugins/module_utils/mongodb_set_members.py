"""Initiate a replica set of MongoDB, and add and remove its members one at a time."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.mongodb_commands import (
    ALREADY_INITIALIZED,
    TRANSIENT,
    CommandFailed,
    Document,
    Refused,
    Unanswered,
)
from ansible.module_utils.mongodb_set import HEALTHY, PAUSE, ReplicaSet, hosts_of, votes

ATTEMPTS = 10
MOST_VOTERS = 7


class Members(ReplicaSet):
    """Makes the members of a set those that are wanted.

    Args:
        may_initiate: whether this host may initiate the set.
        sync_timeout: seconds to wait until a new member has copied the data.
        other: those of ReplicaSet.
    """

    def __init__(
        self, *given: Any, may_initiate: bool = False, sync_timeout: float = 1800, **other: Any
    ) -> None:
        super().__init__(*given, **other)
        self._may_initiate, self._sync_timeout = may_initiate, sync_timeout

    def adjust(self) -> Document:
        """Initiate the set if there is none, then add and remove members."""
        if not self._names_of_set() and not self._initiate():
            return self._answer("")
        primary = self.await_primary()
        seen = self._hello(primary)
        shown = [*seen.get("hosts", []), *seen.get("passives", []), *seen.get("arbiters", [])]
        # Nothing to change needs no login: right after the initiation there is no user yet.
        if sorted(shown) == sorted(self._wanted) and not seen.get("passives"):
            return self._answer(primary)
        members = self._config(primary)["members"]
        gone = [one for one in members if one["host"] not in self._wanted]
        voters = [one for one in members if votes(one)]
        if 2 * len([one for one in gone if votes(one)]) >= len(voters):
            raise Refused(
                f"{hosts_of(gone)} would be removed from {hosts_of(members)}, which is half of the"
                " votes or more: remove fewer in one run"
            )
        if len(self._wanted) > MOST_VOTERS:
            raise Refused(f"a set has at most {MOST_VOTERS} members with a vote")
        for host in self._wanted:
            self._add(host)
        for one in gone:
            self._remove(one["host"])
        return self._answer(primary if self._check_mode else self.await_primary())

    def _names_of_set(self) -> bool:
        """Whether a member is in the set already."""
        found = {self._own: self._hello(self._own), **self._answers()}
        for address, seen in found.items():
            name = seen.get("setName", self._name)
            if name != self._name:
                raise Refused(
                    f"{address} is a member of replica set {name}, and mongodb_replica_set is"
                    f" {self._name}: a set keeps its name, so correct mongodb_replica_set"
                )
            if "setName" not in seen and not seen.get("isreplicaset"):
                raise Refused(
                    f"{address} runs without replica set {self._name}: rerun"
                    " `ansible-playbook site.yml` without --limit"
                )
        return any("setName" in seen for seen in found.values())

    def _initiate(self) -> bool:
        silent = [one for one in self._wanted if one not in self._answers()]
        if silent:
            raise Refused(
                f"replica set {self._name} is not initiated, and {', '.join(silent)} does not"
                " answer: `systemctl status mongod` there, and its firewall"
            )
        if not self._may_initiate:
            raise Refused(
                f"replica set {self._name} is not initiated: rerun `ansible-playbook site.yml`"
                " without --limit"
            )
        self.done.append("initiated")
        if self._check_mode:
            return False
        members = [{"_id": number, "host": host} for number, host in enumerate(self._wanted)]
        try:
            self._command(self._own, {"replSetInitiate": {"_id": self._name, "members": members}})
        except CommandFailed as error:
            if error.code != ALREADY_INITIALIZED:
                raise Refused(f"mongod refuses to initiate the set: {error}") from error
            self.done.remove("initiated")
        return True

    def _add(self, host: str) -> None:
        known = self._member(host)
        if known is None:
            self._require_addable(host)
            self.done.append(f"added {host}")
            if self._check_mode:
                return
            # Without a vote: a member that only copies must not count for a majority.
            self._reconfigure(host, {"votes": 0, "priority": 0})
        elif votes(known) or known.get("hidden") or known.get("arbiterOnly"):
            return
        else:  # a run was interrupted while it copied
            self.done.append(f"gave {host} its vote")
            if self._check_mode:
                return
        self._await_copy(host)
        self._reconfigure(host, {"votes": 1, "priority": 1})

    def _member(self, host: str) -> Document | None:
        members = self._config(self.await_primary())["members"]
        return next((one for one in members if one["host"] == host), None)

    def _require_addable(self, host: str) -> None:
        try:
            name = self._hello(host).get("setName", self._name)
        except Unanswered as error:
            raise Refused(
                f"{host} is not added, because it does not answer ({error}): `systemctl status"
                " mongod` there, and its firewall"
            ) from error
        if name != self._name:
            raise Refused(f"{host} is a member of replica set {name} already")

    def _await_copy(self, host: str) -> None:
        deadline = self._clock() + self._sync_timeout
        while (state := self._states().get(host, "UNKNOWN")) != "SECONDARY":
            if self._clock() >= deadline:
                raise Refused(
                    f"{host} is {state} after {self._sync_timeout:.0f} s and has no vote yet: see"
                    " /var/log/mongodb/mongod.log there, and run this again; it goes on from here"
                )
            self._sleep(PAUSE)

    def _remove(self, host: str) -> None:
        self.done.append(f"removed {host}")
        if self._check_mode:
            return
        primary = self.await_primary()
        if primary == host:
            self._hand_on(host)
            primary = self._await_other_primary(host)
        states = self._states(primary)
        rest = [
            one for one in self._config(primary)["members"] if votes(one) and one["host"] != host
        ]
        healthy = [one for one in rest if states.get(one["host"]) in HEALTHY]
        if 2 * len(healthy) <= len(rest):
            raise Refused(
                f"{host} is not removed: of the other members only {hosts_of(healthy) or 'none'}"
                f" of {hosts_of(rest)} would be left"
            )
        self._reconfigure(host, None)

    def _reconfigure(self, host: str, values: Document | None) -> None:
        """Change one member by a configuration of its own; None removes it."""
        words = ""
        for _ in range(ATTEMPTS):
            primary = self.await_primary()
            config = self._config(primary)
            members = [dict(one) for one in config["members"]]
            known = next((one for one in members if one["host"] == host), None)
            if values is None:
                members = [one for one in members if one["host"] != host]
            elif known is None:
                number = max(one["_id"] for one in members) + 1
                members.append({"_id": number, "host": host, **values})
            else:
                known.update(values)
            if members == config["members"]:
                return  # another run was faster
            new = {**config, "members": members, "version": config["version"] + 1}
            try:
                self._command(primary, {"replSetReconfig": new})
            except Unanswered as error:  # 4.0 closes connections
                words = str(error)
            except CommandFailed as error:
                if error.code not in TRANSIENT:
                    raise Refused(f"mongod refuses to change {host}: {error}") from error
                words = str(error)
            else:
                return
            self._sleep(PAUSE)
        raise Refused(f"{host} could not be changed in {ATTEMPTS} attempts: {words}")
