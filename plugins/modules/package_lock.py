#!/usr/bin/python
"""Find out which process holds the locks of the package manager, and wait for it.

Runs on the managed host, so it stays valid Python 2.7 (CentOS 7).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: package_lock
short_description: Waits for the locks of the package manager and names who holds them
description:
  - Asks the kernel for the holders of record locks (apt, dpkg, rpm) and reads the process IDs in
    lock files (yum, dnf). A lock file that is there as long as the package manager runs (pacman) is
    held by the process that has it open. Takes no lock itself and changes nothing.
  - Returns as soon as no lock is held, or after O(timeout) seconds with those that still are.
options:
  record_locks:
    description: Files that a package manager locks with C(fcntl).
    type: list
    elements: path
    default: []
  pid_files:
    description: Files that hold the ID of the running package manager.
    type: list
    elements: path
    default: []
  lock_files:
    description: Files that exist, and are open, as long as the package manager runs.
    type: list
    elements: path
    default: []
  timeout:
    description: Seconds to wait for the locks.
    type: int
    default: 0
attributes:
  check_mode:
    support: full
    description: It changes nothing.
"""

EXAMPLES = r"""
- name: Wait for apt
  package_lock:
    record_locks: [/var/lib/dpkg/lock-frontend, /var/lib/apt/lists/lock]
    timeout: 30
"""

RETURN = r"""
holders:
  description: The locks that are still held, each with its holder.
  returned: always
  type: list
  elements: dict
  sample: [{"path": "/var/lib/dpkg/lock-frontend", "pid": 812, "process": "unattended-upgrade",
            "starter": "apt.systemd.daily", "left_over": false}]
"""

import errno
import fcntl
import os
import re
import struct
import time

from ansible.module_utils.basic import AnsibleModule

# struct flock of 64-bit Linux: type, whence, start, length, pid.
FLOCK = "hhqqi4x"
# Interpreters: what they run says more.
INTERPRETER = re.compile(r"(python|perl|ruby|(ba|da)?sh)[0-9.]*\Z")
SECONDS_BETWEEN = 1


def record_holder(path):
    # type: (str) -> int | None
    """Return the process that holds a record lock on the file: its ID, 0 if it is not visible."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise
    try:
        asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        found = struct.unpack(FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    finally:
        os.close(descriptor)
    return None if found[0] == fcntl.F_UNLCK else max(found[4], 0)


def file_holder(path):
    # type: (str) -> int | None
    """Return the running process whose ID is in the file; None for one that has ended."""
    try:
        with open(path) as file:
            pid = int(file.read().strip() or 0)
    except (IOError, OSError, ValueError):
        return None
    return pid if pid > 0 and os.path.isdir("/proc/%d" % pid) else None


def open_holder(path):
    # type: (str) -> int | None
    """Return the process that has the file open: 0 if there is none; None without a file."""
    if not os.path.exists(path):
        return None
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        try:
            for descriptor in os.listdir("/proc/%s/fd" % pid):
                if os.readlink("/proc/%s/fd/%s" % (pid, descriptor)) == path:
                    return int(pid)
        except OSError:
            continue  # it has ended
    # Removed meanwhile?
    return 0 if os.path.exists(path) else None


def name_of(pid):
    # type: (int) -> str
    """Return what the process runs, without its arguments, which may hold secrets."""
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            words = file.read().decode("utf-8", "replace").split("\0")
        with open("/proc/%d/comm" % pid, "rb") as file:
            short = file.read().decode("utf-8", "replace").strip()
    except (IOError, OSError):
        return ""
    named = [os.path.basename(word) for word in words if word and not word.startswith("-")]
    if len(named) > 1 and INTERPRETER.match(named[0]):
        return str(named[1])
    # The whole name where the kernel cut it to 15 characters.
    return str(named[0] if named and named[0].startswith(short) else short)


def parent_of(pid):
    # type: (int) -> int
    """Return the ID of the parent process; 0 if there is none."""
    try:
        with open("/proc/%d/status" % pid) as file:
            found = re.search(r"^PPid:\s*(\d+)", file.read(), re.MULTILINE)
    except (IOError, OSError):
        return 0
    return int(found.group(1)) if found else 0


def starter_of(pid):
    # type: (int) -> str
    """Return the name of the service or session that started the process, if it is another one."""
    top = pid
    parent = parent_of(top)
    while parent > 1:
        top, parent = parent, parent_of(parent)
    return name_of(top) if top != pid else ""


def holders(record_locks, pid_files, lock_files):
    # type: (list[str], list[str], list[str]) -> list[dict[str, object]]
    """Return the locks that are held, each with its holder."""
    found = [(path, record_holder(path)) for path in record_locks]
    found += [(path, file_holder(path)) for path in pid_files]
    found += [(path, open_holder(path)) for path in lock_files]
    return [
        {
            "path": path,
            "pid": pid,
            "process": name_of(pid) if pid else "",
            "starter": starter_of(pid) if pid else "",
            "left_over": pid == 0 and path in lock_files,
        }
        for path, pid in found
        if pid is not None
    ]


def main():
    # type: () -> None
    """Wait for the locks and answer with those that are still held."""
    paths = {"type": "list", "elements": "path", "default": []}
    module = AnsibleModule(
        argument_spec={
            "record_locks": paths,
            "pid_files": paths,
            "lock_files": paths,
            "timeout": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    files = [module.params[name] for name in ("record_locks", "pid_files", "lock_files")]
    timeout = module.params["timeout"]
    # Not the time of day, which a new server may be about to set.
    for second in range(timeout + 1):
        found = holders(*files)
        if not found or second == timeout:
            break
        time.sleep(SECONDS_BETWEEN)
    module.exit_json(changed=False, holders=found)


if __name__ == "__main__":
    main()
