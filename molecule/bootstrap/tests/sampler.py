"""Looks through /proc over and over for secrets that are given on standard input, one per line.

Run on its own, here and in the container. Prints the arguments or the environment that held one,
and at the end, when standard input closes, how often it looked.
"""

import os
import select
import sys


def look(needles, me):
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or int(pid) == me:
            continue
        for name in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as shown:
                    text = shown.read()
            except OSError:
                continue
            if any(needle in text for needle in needles):
                yield name, text


def main():
    needles = []
    for line in iter(sys.stdin.readline, "\n"):
        needles.append(line.strip().encode())
    seen = set()
    looks = 0
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        looks += 1
        for hit in look(needles, os.getpid()):
            if hit not in seen:
                seen.add(hit)
                print("LEAK", *hit, flush=True)
    print("LOOKS", looks, flush=True)


if __name__ == "__main__":
    main()
