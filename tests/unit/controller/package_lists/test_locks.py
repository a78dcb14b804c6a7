"""The holders of the package manager's lock, in words."""

from __future__ import annotations

from controller.package_lists.locks import holder_words, still_locked

UPGRADE = {
    "path": "/var/lib/dpkg/lock-frontend",
    "pid": 812,
    "process": "unattended-upgrade",
    "starter": "apt.systemd.daily",
}


def test_a_process_with_two_locks_is_named_once():
    words = holder_words([UPGRADE, {**UPGRADE, "path": "/var/lib/dpkg/lock"}])
    assert words == "unattended-upgrade (pid 812, started by apt.systemd.daily)"


def test_two_processes_are_both_named():
    other = {"path": "/var/lib/apt/lists/lock", "pid": 9, "process": "apt-get", "starter": ""}
    assert holder_words([UPGRADE, other]).endswith(" and apt-get (pid 9)")


def test_a_process_outside_the_container_is_not_invented():
    assert "does not show (/a)" in holder_words(
        [{"path": "/a", "pid": 0, "process": "", "starter": ""}]
    )


def test_the_end_of_the_wait_is_one_line_with_the_next_command():
    line = still_locked("apt", "nanode", [UPGRADE], 600)
    assert "\n" not in line
    for words in ("apt on nanode", "600 s", "unattended-upgrade", "`sudo ps -fp 812`", "Rerun"):
        assert words in line
    assert "package_lists_lock_timeout" in line


def test_without_a_visible_process_the_lock_is_looked_at():
    hidden = {**UPGRADE, "pid": 0}
    assert f"`sudo fuser -v {UPGRADE['path']}`" in still_locked("apt", "nanode", [hidden], 5)
