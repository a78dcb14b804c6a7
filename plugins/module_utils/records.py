"""What is kept on a server about its files: hashes of applied ones, copies of replaced ones.

Shared by the modules `applied`, `before` and `files`. Runs on the managed host, so it stays valid
Python 2.7 (CentOS 7).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import re
import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule  # noqa: F401 (for the types in comments)

APPLIED = "/var/lib/tox_com_det/applied"
BEFORE = "/var/lib/tox_com_det/before"
# A record is the hash and a line feed; anything else is a copy that version 0.1 kept.
RECORD = re.compile(b"[0-9a-f]{64}\n\\Z")
# Of every template: `ansible_managed` in ansible.cfg, as a comment near the top.
HEADER = b"Managed by tox_com_det"
NEAR_THE_TOP = 400  # bytes
PACKAGES = "packages.json"


def record_path(directory, path):
    # type: (str, str) -> str
    """Return where the record or the copy of the file is kept."""
    return os.path.join(directory, path.replace("/", "_"))


def make_directory(path):
    # type: (str) -> None
    """Create a directory and its parents, readable by the owner only."""
    # os.makedirs gives the mode to the last of them only.
    if not os.path.isdir(path):
        make_directory(os.path.dirname(path))
        os.mkdir(path, 0o700)


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


def unapplied(module, paths, directory, record=False):
    # type: (AnsibleModule, list[str], str, bool) -> list[str]
    """Return the files that differ from their records; write the records if asked to."""
    found = []
    for path in paths:
        kept = record_path(directory, path)
        if not os.path.isfile(path):
            if not module.check_mode:
                module.fail_json(msg="%s does not exist, so no service can apply it" % path)
            found.append(path)
            continue
        digest = str(module.sha256(path))
        if digest == recorded_hash(module, kept):
            continue
        found.append(path)
        if record and not module.check_mode:
            write_record(module, kept, digest)
    return found


def is_ours(path):
    # type: (str) -> bool
    """Return whether this project wrote the file."""
    with open(path, "rb") as file:
        return HEADER in file.read(NEAR_THE_TOP)


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


def save(module, path, directory):
    # type: (AnsibleModule, str, str) -> bool
    """Keep a copy of a file that somebody else wrote; return whether there was none yet."""
    kept = record_path(directory, path)
    if os.path.exists(kept) or not os.path.isfile(path) or is_ours(path):
        return False
    if not module.check_mode:
        make_directory(directory)
        copy(module, path, kept)
    return True


def record_packages(module, packages, directory, installed):
    # type: (AnsibleModule, list[str], str, list[str]) -> bool
    """Write down the packages, once and only before this project installs its own."""
    path = os.path.join(directory, PACKAGES)
    if os.path.exists(path) or any(os.path.exists(one) for one in installed):
        return False
    if not module.check_mode:
        make_directory(directory)
        descriptor, temporary = tempfile.mkstemp(dir=directory)
        module.add_cleanup_file(temporary)
        with os.fdopen(descriptor, "w") as file:
            json.dump(sorted(packages), file)
        os.rename(temporary, path)
    return True
