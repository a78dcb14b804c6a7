#!/usr/bin/python
"""Track which configuration files a service has applied, by their SHA-256.

Runs on the managed host, so it stays valid Python 2.7 (CentOS 7).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: applied
short_description: Tracks which configuration files a service has applied
description:
  - Compares files with the SHA-256 recorded when a service last applied them, or records them.
  - Use it in place of a C(notify) on each template. A run that is interrupted between a template
    and its handler leaves the recorded hash as it was, so the next run notifies the handler.
  - Only the hash is stored, because the files may hold secrets. Full copies, which version 0.1 of
    this project kept, are replaced by their hashes.
options:
  paths:
    description: Files to compare or to record.
    type: list
    elements: path
    required: true
  state:
    description:
      - With V(compared) the task is changed when a file differs from its record or has none.
        Notify the handler that applies the files.
      - With V(recorded) the current hashes are stored. Use it in that handler, last.
    type: str
    choices: [compared, recorded]
    default: compared
  directory:
    description: Directory of the records. It is created, readable by root only, when it is missing.
    type: path
    default: /var/lib/tox_com_det/applied
attributes:
  check_mode:
    support: full
    description: A file that does not exist yet counts as not applied.
  diff_mode:
    support: none
    description: The contents are not stored, so there is nothing to show.
"""

EXAMPLES = r"""
- name: Detect unapplied nginx configuration
  applied:
    paths: [/etc/nginx/nginx.conf]
  notify: Reload nginx

- name: Record the applied nginx configuration
  applied:
    paths: [/etc/nginx/nginx.conf]
    state: recorded
  listen: Reload nginx
"""

RETURN = r"""
unapplied:
  description: The files that differed from their record.
  returned: always
  type: list
  elements: str
  sample: [/etc/nginx/nginx.conf]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.records import APPLIED, unapplied


def main():
    # type: () -> None
    """Read the task's arguments, run and answer."""
    module = AnsibleModule(
        argument_spec={
            "paths": {"type": "list", "elements": "path", "required": True},
            "state": {
                "type": "str",
                "choices": ["compared", "recorded"],
                "default": "compared",
            },
            "directory": {"type": "path", "default": APPLIED},
        },
        supports_check_mode=True,
    )
    try:
        found = unapplied(
            module,
            module.params["paths"],
            module.params["directory"],
            record=module.params["state"] == "recorded",
        )
    except (IOError, OSError) as error:
        module.fail_json(msg="cannot read or write the records: %s" % error)
    module.exit_json(changed=bool(found), unapplied=found)


if __name__ == "__main__":
    main()
