"""The errors that end a verb."""

from __future__ import annotations

from typing import Any

__all__ = ["Interrupted", "NginxDown", "NotReady", "ToxctlError"]


class ToxctlError(Exception):
    """What went wrong, in one line, and what else the caller gets.

    Attributes:
        kind: a word for programs: `locked`, `activating`, `memory`, `hash`, `manifest`,
            `collection`, `database`, `disk`, `tar`, `target`, `usage`, `head`, `complete`,
            `config`, `interrupted`, `unlocked`, `damaged`, `protected`, `nginx`, `golden`, `unit`,
            `systemd`, `balancer`, of backups `password`, `connection` and `missing`, or `other`.
        details: more lines, printed below the message.
        more: further keys of the JSON answer.
    """

    def __init__(self, message: str, kind: str = "other", details: str = "", **more: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.details = details
        self.more = more

    def answer(self) -> dict[str, Any]:
        """Return the error as the last JSON line states it."""
        return {"error": str(self), "kind": self.kind, "details": self.details, **self.more}


class NotReady(ToxctlError):
    """A slot cannot answer yet (no connection, or a 5xx); asking again may succeed.

    Attributes:
        by_app: the app itself reported it, not nginx.
    """

    by_app = False


class NginxDown(NotReady):
    """Nothing accepts connections on nginx's loopback server, so no slot can be reached."""

    def __init__(self, url: str) -> None:
        super().__init__(
            f"{url} does not answer: connection refused, nginx is not running: run `sudo "
            "systemctl start nginx` on the server, or `ansible-playbook site.yml --tags nginx`",
            "nginx",
        )


class Interrupted(BaseException):
    """A signal asked this program to end.

    Not an Exception, so that code that waits for one never swallows it.
    """
