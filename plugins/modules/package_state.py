#!/usr/bin/python
"""Read which packages are installed and whether the package lists are current, in one call.

Runs on the managed host, so it stays valid Python 2.7 (CentOS 7).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: package_state
short_description: Reads installed packages and the age of the package lists
description:
  - Asks the package manager's own program, which takes a tenth of a second where
    M(ansible.builtin.package_facts) takes one, and returns names and versions only, because Ansible
    handles all facts again with every task.
  - Writes down which packages there were before the first run, once (module C(before)).
options:
  manager:
    description: The package manager, as the fact C(pkg_mgr) has it.
    type: str
    required: true
  lists:
    description: Pattern of the files of the package lists; empty where nobody has to refresh them.
    type: str
    default: ""
  stamps:
    description:
      - Files with the time of the last refresh, of which the first that exists counts. Without
        them the newest of O(lists) does.
    type: list
    elements: path
    default: []
  max_age:
    description: Seconds for which lists are current.
    type: int
    default: 86400
  before:
    description: Whether to write down the packages, for playbooks/uninstall.yml.
    type: bool
    default: false
  directory:
    description: Directory of what is written down.
    type: path
    default: /var/lib/tox_com_det/before
  installed:
    description:
      - One of them exists where this project has set the server up. Version 0.1 had no toxctl.
    type: list
    elements: path
    default: [/usr/local/sbin/toxctl, /opt/tox_com_det/bin]
attributes:
  check_mode:
    support: full
    description: It writes nothing down then.
"""

EXAMPLES = r"""
- name: Read which packages are installed
  package_state:
    manager: "{{ ansible_facts['pkg_mgr'] }}"
    lists: /var/lib/apt/lists/*_Packages*
  register: __web_packages
"""

RETURN = r"""
ansible_facts:
  description: C(packages), the version of each installed package; missing if they cannot be read.
  returned: always
  type: dict
  sample: {"packages": {"sudo": "1.9.13p3-1"}}
current:
  description: Whether there are package lists, and younger ones than O(max_age).
  returned: always
  type: bool
"""

import glob
import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.records import BEFORE, record_packages

INSTALLED = ["/usr/local/sbin/toxctl", "/opt/tox_com_det/bin"]
RPM = ["rpm", "--query", "--all", "--queryformat", r"%{NAME}\t%{VERSION}\n"]
COMMANDS = {
    "apt": ["dpkg-query", "--show", "--showformat", r"${Package}\t${Version}\t${Status}\n"],
    "dnf": RPM,
    "yum": RPM,
    "pacman": ["pacman", "--query"],
}


def packages_in(text):
    # type: (str) -> dict[str, str]
    """Return the versions by name of a program's lines; without what dpkg knows as removed."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 or words[-1:] == ["installed"]:
            found[words[0]] = words[1]
    return found


def installed_packages(module):
    # type: (AnsibleModule) -> dict[str, str] | None
    """Return the installed packages, None if the package manager does not tell them."""
    command = COMMANDS.get(module.params["manager"])
    if command is None:
        return None
    code, out, _ = module.run_command(command)
    return packages_in(out) if code == 0 else None


def are_current(lists, stamps, max_age, now):
    # type: (str, list[str], int, float) -> bool
    """Return whether there are lists that are young enough."""
    files = glob.glob(lists) if lists else []
    if not files:
        return False
    times = [os.path.getmtime(path) for path in stamps if os.path.exists(path)][:1]
    times = times or [os.path.getmtime(path) for path in files]
    # As far ahead of now counts as much: a clock was set back.
    return abs(now - max(times)) < max_age


def main():
    # type: () -> None
    """Read the task's arguments, run and answer."""
    module = AnsibleModule(
        argument_spec={
            "manager": {"type": "str", "required": True},
            "lists": {"type": "str", "default": ""},
            "stamps": {"type": "list", "elements": "path", "default": []},
            "max_age": {"type": "int", "default": 86400},
            "before": {"type": "bool", "default": False},
            "directory": {"type": "path", "default": BEFORE},
            "installed": {"type": "list", "elements": "path", "default": INSTALLED},
        },
        supports_check_mode=True,
    )
    options = module.params
    found = installed_packages(module)
    try:
        changed = bool(options["before"] and found) and record_packages(
            module, list(found or {}), options["directory"], options["installed"]
        )
        current = are_current(options["lists"], options["stamps"], options["max_age"], time.time())
    except (IOError, OSError) as error:
        module.fail_json(msg="cannot read the state of the packages: %s" % error)
    facts = {} if found is None else {"packages": found}
    module.exit_json(changed=changed, current=current, ansible_facts=facts)


if __name__ == "__main__":
    main()
