"""The hosts of scripts/test-leaving: their inventory, and how they are asked."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

from controller.deploy.paths import BUILD, ROOT

WORK = BUILD / "leaving"
MINE = WORK / "mine"


def variables(file: Path) -> dict[str, Any]:
    """Return the variables of the one host that `python -m controller.nanode create` wrote."""
    lines = file.read_text(encoding="utf-8").splitlines()[1:]  # below a comment
    (host,) = json.loads("\n".join(lines))["tox_com_det"]["hosts"].values()
    return dict(host)


def run(file: Path, script: str, *arguments: str) -> str:
    """Run a shell script on a host as root and return what it printed."""
    host = variables(file)
    words = ["sh", "-euc", script, "sh", *arguments]
    user = "deploy" if file.parent == MINE else "root"
    words = ["sudo", *words] if user != "root" else words
    command = ["ssh", "-p", str(host["ansible_port"]), "-i", host["ansible_ssh_private_key_file"]]
    command += [*shlex.split(host["ansible_ssh_common_args"]), f"{user}@{host['ansible_host']}"]
    done = subprocess.run(  # noqa: S603 (words of the tests)
        [*command, shlex.join(words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{file.stem}: {script}: {done.stderr}{done.stdout}")
    return done.stdout.strip()


def fab(*words: str) -> str:
    """Run a task of fab on the inventory and return what it printed."""
    environment = {**os.environ, "ANSIBLE_INVENTORY": str(MINE)}
    done = subprocess.run(  # noqa: S603 (words of the tests)
        ["fab", *words],  # noqa: S607 (of the environment that runs this)
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"fab {shlex.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout
