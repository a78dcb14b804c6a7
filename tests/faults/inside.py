"""Runs in the container, as root, with the server's own Python.

`state` prints what the tests compare. `when CONDITION VALUE ACTION VALUE SECONDS` waits for a
moment of a deploy and acts then. Each prints one JSON object. Standard library only; it observes
the server without toxctl, which is under test.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

SERVER_JSON = "/etc/tox_com_det/server.json"
ACTIVATION = "/run/tox_com_det-activate.lock"
STEP_SECONDS = 0.005


def read_json(path: str) -> Any:
    """The content of a file, None if there is none or if it is being written."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


CONFIG = read_json(SERVER_JSON)


def deploy_lock() -> dict[str, Any]:
    """The holder of the deploy lock, {} if it is free."""
    return read_json(CONFIG.get("deploy_lock_file", "/run/tox_com_det-deploy.lock")) or {}


def activation() -> dict[str, Any]:
    """The holder of the activation lock, {} if it is free."""
    return read_json(CONFIG.get("lock_file", ACTIVATION)) or {}


def live() -> str | None:
    """The slot that the live link points to."""
    try:
        target = os.readlink(CONFIG["live_link"])
    except OSError:
        return None
    return next(
        (one for one in CONFIG["slots"] if CONFIG["socket"].format(slot=one) == target), None
    )


def confirmed() -> dict[str, Any]:
    """confirmed.json, {} if there is none."""
    return read_json(os.path.join(CONFIG["state_dir"], "confirmed.json")) or {}


def show(unit: str, *names: str) -> dict[str, str]:
    """Properties of a unit."""
    command = ["systemctl", "show", unit, *(word for name in names for word in ("-p", name))]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 (words of the tests, no shell)
    return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)


def is_enabled(name: str) -> bool:
    """Whether a unit starts at boot, by its files: `show` may have cached others."""
    command = ["systemctl", "is-enabled", "--quiet", name]
    return subprocess.run(command, check=False).returncode == 0  # noqa: S603 (words of the tests, no shell)


def unit(slot: str | None) -> str:
    return CONFIG["unit"].format(slot=slot)


def main_pid(*names: str) -> int:
    """The main process of a unit, whose name differs from system to system; 0 if none runs."""
    return max(int(show(name, "MainPID").get("MainPID", "0")) for name in names)


def idle() -> str:
    return next(slot for slot in CONFIG["slots"] if slot != live())


def state() -> dict[str, Any]:
    """Everything that the tests compare."""
    slots = {}
    for slot in CONFIG["slots"]:
        seen = show(unit(slot), "ActiveState", "MainPID")
        slots[slot] = {
            "active": seen["ActiveState"],
            "pid": int(seen["MainPID"]),
            "enabled": is_enabled(unit(slot)),
            "pinned": read_json(os.path.join(CONFIG["slots_dir"], f"{slot}.json")),
        }
    return {
        "live": live(),
        "slots": slots,
        "confirmed": confirmed(),
        "lock": deploy_lock(),
        "activation": activation(),
        "database": main_pid("secantusdb.service", "mongod.service"),
        "app": os.path.realpath(CONFIG["app_link"]),
    }


def parent(pid: int) -> tuple[str, int]:
    """Name and parent of a process."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        before, _, after = file.read().rpartition(")")
    return before.partition("(")[2], int(after.split()[1])


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        return [int(word) for word in file.read().split()]


def kill_ssh(_: str) -> str:
    """Kill the sshd processes of the connection that holds the deploy lock."""
    listener, pid = main_pid("ssh.service", "sshd.service"), int(deploy_lock()["pid"])
    killed = []
    while pid > 1 and pid != listener:
        name, above = parent(pid)
        if name.startswith("sshd"):
            killed.append(pid)
        pid = above
    if not killed:
        raise SystemExit(f"no sshd above {deploy_lock()}")
    for one in killed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
    return f"killed sshd {killed}"


def kill_main(slot: str) -> str:
    """Kill the main process of a slot: `live`, or a slot's name."""
    pid = main_pid(unit(live() if slot == "live" else slot))
    os.kill(pid, signal.SIGKILL)
    return f"killed {pid}"


def hang(slot: str) -> str:
    """Stop the processes of a slot (SIGSTOP): they neither end nor answer."""
    pid = main_pid(unit(live() if slot == "live" else slot))
    stopped = [pid, *children(pid)]
    if len(stopped) < 2:
        raise SystemExit(f"process {pid} of slot {slot} has no worker to stop")
    for one in stopped:
        os.kill(one, signal.SIGSTOP)
    return f"stopped {stopped}"


def stop_activation(_: str) -> str:
    """Stop the process that switches (SIGSTOP), so that the moment lasts until it is killed."""
    pid = int(activation()["pid"])
    os.kill(pid, signal.SIGSTOP)
    return f"stopped {pid}"


def kill_worker(slot: str) -> str:
    """Kill the worker of a slot, a child of its main process."""
    pid = main_pid(unit(live() if slot == "live" else slot))
    workers = children(pid)
    if not workers:
        raise SystemExit(f"process {pid} of slot {slot} has no worker to kill")
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    return f"killed {workers}"


def part_size() -> int:
    """Bytes of the incomplete uploads."""
    sizes = [0]
    for path in glob.glob(f"{CONFIG['incoming_dir']}/*/*.part"):
        with contextlib.suppress(OSError):
            sizes.append(os.path.getsize(path))
    return sum(sizes)


def flipped_for(seconds: str) -> bool:
    """Whether the live link has pointed to an unconfirmed slot for so many seconds."""
    if live() == confirmed().get("slot"):
        flips.clear()
        return False
    flips.append(time.monotonic())
    return flips[-1] - flips[0] >= float(seconds)


flips: list[float] = []

CONDITIONS: dict[str, Callable[[str], bool]] = {
    "now": lambda _: True,
    "phase": lambda name: deploy_lock().get("phase") == name,
    "silent": lambda seconds: time.time() - deploy_lock().get("seen", time.time()) > float(seconds),
    "free": lambda _: not deploy_lock() and not activation(),
    "candidate-starts": lambda _: main_pid(unit(idle())) > 0,
    "flipped-for": flipped_for,
    "uploaded": lambda size: part_size() >= int(size),
}
ACTIONS: dict[str, Callable[[str], str]] = {
    "nothing": lambda _: "",
    "kill-ssh": kill_ssh,
    "kill-main": kill_main,
    "kill-worker": kill_worker,
    "hang": hang,
    "stop-activation": stop_activation,
}


def when(condition: str, value: str, action: str, what: str, seconds: float) -> dict[str, Any]:
    """Wait for the condition, then act; SystemExit if it does not come in time."""
    end = time.monotonic() + seconds
    while not CONDITIONS[condition](value):
        if time.monotonic() > end:
            raise SystemExit(f"{condition} {value} was not reached in {seconds:g} s: {state()}")
        time.sleep(STEP_SECONDS)
    # To find what to act on takes a moment of its own.
    at = time.time()
    did = ACTIONS[action](what)
    return {"at": at, "until": time.time(), "did": did}


if __name__ == "__main__":
    if sys.argv[1] == "state":
        print(json.dumps(state()))
    else:
        condition, value, action, what, seconds = sys.argv[2:]
        print(json.dumps(when(condition, value, action, what, float(seconds))))
