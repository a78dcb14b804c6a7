"""How module `files` puts one file, directory or link in place.

Runs on the managed host, so it stays valid Python 2.7 (CentOS 7).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import base64
import os
import shutil
import tempfile
import zlib

from ansible.module_utils.basic import AnsibleModule  # noqa: F401 (for the types in comments)
from ansible.module_utils.records import save

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
