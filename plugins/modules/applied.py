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

import os
import re
import tempfile

from ansible.module_utils.basic import AnsibleModule

# A record is the hash and a line feed; anything else is a copy that version 0.1 kept.
RECORD = re.compile(b"[0-9a-f]{64}\n\\Z")


def record_path(directory, path):
    # type: (str, str) -> str
    """Return where the record of the file is stored."""
    return os.path.join(directory, path.replace("/", "_"))


def recorded_hash(module, record):
    # type: (AnsibleModule, str) -> str | None
    """Return the recorded SHA-256, None if there is none; a full copy becomes its hash."""
    if not os.path.exists(record):
        return None
    with open(record, "rb") as file:
        content = file.read(66)
    if RECORD.match(content):
        return content[:64].decode("ascii")
    digest = str(module.sha256(record))
    if not module.check_mode:
        write_record(module, record, digest)
    return digest


def make_directory(path):
    # type: (str) -> None
    """Create a directory and its parents, readable by the owner only."""
    # os.makedirs gives the mode to the last of them only.
    if not os.path.isdir(path):
        make_directory(os.path.dirname(path))
        os.mkdir(path, 0o700)


def write_record(module, record, digest):
    # type: (AnsibleModule, str, str) -> None
    """Store the hash in one step, readable by the owner only."""
    directory = os.path.dirname(os.path.abspath(record))
    make_directory(directory)
    descriptor, temporary = tempfile.mkstemp(dir=directory)
    module.add_cleanup_file(temporary)
    with os.fdopen(descriptor, "wb") as file:
        file.write(digest.encode("ascii") + b"\n")
    module.atomic_move(temporary, record)
    # atomic_move keeps the mode of a file that it replaces.
    os.chmod(record, 0o600)


def run(module):
    # type: (AnsibleModule) -> list[str]
    """Compare or record the files; return those that differed from their records."""
    unapplied = []
    for path in module.params["paths"]:
        record = record_path(module.params["directory"], path)
        if not os.path.isfile(path):
            if not module.check_mode:
                module.fail_json(msg="%s does not exist, so no service can apply it" % path)
            unapplied.append(path)
            continue
        digest = str(module.sha256(path))
        if digest == recorded_hash(module, record):
            continue
        unapplied.append(path)
        if module.params["state"] == "recorded" and not module.check_mode:
            write_record(module, record, digest)
    return unapplied


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
            "directory": {"type": "path", "default": "/var/lib/tox_com_det/applied"},
        },
        supports_check_mode=True,
    )
    try:
        unapplied = run(module)
    except (IOError, OSError) as error:
        module.fail_json(msg="cannot read or write the records: %s" % error)
    module.exit_json(changed=bool(unapplied), unapplied=unapplied)


if __name__ == "__main__":
    main()
