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
  - Keeps a copy of each file that a template is about to replace, once, and the names of the
    packages that were installed before the first run.
  - Gives the files back (playbooks/uninstall.yml). A file that did not exist before is removed.
  - A file that this project wrote is recognized by its header; one without it is never touched.
options:
  paths:
    description: Files that templates of this project replace.
    type: list
    elements: path
    default: []
  packages:
    description:
      - Names of the installed packages, with V(saved) only. They are recorded once, and not on a
        server that this project has set up before it recorded them.
    type: list
    elements: str
  state:
    description: Whether to keep copies, or to give them back.
    type: str
    choices: [saved, restored]
    default: saved
  directory:
    description: Directory of the copies. It is created, readable by root only, when it is missing.
    type: path
    default: /var/lib/tox_com_det/before
  installed:
    description: A file that exists where this project has set the server up.
    type: path
    default: /usr/local/sbin/toxctl
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
import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule

# Of every template: `ansible_managed` in ansible.cfg, as a comment near the top.
HEADER = b"Managed by tox_com_det"
NEAR_THE_TOP = 400  # bytes
PACKAGES = "packages.json"


def is_ours(path):
    # type: (str) -> bool
    """Return whether this project wrote the file."""
    with open(path, "rb") as file:
        return HEADER in file.read(NEAR_THE_TOP)


def copy_path(directory, path):
    # type: (str, str) -> str
    """Return where the copy of the file is kept."""
    return os.path.join(directory, path.replace("/", "_"))


def make_directory(path):
    # type: (str) -> None
    """Create a directory and its parents, readable by the owner only."""
    # os.makedirs gives the mode to the last of them only.
    if not os.path.isdir(path):
        make_directory(os.path.dirname(path))
        os.mkdir(path, 0o700)


def copy(module, source, target):
    # type: (AnsibleModule, str, str) -> None
    """Copy a file with its mode and its owner, in one step."""
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(target))
    os.close(descriptor)
    module.add_cleanup_file(temporary)
    shutil.copyfile(source, temporary)
    found = os.stat(source)
    os.chown(temporary, found.st_uid, found.st_gid)
    os.chmod(temporary, found.st_mode & 0o7777)
    os.rename(temporary, target)


def save(module, path):
    # type: (AnsibleModule, str) -> bool
    """Keep a copy of a file that somebody else wrote; return whether there was none yet."""
    kept = copy_path(module.params["directory"], path)
    if os.path.exists(kept) or not os.path.isfile(path) or is_ours(path):
        return False
    if not module.check_mode:
        make_directory(module.params["directory"])
        copy(module, path, kept)
    return True


def restore(module, path):
    # type: (AnsibleModule, str) -> bool
    """Give a file back that this project replaced; return whether it had."""
    if not os.path.isfile(path) or not is_ours(path):
        return False
    kept = copy_path(module.params["directory"], path)
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


def record(module):
    # type: (AnsibleModule) -> bool
    """Write down the packages, once and only before this project installs its own."""
    path = os.path.join(module.params["directory"], PACKAGES)
    if os.path.exists(path) or os.path.exists(module.params["installed"]):
        return False
    if not module.check_mode:
        make_directory(module.params["directory"])
        descriptor, temporary = tempfile.mkstemp(dir=module.params["directory"])
        module.add_cleanup_file(temporary)
        with os.fdopen(descriptor, "w") as file:
            json.dump(sorted(module.params["packages"]), file)
        os.rename(temporary, path)
    return True


def run(module):
    # type: (AnsibleModule) -> tuple[bool, list[str]]
    """Keep or give back; return whether that changed something, and the files."""
    one = save if module.params["state"] == "saved" else restore
    files = [path for path in module.params["paths"] if one(module, path)]
    changed = bool(files)
    if module.params["packages"] and module.params["state"] == "saved":
        changed = record(module) or changed
    return changed, files


def main():
    # type: () -> None
    """Read the task's arguments, run and answer."""
    module = AnsibleModule(
        argument_spec={
            "paths": {"type": "list", "elements": "path", "default": []},
            "packages": {"type": "list", "elements": "str"},
            "state": {"type": "str", "choices": ["saved", "restored"], "default": "saved"},
            "directory": {"type": "path", "default": "/var/lib/tox_com_det/before"},
            "installed": {"type": "path", "default": "/usr/local/sbin/toxctl"},
        },
        supports_check_mode=True,
    )
    try:
        changed, files = run(module)
        packages = recorded(module)
    except (IOError, OSError, ValueError) as error:
        module.fail_json(msg="cannot keep or give back what was there before: %s" % error)
    module.exit_json(changed=changed, files=files, packages=packages)


if __name__ == "__main__":
    main()
