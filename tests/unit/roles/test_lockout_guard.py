"""The lockout guard restores what was changed, unless the change is confirmed in time.

The script runs here without a service, with stubs for users; molecule/bootstrap has it as a unit.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

import pytest
from role_tree import PROJECT

SCRIPT = PROJECT / "roles/lockout_guard/files/lockout-guard"
LONG = "600"
# The user's entry is a file beside the stubs: their login shell, or no file where there is no user.
STUBS = {
    "getent": """[ -e HERE/shell ] || exit 2
case $1 in
    passwd) echo "$2:x:1000:1000::HERE/home:$(cat HERE/shell)" ;;
    shadow) echo "$2:a-hash:1::::::" ;;
esac""",
    "usermod": 'echo usermod "$@" >> HERE/log; printf %s "$2" > HERE/shell',
    "chpasswd": "echo chpasswd $(cat) >> HERE/log",
}
# Debian's sh is dash, that of CentOS 7 and EL9 is bash.
SHELLS = pytest.mark.parametrize("start", ["/bin/sh", "/bin/bash --posix"], indirect=True)

Start = Callable[..., subprocess.Popen[bytes]]
WithUser = Callable[[str, str | None, str], list[str]]
StartWithStubs = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A file that is changed after the guard was armed."""
    path = tmp_path / "sshd_config"
    path.write_text("before\n")
    path.chmod(0o640)
    return path


@pytest.fixture
def created(tmp_path: Path) -> Path:
    """A file that is created after the guard was armed."""
    return tmp_path / "sudoers"


@pytest.fixture
def start(
    request: pytest.FixtureRequest, tmp_path: Path, changed: Path, created: Path
) -> Iterator[Start]:
    """Start the guard, wait until it is armed, and change both files."""
    running: list[subprocess.Popen[bytes]] = []

    def guard(seconds: str) -> subprocess.Popen[bytes]:
        shell = getattr(request, "param", "/bin/sh")
        command = [*shell.split(), str(SCRIPT), str(tmp_path / "state"), seconds, "", ""]
        process = subprocess.Popen(  # noqa: S603 (fixed words)
            [*command, str(changed), str(created)], start_new_session=True
        )
        running.append(process)
        wait_for(lambda: (tmp_path / "state/armed").exists())
        changed.write_text("after\n")
        changed.chmod(0o600)
        created.write_text("after\n")
        return process

    yield guard
    for process in running:
        process.kill()
        process.wait()


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("the guard did not react")


