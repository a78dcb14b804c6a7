#!/usr/bin/python
"""Put several files in place in one call, each with its owner, mode and checker, and start units.

Runs on the managed host, so it stays valid Python 2.7 (CentOS 7).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: files
short_description: Puts several files and directories in place, and starts units
description:
  - Does in one connection what M(ansible.builtin.template), M(ansible.builtin.copy),
    M(ansible.builtin.file), M(ansible.builtin.systemd_service), C(before) and C(applied) do in one
    or two each.
  - An action plugin of the same name renders the templates on the controller.
  - The entries are handled in their order. A file that its checker refuses is not put in place, and
    ends the task.
options:
  files:
    description: What to put in place.
    type: list
    elements: dict
    default: []
    suboptions:
      dest:
        description: The path on the server.
        type: path
        required: true
      src:
        description: A template, found as M(ansible.builtin.template) finds it.
        type: str
      content:
        description:
          - The content, in place of O(files[].src). It is sent compressed, in base64.
        type: str
      state:
        description: With V(directory), parents that are missing are made alike.
        type: str
        choices: [file, directory, link, absent]
        default: file
      target:
        description: Where a link points to.
        type: path
      mode:
        description: The mode in octal digits, required for files and directories.
        type: str
      owner:
        description: The owner; empty leaves it as it is.
        type: str
        default: root
      group:
        description: The group; empty leaves it as it is.
        type: str
        default: root
      validate:
        description: A command that checks the file before it is put in place, C(%s) is its name.
        type: str
      wanted:
        description: Whether the entry counts.
        type: bool
        default: true
      keep:
        description: Whether what somebody else wrote is kept for uninstall.yml (C(before)).
        type: bool
        default: false
  units:
    description:
      - Units of systemd that are unmasked and enabled once the files are in place. systemd reads
        its files anew where it says that one has changed.
      - In check mode a unit may be missing, because its file or its package is.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name, with its suffix.
        type: str
        required: true
      start:
        description: Whether the unit is started if it does not run.
        type: bool
        default: true
      restart:
        description: Whether the unit is restarted, or started.
        type: bool
        default: false
  applied:
    description:
      - Files whose SHA-256 is compared with the one that was recorded when a service last applied
        them. The task is changed when one differs, so that it notifies the handler (C(applied)).
    type: list
    elements: path
    default: []
  before_directory:
    description: Directory of what is kept.
    type: path
    default: /var/lib/tox_com_det/before
  applied_directory:
    description: Directory of the records.
    type: path
    default: /var/lib/tox_com_det/applied
attributes:
  check_mode:
    support: full
    description: As the builtin modules, it does not run checkers then.
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Install the units of the certificate
  files:
    files:
      - src: etc/systemd/system/certificate.service.j2
        dest: /etc/systemd/system/certificate.service
        mode: "0644"
        validate: systemd-analyze verify %s
      - dest: /var/lib/certificates
        state: directory
        mode: "0700"
    units:
      - name: certificate.timer
"""

RETURN = r"""
paths:
  description: The paths that were changed.
  returned: always
  type: list
  elements: str
  sample: [/etc/systemd/system/certificate.service]
units:
  description: The units that were enabled, started or restarted.
  returned: always
  type: list
  elements: str
  sample: [certificate.timer]
unapplied:
  description: The files of O(applied) that differ from their record.
  returned: always
  type: list
  elements: str
  sample: [/etc/nginx/nginx.conf]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.placing import Files
from ansible.module_utils.records import APPLIED, BEFORE, unapplied
from ansible.module_utils.units import Units


def main():
    # type: () -> None
    """Read the task's arguments, run and answer."""
    entry = {
        "dest": {"type": "path", "required": True},
        "src": {"type": "str"},
        # Compressed, so it hides no part of the diff as other secrets do.
        "content": {"type": "str", "no_log": True},
        "state": {
            "type": "str",
            "choices": ["file", "directory", "link", "absent"],
            "default": "file",
        },
        "target": {"type": "path"},
        "mode": {"type": "str"},
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "root"},
        "validate": {"type": "str"},
        "wanted": {"type": "bool", "default": True},
        "keep": {"type": "bool", "default": False},
    }
    unit = {
        "name": {"type": "str", "required": True},
        "start": {"type": "bool", "default": True},
        "restart": {"type": "bool", "default": False},
    }
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "options": entry, "default": []},
            "units": {"type": "list", "elements": "dict", "options": unit, "default": []},
            "applied": {"type": "list", "elements": "path", "default": []},
            "before_directory": {"type": "path", "default": BEFORE},
            "applied_directory": {"type": "path", "default": APPLIED},
        },
        supports_check_mode=True,
    )
    files = Files(module)
    units = Units(module)
    try:
        for one in module.params["files"]:
            if one["wanted"]:
                files.place(one)
        for one in module.params["units"]:
            units.bring(one)
        not_applied = unapplied(
            module, module.params["applied"], module.params["applied_directory"]
        )
    except (IOError, OSError) as error:
        module.fail_json(msg="cannot put the files in place: %s" % error)
    answer = {
        "changed": bool(files.paths or units.changed or not_applied),
        "paths": files.paths,
        "units": units.changed,
        "unapplied": not_applied,
    }
    if module._diff:
        answer["diff"] = files.diffs
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
