#!/usr/bin/python
"""Put several files and directories in place in one call, each with its owner, mode and checker.

Runs on the managed host, so it stays valid Python 2.7 (CentOS 7).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: files
short_description: Puts several files and directories in place
description:
  - Does in one connection what M(ansible.builtin.template), M(ansible.builtin.copy),
    M(ansible.builtin.file), C(before) and C(applied) do in one or two each.
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
"""

RETURN = r"""
paths:
  description: The paths that were changed.
  returned: always
  type: list
  elements: str
  sample: [/etc/systemd/system/certificate.service]
unapplied:
  description: The files of O(applied) that differ from their record.
  returned: always
  type: list
  elements: str
  sample: [/etc/nginx/nginx.conf]
"""

import base64
import os
import shutil
import tempfile
import zlib

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.records import APPLIED, BEFORE, save, unapplied

LARGEST_DIFF = 100000  # bytes


class Files:
    """Puts the entries in place, and collects what changed."""

    def __init__(self, module):
        # type: (AnsibleModule) -> None
        self.module = module
        self.paths = []  # type: list[str]
        self.diffs = []  # type: list[dict[str, object]]

    def place(self, entry):
        # type: (dict[str, str]) -> None
        """Put one file or directory in place, or remove it."""
        path = entry["dest"]
        if entry["state"] == "absent":
            changed = self.remove(path)
        elif entry["state"] == "link":
            changed = self.link(entry, path)
        elif not entry["mode"]:
            self.module.fail_json(msg="%s has no mode" % path)
        elif entry["state"] == "directory":
            changed = self.make_directory(entry, path)
        elif entry["content"] is None:
            self.module.fail_json(msg="%s has neither src nor content" % path)
        else:
            changed = self.write(entry, path)
            changed = self.attributes(entry, path, changed)
        if changed:
            self.paths.append(path)

    def remove(self, path):
        # type: (str) -> bool
        """Remove a file, a link, or a directory with all that is in it."""
        if not os.path.lexists(path):
            return False
        self.diffs.append(difference(path, {"state": "present"}, {"state": "absent"}))
        if not self.module.check_mode:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.remove(path)
        return True

    def link(self, entry, path):
        # type: (dict[str, str], str) -> bool
        """Let a link point to its target, in one step."""
        target = entry["target"]
        if not target:
            self.module.fail_json(msg="%s has no target" % path)
        current = os.readlink(path) if os.path.islink(path) else None
        if current == target:
            return False
        if current is None and os.path.lexists(path):
            self.module.fail_json(msg="%s exists and is no link" % path)
        self.diffs.append(difference(path, {"target": current}, {"target": target}))
        if self.module.check_mode:
            return True
        if not os.path.exists(os.path.join(os.path.dirname(path), target)):
            self.module.fail_json(msg="%s, the target of %s, does not exist" % (target, path))
        temporary = "%s.%d" % (path, os.getpid())
        os.symlink(target, temporary)
        os.rename(temporary, path)
        return True

    def make_directory(self, entry, path):
        # type: (dict[str, str], str) -> bool
        """Make a directory and the parents that are missing."""
        if os.path.isdir(path):
            return self.attributes(entry, path, False)
        if os.path.lexists(path):
            self.module.fail_json(msg="%s exists and is no directory" % path)
        parent = os.path.dirname(path)
        if not os.path.isdir(parent):
            self.make_directory(entry, parent)
        self.diffs.append(difference(path, {"state": "absent"}, {"state": "directory"}))
        if not self.module.check_mode:
            os.mkdir(path, 0o700)
        return self.attributes(entry, path, True)

    def write(self, entry, path):
        # type: (dict[str, str], str) -> bool
        """Write a file in one step if its content differs."""
        if os.path.isdir(path):
            self.module.fail_json(msg="%s is a directory" % path)
        content = zlib.decompress(base64.b64decode(entry["content"]))
        current = None  # type: bytes | None
        # A link is replaced, not followed.
        if os.path.isfile(path) and not os.path.islink(path):
            with open(path, "rb") as file:
                current = file.read()
        if content == current:
            return False
        self.diffs.append(difference(path, shown(current or b""), shown(content)))
        if entry["keep"]:
            save(self.module, path, self.module.params["before_directory"])
        if self.module.check_mode:
            return True
        if not os.path.isdir(os.path.dirname(path)):
            self.module.fail_json(msg="the directory of %s does not exist" % path)
        descriptor, temporary = tempfile.mkstemp(dir=self.module.tmpdir)
        self.module.add_cleanup_file(temporary)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        self.validate(entry, path, temporary)
        # A new file is readable by root only until it has its mode.
        mask = os.umask(0o077)
        self.module.atomic_move(temporary, path)
        os.umask(mask)
        return True

    def validate(self, entry, path, temporary):
        # type: (dict[str, str], str, str) -> None
        """Run the file's checker; end the task if it refuses the file."""
        command = entry["validate"]
        if not command:
            return
        if "%s" not in command:
            self.module.fail_json(msg="validate of %s must contain %%s: %s" % (path, command))
        code, out, said = self.module.run_command(command % temporary)
        if code:
            self.module.fail_json(
                msg="failed to validate %s" % path, exit_status=code, stdout=out, stderr=said
            )

    def attributes(self, entry, path, changed):
        # type: (dict[str, str], str, bool) -> bool
        """Set owner, group, mode and SELinux context; return whether anything changed."""
        wanted = {name: entry[name] or None for name in ("owner", "group", "mode")}
        diff = {"before": {}, "after": {}}  # type: dict[str, dict[str, object]]
        arguments = self.module.load_file_common_arguments(wanted, path=path)
        differs = self.module.set_fs_attributes_if_different(arguments, False, diff=diff)
        # A new file is shown by its content.
        if differs and not changed:
            self.diffs.append(difference(path, diff["before"], diff["after"]))
        return bool(changed or differs)


def difference(path, before, after):
    # type: (str, object, object) -> dict[str, object]
    """Return one entry of the task's diff."""
    return {"before_header": path, "after_header": path, "before": before, "after": after}


def shown(content):
    # type: (bytes) -> str
    """Return what a diff shows of a content."""
    if len(content) > LARGEST_DIFF or b"\0" in content:
        return "(%d bytes)\n" % len(content)
    return content.decode("utf-8", "replace")


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
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "options": entry, "default": []},
            "applied": {"type": "list", "elements": "path", "default": []},
            "before_directory": {"type": "path", "default": BEFORE},
            "applied_directory": {"type": "path", "default": APPLIED},
        },
        supports_check_mode=True,
    )
    files = Files(module)
    try:
        for one in module.params["files"]:
            if one["wanted"]:
                files.place(one)
        not_applied = unapplied(
            module, module.params["applied"], module.params["applied_directory"]
        )
    except (IOError, OSError) as error:
        module.fail_json(msg="cannot put the files in place: %s" % error)
    changed = bool(files.paths or not_applied)
    answer = {"changed": changed, "paths": files.paths, "unapplied": not_applied}
    if module._diff:
        answer["diff"] = files.diffs
    module.exit_json(**answer)


if __name__ == "__main__":
    main()