def sleep_of(pid: int) -> list[int]:
    """Return the sleep that the guard waits for, if it has begun."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            lines = status.read_text().splitlines()
            if "Name:\tsleep" in lines and f"PPid:\t{pid}" in lines:
                found.append(int(status.parent.name))
    return found


def expire(guard: subprocess.Popen[bytes]) -> None:
    """End the current round of the guard as if its time had passed."""
    wait_for(lambda: bool(sleep_of(guard.pid)))
    os.kill(sleep_of(guard.pid)[0], signal.SIGTERM)


@SHELLS
def test_a_request_restores_both_files_at_once(start: Start, changed: Path, created: Path):
    guard = start(LONG)
    guard.send_signal(signal.SIGUSR1)
    assert guard.wait(timeout=300) == 0
    assert changed.read_text() == "before\n"
    assert changed.stat().st_mode & 0o777 == 0o640
    assert not created.exists()


@SHELLS
def test_a_confirmed_change_stays(start: Start, changed: Path, created: Path):
    guard = start(LONG)
    guard.send_signal(signal.SIGTERM)
    assert guard.wait(timeout=300) == 0
    assert changed.read_text() == created.read_text() == "after\n"


def test_a_change_that_nobody_confirms_is_reverted(
    start: Start, changed: Path, created: Path, tmp_path: Path
):
    expire(start(LONG))
    wait_for(lambda: changed.read_text() == "before\n" and not created.exists())
    assert (tmp_path / "state/expired").exists()


def test_a_run_that_writes_after_the_timeout_is_reverted_again(
    start: Start, changed: Path, tmp_path: Path
):
    guard = start(LONG)
    expire(guard)
    wait_for(lambda: changed.read_text() == "before\n")
    changed.write_text("too late\n")
    expire(guard)
    wait_for(lambda: changed.read_text() == "before\n")


@pytest.mark.parametrize("ending", [signal.SIGUSR1, signal.SIGTERM])
def test_no_copy_is_left(start: Start, tmp_path: Path, ending: signal.Signals):
    guard = start(LONG)
    guard.send_signal(ending)
    guard.wait(timeout=300)
    assert not (tmp_path / "state").exists()


@SHELLS
def test_no_copy_is_left_where_the_removal_is_signalled_too(start: Start, tmp_path: Path):
    """`systemctl stop` sends SIGTERM to every process of a unit, to those that begin then too."""
    guard = start(LONG)
    while guard.poll() is None:
        os.killpg(guard.pid, signal.SIGTERM)
    assert not (tmp_path / "state").exists()


@pytest.fixture
def with_user(tmp_path: Path) -> WithUser:
    """Run the guard for deploy, change their shell, revert; return what the stubs were asked."""

    def run(shell: str, before: str | None, after: str) -> list[str]:
        entry = tmp_path / "shell"
        if before is not None:
            entry.write_text(before)
        command = [*shell.split(), str(script_with_stubs(tmp_path)), str(tmp_path / "state")]
        guard = subprocess.Popen([*command, LONG, "", "deploy"])  # noqa: S603 (fixed words)
        try:
            wait_for(lambda: (tmp_path / "state/armed").exists())
            entry.write_text(after)
            guard.send_signal(signal.SIGUSR1)
            assert guard.wait(timeout=300) == 0
        finally:
            guard.kill()
            guard.wait()
        log = tmp_path / "log"
        return log.read_text().splitlines() if log.exists() else []

    return run


def script_with_stubs(directory: Path, more: Mapping[str, str] = MappingProxyType({})) -> Path:
    """Write the stubs, and a copy of the script that finds them: it sets its own PATH."""
    stubs = directory / "stubs"
    stubs.mkdir()
    for name, text in {**STUBS, **more}.items():
        (stubs / name).write_text("#!/bin/sh\n" + text.replace("HERE", str(directory)) + "\n")
        (stubs / name).chmod(0o755)
    text = SCRIPT.read_text()
    assert text.count("\nPATH=") == 1
    copy = directory / "lockout-guard"
    copy.write_text(text.replace("\nPATH=", f"\nPATH={stubs}:"))
    return copy


BOTH = pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash --posix"])


@BOTH
# An empty one is /bin/sh.
@pytest.mark.parametrize("before", ["/bin/bash", ""])
def test_a_login_shell_that_refuses_the_user_is_taken_back(
    with_user: WithUser, shell: str, before: str, tmp_path: Path
):
    asked = with_user(shell, before, "/usr/sbin/nologin")
    assert asked == ["chpasswd deploy:a-hash", f"usermod --shell {before} deploy"]
    assert (tmp_path / "shell").read_text() == before


@BOTH
def test_a_login_shell_that_stayed_is_left_alone(with_user: WithUser, shell: str):
    assert with_user(shell, "/bin/bash", "/bin/bash") == ["chpasswd deploy:a-hash"]


@BOTH
def test_a_user_who_did_not_exist_has_nothing_to_restore(with_user: WithUser, shell: str):
    assert with_user(shell, None, "/usr/sbin/nologin") == []


@pytest.fixture
def start_with_stubs(tmp_path: Path, changed: Path) -> Iterator[StartWithStubs]:
    """Start the guard of one file for deploy, with more stubs."""
    running: list[subprocess.Popen[bytes]] = []

    def guard(shell: str, **stubs: str) -> subprocess.Popen[bytes]:
        (tmp_path / "shell").write_text("/bin/bash")
        script = script_with_stubs(tmp_path, stubs)
        command = [*shell.split(), str(script), str(tmp_path / "state"), LONG, "", "deploy"]
        running.append(subprocess.Popen([*command, str(changed)]))  # noqa: S603 (fixed words)
        return running[-1]

    yield guard
    for process in running:
        process.kill()
        process.wait()


# The parent of what a stub runs as is the guard's shell.
REQUESTED_EARLY = {
    "armed": {"touch": '/bin/touch "$@"; echo after > HERE/sshd_config; kill -USR1 $PPID'},
    "timer": {"sleep": 'echo after > HERE/sshd_config; kill -USR1 $PPID; exec /bin/sleep "$@"'},
}


@BOTH
@pytest.mark.parametrize("moment", REQUESTED_EARLY)
def test_a_request_before_the_guard_waits_is_answered_at_once(
    start_with_stubs: StartWithStubs, changed: Path, shell: str, moment: str, tmp_path: Path
):
    assert start_with_stubs(shell, **REQUESTED_EARLY[moment]).wait(timeout=300) == 0
    assert changed.read_text() == "before\n"
    assert not (tmp_path / "state").exists()


@BOTH
def test_a_request_while_files_are_restored_restores_them_again(
    start_with_stubs: StartWithStubs, changed: Path, shell: str, tmp_path: Path
):
    """The run may have written once more, to a file that was restored already."""
    again = """cat
[ ! -e HERE/late ] || exit 0
touch HERE/late
echo late > HERE/sshd_config
kill -USR1 $PPID"""
    guard = start_with_stubs(shell, chpasswd=again)
    expire(guard)
    assert guard.wait(timeout=300) == 0
    assert (tmp_path / "late").exists()
    assert changed.read_text() == "before\n"


@BOTH
@pytest.mark.parametrize("ending", [signal.SIGUSR1, signal.SIGTERM])
def test_the_timer_ends_with_the_guard(
    start_with_stubs: StartWithStubs, shell: str, ending: signal.Signals, tmp_path: Path
):
    guard = start_with_stubs(shell, sleep='echo $$ > HERE/timer; exec /bin/sleep "$@"')
    noted = tmp_path / "timer"
    # Its name is that of a sleep before it has written a word.
    wait_for(lambda: noted.exists() and noted.read_text().endswith("\n"))
    guard.send_signal(ending)
    assert guard.wait(timeout=300) == 0
    timer = Path("/proc", noted.read_text().strip(), "cmdline")
    # A process that has ended, and that nobody waited for, has an empty one.
    wait_for(lambda: not timer.exists() or not timer.read_text())
