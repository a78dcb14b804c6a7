#!/usr/bin/python
"""Initiate a replica set of MongoDB, change its members one at a time, and prepare restarts.

Runs on the managed host with a Python that has MongoDB's driver, 3.11 or newer.
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: mongodb_replica_set
short_description: Initiates a replica set and changes its members one at a time
description:
  - With O(state=members) the set is initiated where none of its members is in one, then members
    are added and removed, each by a configuration of its own, until they are O(members). A new
    one neither votes nor becomes primary before it has copied the data.
  - With O(state=stepped_down) this member hands the part of the primary on, if it has it, so that
    it can be restarted. Refused while the others would not have a majority.
  - With O(state=ready) it waits until this member is primary or secondary again.
options:
  state:
    description: What to reach; V(observed) changes nothing.
    type: str
    choices: [members, stepped_down, ready, observed]
    default: members
  name:
    description: Name of the set.
    type: str
    required: true
  members:
    description: Addresses of all members, such as V(192.0.2.13:27017), for O(state=members).
    type: list
    elements: str
    default: []
  initiate:
    description: Whether this member may initiate the set.
    type: bool
    default: false
  port:
    description: Port of mongod on loopback.
    type: int
    default: 27017
  user:
    description: An administrator. Before it exists, MongoDB lets loopback initiate the set.
    type: str
    default: ""
  password:
    description: The administrator's password.
    type: str
    default: ""
  tls:
    description: Whether mongod speaks TLS. On loopback its name is not verified.
    type: bool
    default: false
  tls_ca:
    description: File with the authorities of the members' certificates.
    type: path
  timeout:
    description: Seconds to wait for a primary, or for this member.
    type: int
    default: 120
  sync_timeout:
    description: Seconds to wait until a new member has copied the data.
    type: int
    default: 1800
attributes:
  check_mode:
    support: full
"""

EXAMPLES = r"""
- name: Initiate the replica set, and add and remove members
  mongodb_replica_set:
    name: toxic
    members: [192.0.2.13:27017, 192.0.2.14:27017, 192.0.2.15:27017]
    initiate: "{{ inventory_hostname == groups['database'] | first }}"
"""

RETURN = r"""
primary:
  description: Address of the primary; empty if there is none.
  returned: success
  type: str
  sample: 192.0.2.13:27017
is_primary:
  description: Whether this member is the primary.
  returned: success
  type: bool
done:
  description: What was changed, or would be in check mode, in its order.
  returned: success
  type: list
  elements: str
  sample: [initiated, added 192.0.2.16:27017]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.mongodb_commands import (
    LOOPBACK,
    CommandFailed,
    Refused,
    Unanswered,
    sender,
)
from ansible.module_utils.mongodb_set_members import Members
from ansible.module_utils.mongodb_set_restart import Restart


def main() -> None:
    """Read the task's arguments, run and answer."""
    module = AnsibleModule(
        argument_spec={
            "state": {
                "type": "str",
                "choices": ["members", "stepped_down", "ready", "observed"],
                "default": "members",
            },
            "name": {"type": "str", "required": True},
            "members": {"type": "list", "elements": "str", "default": []},
            "initiate": {"type": "bool", "default": False},
            "port": {"type": "int", "default": 27017},
            "user": {"type": "str", "default": ""},
            "password": {"type": "str", "default": "", "no_log": True},
            "tls": {"type": "bool", "default": False},
            "tls_ca": {"type": "path"},
            "timeout": {"type": "int", "default": 120},
            "sync_timeout": {"type": "int", "default": 1800},
        },
        required_if=[("state", "members", ("members",))],
        supports_check_mode=True,
    )
    given = module.params
    try:
        send = sender(given)
    except ImportError:
        module.fail_json(msg="this Python has no PyMongo: install the package python3-pymongo")
    common = {
        "wanted": given["members"],
        "timeout": given["timeout"],
        "check_mode": module.check_mode,
    }
    own = f"{LOOPBACK}:{given['port']}"
    members = Members(
        send,
        given["name"],
        own,
        may_initiate=given["initiate"],
        sync_timeout=given["sync_timeout"],
        **common,
    )
    restart = Restart(send, given["name"], own, **common)
    steps = {
        "members": members.adjust,
        "stepped_down": restart.step_down,
        "ready": restart.ready,
        "observed": restart.observe,
    }
    try:
        answer = steps[given["state"]]()
    except (Refused, Unanswered, CommandFailed) as error:
        module.fail_json(msg=str(error), done=members.done + restart.done)
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
