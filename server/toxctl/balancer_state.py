"""`toxctl balancer save`: what HAProxy's next process has to know, right before a reload.

That is which app hosts are out, and that a new one is not to get requests before its first health
check: HAProxy takes a server that it does not know for well. The form of the file:
https://docs.haproxy.org/2.6/management.html#9.3-show%20servers%20state
"""

from __future__ import annotations

import os
import re

from toxctl.balancer import BACKEND, Haproxy
from toxctl.errors import ToxctlError

__all__ = ["CONFIG", "save"]

CONFIG = "/etc/haproxy/haproxy.cfg"  # role balancer
# Of a server that does not get requests: stopped, its last check failed, the next one decides.
STOPPED = {
    "srv_op_state": "0",
    "srv_admin_state": "0",
    "srv_check_result": "2",
    "srv_check_health": "0",
}


def save(haproxy: Haproxy, config: str, path: str) -> list[str]:
    """Write the state of the app hosts to `path` in one step; nothing if HAProxy does not answer.

    Addresses and ports are those of the configuration: HAProxy would give saved ones precedence.

    Returns:
        The app hosts that HAProxy does not know yet.

    Raises:
        ToxctlError: HAProxy does not answer, or a file cannot be read or written.
    """
    answer = haproxy.ask("show servers state")
    try:
        with open(config, encoding="utf-8") as file:
            places = _servers(file.read())
        state, new = _merged(answer, places)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(state)
        os.rename(path + ".new", path)
    except (OSError, ValueError, StopIteration) as error:
        raise ToxctlError(
            f"the state of the app hosts cannot be saved in {path}: {error}: see `journalctl -u "
            "haproxy`",
            "balancer",
        ) from None
    return new


def _servers(config: str) -> dict[str, tuple[str, str]]:
    """Return address and port of each server of the backend in a configuration, by name."""
    _, _, section = config.partition(f"\nbackend {BACKEND}\n")
    section = re.split(r"\n(?=\S)", section, maxsplit=1)[0]
    found = re.findall(r"^ +server (\S+) \[?([^\s\]]+)\]?:(\d+)", section, re.MULTILINE)
    return {name: (address, port) for name, address, port in found}


def _merged(answer: str, places: dict[str, tuple[str, str]]) -> tuple[str, list[str]]:
    """Return the text of the file, and the names of the servers that the answer does not have."""
    lines = [line for line in answer.splitlines() if line]
    names = next(line for line in lines if line.startswith("# "))[2:].split(" ")
    changed, known, example = [], set(), None
    for line in lines:
        fields = dict(zip(names, line.split(" "), strict=False))
        if len(line.split(" ")) == len(names) and not line.startswith("#"):
            name = fields["srv_name"]
            if fields["be_name"] == BACKEND:
                known.add(name)
                example = fields
            fields["srv_port"] = places.get(name, ("", fields["srv_port"]))[1]
            line = " ".join(fields.values())
        changed.append(line)
    new = [name for name in places if name not in known]
    if example is not None:
        number = max(int(line.split(" ")[2]) for line in changed[2:] if line)
        for name in new:
            number += 1
            address, port = places[name]
            own = {"srv_id": str(number), "srv_name": name, "srv_addr": address, "srv_port": port}
            changed.append(" ".join({**example, **STOPPED, **own}.values()))
    return "".join(f"{line}\n" for line in changed), new
