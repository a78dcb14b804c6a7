"""What the commands of the Makefile are given from the environment of the caller."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]


def test_python_keeps_what_it_has_compiled(tmp_path: Path) -> None:
    text = (PROJECT / "Makefile").read_text(encoding="utf-8")
    shown = "shown:\n\t@echo $${PYTHONDONTWRITEBYTECODE-unset}\n"
    (tmp_path / "Makefile").write_text(f"{text}\n{shown}", encoding="utf-8")
    (tmp_path / "scripts").symlink_to(PROJECT / "scripts")
    done = subprocess.run(
        # The tests may run below another make, which has this one name its directory.
        ["make", "--no-print-directory", "shown"],  # noqa: S607 (the caller's make)
        cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "unset\n"), done.stderr
