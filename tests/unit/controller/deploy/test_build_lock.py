"""Ansible asks for a build once per host, for several hosts at once: it is made once."""

from __future__ import annotations

import threading
from pathlib import Path

from controller.deploy.targets import target
from controller.deploy.wheels import Wheels, download

SYSTEM = target("debian12")


def test_builds_at_the_same_time_download_once(tmp_path: Path) -> None:
    lock, out = tmp_path / "lock.txt", tmp_path / "build" / "wheels"
    lock.write_text("numpy==1\n")
    begun = threading.Barrier(4)
    runs: list[list[str]] = []
    found: list[Wheels] = []

    def pip(command: list[str]) -> None:
        runs.append(command)
        directory = Path(command[command.index("--dest") + 1])
        (directory / "numpy-1-py3-none-any.whl").write_bytes(b"wheel")

    def build() -> None:
        begun.wait(300)
        found.append(download(lock, SYSTEM, out, pip))

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert len(runs) == 1
    assert sorted(one.changed for one in found) == [False, False, False, True]
    assert all(one.names == ["numpy-1-py3-none-any.whl"] for one in found)
