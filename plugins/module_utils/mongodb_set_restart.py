"""Prepare the restart of a member of a MongoDB replica set, and wait until it is back."""

from __future__ import annotations

from ansible.module_utils.mongodb_commands import Document, Refused, Unanswered
from ansible.module_utils.mongodb_set import HEALTHY, PAUSE, ReplicaSet, is_primary, votes


class Restart(ReplicaSet):
    """The states between which a member is restarted."""

    def step_down(self) -> Document:
        """Let another member be primary, if this one is, and the others have a majority."""
        hello = self._hello(self._own)
        if not hello.get("setName"):
            return self._answer("")
        alone = self._await_others()
        if not is_primary(hello) or alone:
            return self._answer(str(hello.get("primary", "")))
        self.done.append(f"stepped down {hello['me']}")
        if self._check_mode:
            return self._answer("")
        self._hand_on(self._own)
        return self._answer(self._await_other_primary(str(hello["me"])))

    def ready(self) -> Document:
        """Wait until this member is primary or secondary of a set that has a primary."""
        deadline = self._clock() + self._timeout
        words = "it does not answer"
        while True:
            try:
                hello = self._hello(self._own)
            except Unanswered as error:
                words = str(error)
            else:
                if not hello.get("setName") and hello.get("isreplicaset"):
                    return self._answer("")
                if (is_primary(hello) or hello.get("secondary")) and hello.get("primary"):
                    return self._answer(str(hello["primary"]))
                words = "it is neither primary nor secondary, or it knows no primary"
            if self._clock() >= deadline:
                raise Refused(
                    f"this member is not ready after {self._timeout:.0f} s: {words}; see"
                    " /var/log/mongodb/mongod.log. No other member was touched"
                )
            self._sleep(PAUSE)

    def observe(self) -> Document:
        """Which member is primary, as this one knows."""
        try:
            return self._answer(str(self._hello(self._own).get("primary", "")))
        except Unanswered:
            return self._answer("")

    def _await_others(self) -> bool:
        """Wait until a majority runs without this member; returns whether it is alone."""
        deadline = self._clock() + self._timeout
        while True:
            voters = [one["host"] for one in self._config(self._own)["members"] if votes(one)]
            me = self._hello(self._own).get("me")
            others = [host for host in voters if host != me]
            # Of two, none has a majority without the other: there the pause cannot be avoided.
            needed = min(len(voters) // 2 + 1, len(others))
            states = self._states(self._own)
            healthy = [host for host in others if states.get(host) in HEALTHY]
            if len(healthy) >= needed:
                return not others
            if self._clock() >= deadline:
                missing = [f"{one} is {states.get(one)}" for one in others if one not in healthy]
                raise Refused(
                    "this member is not restarted, because the others would have no majority:"
                    f" {', '.join(missing)}; repair that first"
                )
            self._sleep(PAUSE)
