#!/usr/bin/python
"""Connect to TCP ports from the controller, and compare what answers with what is expected.

Runs on the controller only (delegate_to), so it may use a current Python.
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: port_check
short_description: Compares what answers on TCP ports with what is expected
description:
  - Connects to each port of an address. Tells an open port, one that the system refuses because
    nothing listens, one that a firewall rejects, and one without an answer.
  - A port that should be closed by the firewall and is refused by the system is unexpected too,
    because the firewall lets packets to it pass. Sends nothing on the connections.
options:
  address:
    description: Host name or address to connect to.
    type: str
    required: true
  ports:
    description: Ports, each with what is expected of it.
    type: list
    elements: dict
    required: true
    suboptions:
      port:
        description: TCP port.
        type: int
        required: true
      name:
        description: What the port is, for the output.
        type: str
        required: true
      expected:
        description: V(open) if it has to answer, V(closed) if the firewall has to keep it closed.
        type: str
        choices: [open, closed]
        required: true
      sources:
        description: Addresses or networks for which a port is open; for others it is closed.
        type: list
        elements: str
        default: []
  client:
    description: Address of the controller as the server sees it, for O(ports[].sources).
    type: str
    default: ""
  timeout:
    description: Seconds to wait for an answer of each port.
    type: int
    default: 5
attributes:
  check_mode:
    support: full
    description: It changes nothing.
"""

EXAMPLES = r"""
- name: Check the ports
  port_check:
    address: 203.0.113.7
    ports:
      - {port: 22, name: ssh, expected: open}
      - {port: 27017, name: database, expected: closed}
  delegate_to: localhost
"""

RETURN = r"""
states:
  description: The state of each port, by number.
  returned: always
  type: dict
  sample: {"22": "open", "27017": "rejected"}
lines:
  description: One line for each port.
  returned: always
  type: list
  elements: str
unexpected:
  description: The ports in another state than the expected one, each with the reason.
  returned: always
  type: list
  elements: str
"""

import errno
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address, ip_network
from typing import Any

from ansible.module_utils.basic import AnsibleModule

OPEN, REFUSED, REJECTED, SILENT = "open", "refused", "rejected", "no answer"
WORDS = {
    OPEN: "open",
    REFUSED: "refused by the system",
    REJECTED: "rejected by a firewall",
    SILENT: "no answer",
}
# What an ICMP message of a firewall makes of a connection.
BY_ICMP = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM}
UNEXPECTED = {
    ("open", REFUSED): "nothing listens there",
    ("open", REJECTED): "the server's firewall does not allow it",
    ("open", SILENT): "a firewall drops it, perhaps the one of the provider",
    ("closed", OPEN): "it answers to other hosts",
    ("closed", REFUSED): "nothing listens there, but the server's firewall let the packet pass",
}


def state_of(address: str, port: int, seconds: float) -> str:
    """Return the state of the port, or the reason why the address cannot be used."""
    try:
        socket.create_connection((address, port), timeout=seconds).close()
    except TimeoutError:
        return SILENT
    except ConnectionRefusedError:
        return REFUSED
    except socket.gaierror as error:
        return f"unknown host ({error.strerror})"
    except OSError as error:
        return REJECTED if error.errno in BY_ICMP else f"failed ({error.strerror or error})"
    return OPEN


def is_source(client: str, sources: list[str]) -> bool:
    """Return whether the client's address is in one of the networks."""
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:  # none, or UNKNOWN: ssh over something else than TCP
        return False
    return any(address in ip_network(source, strict=False) for source in sources)


def expected_state(port: dict[str, Any], client: str) -> str:
    """Return what this controller has to see: open or closed."""
    if port["sources"]:
        return "open" if is_source(client, port["sources"]) else "closed"
    return str(port["expected"])


def compare(address: str, port: dict[str, Any], state: str, expected: str) -> tuple[str, str]:
    """Return the line of the port, and what is unexpected about it or nothing."""
    line = f"{address} {port['port']}/tcp {port['name']}: {WORDS.get(state, state)}"
    fine = state == OPEN if expected == "open" else state in (REJECTED, SILENT)
    if fine:
        return f"{line}, as expected", ""
    reason = UNEXPECTED.get((expected, state), "")
    text = f"{line}, expected {expected}" + (f" ({reason})" if reason else "")
    return text, text


def main() -> None:
    port = {
        "port": {"type": "int", "required": True},
        "name": {"type": "str", "required": True},
        "expected": {"type": "str", "choices": ["open", "closed"], "required": True},
        "sources": {"type": "list", "elements": "str", "default": []},
    }
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "ports": {"type": "list", "elements": "dict", "required": True, "options": port},
            "client": {"type": "str", "default": ""},
            "timeout": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
    )
    address, ports, client = (module.params[name] for name in ("address", "ports", "client"))
    with ThreadPoolExecutor(max_workers=len(ports) or 1) as pool:
        found = list(
            pool.map(lambda one: state_of(address, one["port"], module.params["timeout"]), ports)
        )
    compared = [
        compare(address, one, state, expected_state(one, client))
        for one, state in zip(ports, found, strict=True)
    ]
    module.exit_json(
        changed=False,
        states={str(one["port"]): state for one, state in zip(ports, found, strict=True)},
        lines=[line for line, _ in compared],
        unexpected=[text for _, text in compared if text],
    )


if __name__ == "__main__":
    main()
