"""restic without encryption: a repository is a directory of snapshots, each a copy of its files.

`fails` beside it makes a command fail: lines of `<command>|<exit code>|<message>`, or
`<command>|kill|` to end with a signal half way. `ahead` beside it: by how many days the clock of a
backup is ahead.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# The tests have the repository below the directory that is backed up.
IGNORED = shutil.ignore_patterns("repository", "elsewhere")
SCRIPT = '#!/bin/sh\nexec {python} -I {file} {state} "$@"\n'


def options(words: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """Return the words that are no options, and the options with their values."""
    plain: list[str] = []
    found: dict[str, list[str]] = {}
    valued = {"--host", "--tag", "--set", "--target", "--mode", "-o", "--group-by"}
    rest = iter(words)
    for word in rest:
        if word in valued or word.startswith("--keep-"):
            found.setdefault(word, []).append(next(rest))
        elif word.startswith("-"):
            found.setdefault(word, []).append("")
        else:
            plain.append(word)
    return plain, found


def main(state: Path, arguments: list[str]) -> int:
    plain, found = options(arguments)
    command = plain.pop(0)
    repository = Path(os.environ["RESTIC_REPOSITORY"])
    with (state / "restic.log").open("a") as log:
        log.write(" ".join(arguments) + "\n")
    faults = state / "restic.fails"
    for line in faults.read_text().splitlines() if faults.exists() else []:
        name, code, message = line.split("|", 2)
        if name == command and code == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if name == command:
            print(message, file=sys.stderr)
            if code != "3":  # restic has kept a snapshot of what it could read
                return int(code)
    password = Path(os.environ["RESTIC_PASSWORD_FILE"]).read_text()
    config = repository / "config"
    if command == "init":
        repository.mkdir(exist_ok=True)
        config.write_text(json.dumps({"id": os.urandom(8).hex(), "password": password}))
        return 0
    if not config.exists():
        print(
            f"Fatal: unable to open config file: stat {config}: no such file or directory\n"
            f"Is there a repository at the following location?\n{repository}",
            file=sys.stderr,
        )
        return 10
    if json.loads(config.read_text())["password"] != password:
        print("Fatal: wrong password or no key found", file=sys.stderr)
        return 12
    ahead = state / "restic.ahead"
    days = int(ahead.read_text()) if ahead.exists() else 0
    return run(repository, command, plain, found, time.time() + days * 86_400)


def run(
    repository: Path, command: str, plain: list[str], found: dict[str, list[str]], now: float
) -> int:
    if command == "cat":
        print(json.dumps({"id": json.loads((repository / "config").read_text())["id"]}))
    elif command == "backup":
        name = os.urandom(16).hex()
        top = repository / name
        # Of a directory that is not there, restic 0.14 says only that it is skipped.
        for path in filter(os.path.isdir, plain):
            target = top / "files" / path.lstrip("/")
            shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True, ignore=IGNORED)
        at = datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
        write(
            top,
            {"id": name, "hostname": found["--host"][0], "tags": found["--tag"], "time": at},
        )
        print('{"message_type":"status","percent_done":0.5}')
        print(json.dumps({"message_type": "summary", "snapshot_id": name, "data_added": 7,
                          "total_bytes_processed": 70}))  # fmt: skip
        return 3 if (repository / "unreadable").exists() else 0
    elif command == "tag":
        (old,) = matching(repository, plain)
        new = os.urandom(16).hex()
        (repository / old).rename(repository / new)
        value = read(repository / new)
        value |= {"id": new, "tags": found["--set"][0].split(",")}
        value.setdefault("original", old)
        write(repository / new, value)
    elif command == "snapshots":
        values = [read(path.parent) for path in repository.glob("*/snapshot.json")]
        tags = set(found["--tag"][0].split(","))
        hosts = found.get("--host") or [one["hostname"] for one in values]
        print(json.dumps([one for one in values if tags <= set(one["tags"])
                          and one["hostname"] in hosts]))  # fmt: skip
    elif command == "stats":
        print('{"total_size":1000,"total_file_count":3}')
    elif command == "restore":
        (name,) = matching(repository, plain)
        shutil.copytree(
            repository / name / "files", found["--target"][0], symlinks=True, dirs_exist_ok=True
        )
    elif command == "forget":
        for name in matching(repository, plain):
            shutil.rmtree(repository / name)
    return 0


def matching(repository: Path, names: list[str]) -> list[str]:
    return [one.name for one in repository.iterdir() if any(map(one.name.startswith, names))]


def read(path: Path) -> dict[str, Any]:
    return json.loads((path / "snapshot.json").read_text())


def write(path: Path, value: dict[str, object]) -> None:
    (path / "snapshot.json").write_text(json.dumps(value))


def install(directory: Path, state: Path) -> None:
    """Write the program into a directory."""
    script = SCRIPT.format(python=sys.executable, file=__file__, state=state)
    (directory / "restic").write_text(script)
    (directory / "restic").chmod(0o755)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
