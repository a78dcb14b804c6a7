"""How module `files` enables and starts units of systemd.

Runs on the managed host, so it stays valid Python 2.7 (CentOS 7).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible.module_utils.basic import AnsibleModule  # noqa: F401 (for the types in comments)

PROPERTIES = "LoadState,ActiveState,UnitFileState,NeedDaemonReload"
# What `systemctl is-enabled` takes for enabled, also after the next boot.
ENABLED = ("enabled", "static", "indirect", "generated", "alias")
RUNNING = ("active", "activating", "reloading")


class Units:
    """Brings units into their state, and collects what changed."""

    def __init__(self, module):
        # type: (AnsibleModule) -> None
        self.module = module
        self.changed = []  # type: list[str]

    def bring(self, entry):
        # type: (dict[str, object]) -> None
        """Unmask and enable one unit, and start or restart it if the entry says so."""
        name = str(entry["name"])
        state = self.state(name)
        if state["NeedDaemonReload"] == "yes" or state["LoadState"] == "not-found":
            self.systemctl("daemon-reload")
            state = self.state(name)
        # In check mode the unit, or its package, may not be installed.
        if state["LoadState"] == "not-found" and not self.module.check_mode:
            self.module.fail_json(msg="there is no unit %s" % name)
        steps = []
        if state["LoadState"] == "masked":
            steps.append("unmask")
        if state["UnitFileState"] not in ENABLED:
            steps.append("enable")
        if entry["restart"]:
            steps.append("restart")
        elif entry["start"] and state["ActiveState"] not in RUNNING:
            steps.append("start")
        for step in steps:
            self.systemctl(step, name)
        if steps:
            self.changed.append(name)

    def state(self, name):
        # type: (str) -> dict[str, str]
        """Return the properties of a unit."""
        command = ["systemctl", "show", "--property=" + PROPERTIES, name]
        code, out, said = self.module.run_command(command)
        found = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
        if code or not set(PROPERTIES.split(",")).issubset(found):
            self.module.fail_json(msg="systemd does not tell about %s: %s" % (name, said.strip()))
        return found

    def systemctl(self, *words):
        # type: (*str) -> None
        """Run systemctl, in check mode not; end the task if it fails."""
        if self.module.check_mode:
            return
        command = ["systemctl"]
        command.extend(words)
        code, _out, said = self.module.run_command(command)
        if code:
            self.module.fail_json(
                msg="'systemctl %s' failed: %s" % (" ".join(words), said.strip()),
                exit_status=code,
            )
