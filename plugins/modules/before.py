#!/usr/bin/python
"""Keep what a server had before the first run, and give it back when the project is removed.

Runs on the managed host, so it stays valid Python 2.7 (CentOS 7).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: before
short_description: Keeps what a server had before the first run, and gives it back
description:
  - Keeps a copy of each file that a template is about to replace, once. Module C(package_state)
    writes down the packages, which this one tells.
  - Gives the files back (playbooks/uninstall.yml). A file that did not exist before is removed.
  - A file that this project wrote is recognized by its header; one without it is never touched.
options:
  paths:
    description: Files that templates of this project replace.
    type: list
    elements: path
    default: []
  state:
    description: Whether to keep copies, or to give them back.
    type: str
    choices: [saved, restored]
    default: saved
  directory:
    description: Directory of the copies. It is created, readable by root only, when it is missing.
    type: path
    default: /var/lib/tox_com_det/before
attributes:
  check_mode:
    support: full
    description: Reports which files would be kept or given back.
  diff_mode:
    support: none
    description: The files may hold secrets.
"""

EXAMPLES = r"""
- name: Keep the configuration that nginx's package brought
  before:
    paths: [/etc/nginx/nginx.conf]

- name: Give nginx its own configuration back
  before:
    paths: [/etc/nginx/nginx.conf]
    state: restored
  register: __nginx_before
"""

RETURN = r"""
files:
  description: The files that were kept, given back or removed.
  returned: always
  type: list
  elements: str
  sample: [/etc/nginx/nginx.conf]
packages:
  description: The packages that were installed before the first run; null if nobody knows.
  returned: always
  type: list
  elements: str
  sample: [sudo]
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.records import (
    BEFORE,
    PACKAGES,
    copy,
    is_ours,
    record_path,
    save,
)


def restore(module, path):
    # type: (AnsibleModule, str) -> bool
    """Give a file back that this project replaced; return whether it had."""
    if not os.path.isfile(path) or not is_ours(path):
        return False
    kept = record_path(module.params["directory"], path)
    if module.check_mode:
        return True
    if os.path.exists(kept):
        copy(module, kept, path)
        if hasattr(module, "set_default_selinux_context"):
            module.set_default_selinux_context(path, False)
    else:
        os.remove(path)
    return True


def recorded(module):
    # type: (AnsibleModule) -> list[str] | None
    """Return the packages of the time before the first run, None if they were not recorded."""
    try:
        with open(os.path.join(module.params["directory"], PACKAGES)) as file:
            return json.load(file)  # type: ignore[no-any-return]  # as it was written
    except (IOError, OSError):
        return None


def run(module):
    # type: (AnsibleModule) -> list[str]
    """Keep or give back; return the files for which that changed something."""
    paths = module.params["paths"]
    if module.params["state"] == "saved":
        return [path for path in paths if save(module, path, module.params["directory"])]
    return [path for path in paths if restore(module, path)]


def main():
    # type: () -> None
    """Read the task's arguments, run and answer."""
    module = AnsibleModule(
        argument_spec={
            "paths": {"type": "list", "elements": "path", "default": []},
            "state": {"type": "str", "choices": ["saved", "restored"], "default": "saved"},
            "directory": {"type": "path", "default": BEFORE},
        },
        supports_check_mode=True,
    )
    try:
        files = run(module)
        packages = recorded(module)
    except (IOError, OSError, ValueError) as error:
        module.fail_json(msg="cannot keep or give back what was there before: %s" % error)
    module.exit_json(changed=bool(files), files=files, packages=packages)


if __name__ == "__main__":
    main()
