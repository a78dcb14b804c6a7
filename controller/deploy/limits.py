"""A limit that names no host: Ansible would take all of them."""

from __future__ import annotations

import re

from controller.deploy.errors import DeployError
from controller.deploy.paths import ROOT

__all__ = ["refuse_limit_to_nothing"]

# Between patterns, and before one: not, and, a regular expression.
SIGNS = ",:;!&~"
# A regular expression without a letter matches every name.
ANY_NAME = re.compile(r"(?:^|[,:])\s*&?~\s*(?:$|[,:])")


def refuse_limit_to_nothing(limit: str) -> None:
    """Raise DeployError for a limit without a name, or of files without one.

    `--limit "$HOSTS"` is that where the variable is not set.
    """
    named = any(_names_something(part.strip()) for part in limit.split(","))
    if not named or ANY_NAME.search(limit):
        raise DeployError(
            f"--limit is {limit[:40]!r}, which names no host: name one of the inventory, such as "
            "--limit web1, or leave it out for all of them"
        )


def _names_something(part: str) -> bool:
    if not part.startswith("@"):
        return not all(one in SIGNS or one.isspace() for one in part)
    try:
        return bool((ROOT / part[1:]).read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        return True  # Ansible says what is wrong with it
