"""`make up` prepares the environment and the container's image at the same time."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
# Ends a hang.
WAIT = "for _ in $(seq 600); do if [ -e {} ]; then exit; fi; sleep 0.1; done; exit 9"
# A program that takes every call and writes it down.
RECORD = 'echo "${0##*/} $*" >>"$RAN"'


class Checkout:
    """scripts/up with a Python and tools that only write down how they are called."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("up", "utf8.sh", "python.sh"):
            self.path(f"scripts/{name}")
            shutil.copy(CHECKOUT / "scripts" / name, root / "scripts" / name)
        for name in ("python", "ansible", "ansible-playbook", "fab"):
            self.fake(f".venv/bin/{name}", RECORD)
        self.fake("scripts/venv", "")
        self.image("")

    def path(self, name: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def fake(self, name: str, text: str) -> None:
        path = self.path(name)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def image(self, text: str) -> None:
        """What the host's Python does when it is asked for the image; to all else it says yes."""
        self.fake("host/python3.11", f'case "$*" in *nanode*) {RECORD}\n{text} ;; esac')

    def run(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 (built here)
            [self.root / "scripts/up"],
            env={
                **os.environ,
                "PATH": f"{self.root}/host:{os.environ['PATH']}",
                "RAN": str(self.root / "ran"),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def ran(self) -> list[str]:
        return (self.root / "ran").read_text().splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_all_steps_run_one_after_the_other(checkout: Checkout) -> None:
    done = checkout.run()
    assert done.returncode == 0, done.stderr
    assert checkout.ran() == [
        "python3.11 -m controller.nanode image",
        "python -m controller.nanode create",
        "ansible tox_com_det --module-name ansible.builtin.ping",
        "ansible-playbook site.yml",
        "fab build-model",
        "fab restore-embeddings deploy-model",
        "fab test-model",
        "python -m controller.nanode url",
    ]


def test_environment_and_image_are_made_at_the_same_time(checkout: Checkout) -> None:
    """Each waits for the other to have begun."""
    one, other = checkout.root / "one", checkout.root / "other"
    checkout.fake("scripts/venv", f"touch {one}; {WAIT.format(other)}")
    checkout.image(f"touch {other}; {WAIT.format(one)}")
    done = checkout.run()
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("failed", ["environment", "image"])
def test_nothing_is_created_without_both(checkout: Checkout, failed: str) -> None:
    if failed == "image":
        checkout.image("echo 'nanode: no engine' >&2; exit 3")
    else:
        checkout.fake("scripts/venv", "echo 'venv: no packages' >&2; exit 3")
    done = checkout.run()
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == (2 if failed == "image" else 1)
    assert checkout.ran() == ["python3.11 -m controller.nanode image"]
