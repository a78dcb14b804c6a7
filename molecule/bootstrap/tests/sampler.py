"""Scan /proc repeatedly for secrets, which are read from standard input, one per line.

Runs as a separate program on the controller and in the container. Prints each argument list or
environment that contains a secret and, when standard input closes, the number of scans.
"""

import os
import select
import sys
from collections.abc import Iterator


def scan(needles: list[bytes], own_pid: int) -> Iterator[tuple[str, bytes]]:
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or int(pid) == own_pid:
            continue
        for name in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    text = file.read()
            except OSError:
                continue
            if any(needle in text for needle in needles):
                yield name, text


def main() -> None:
    needles: list[bytes] = []
    for line in iter(sys.stdin.readline, "\n"):
        needles.append(line.strip().encode())
    seen: set[tuple[str, bytes]] = set()
    scans = 0
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        scans += 1
        for hit in scan(needles, os.getpid()):
            if hit not in seen:
                seen.add(hit)
                print("LEAK", *hit, flush=True)
    print("SCANS", scans, flush=True)


if __name__ == "__main__":
    main()
