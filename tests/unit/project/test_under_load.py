"""scripts/test-under-load runs the test command of a clone several times beside busy loops."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
SCRIPT = Path("scripts") / "test-under-load"
# Stands in for the tests: counts its runs outside of the clone, and the loops beside each. A loop
# that was started a moment ago may not have its name yet.
COUNTING = """echo run >>"$RUNS"
until loops=$(grep -l 'while [k]ill -0' /proc/[0-9]*/cmdline 2>/dev/null); [ -n "$loops" ]; do
    sleep 0.05
done
echo "$loops" | wc -l >>"$LOOPS"
[ "$(wc -l <"$RUNS")" -lt "$FAILS_AT" ] || { echo "a test failed"; exit 1; }
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with the script and a test command of its own."""
    made = tmp_path / "checkout"
    for name in (SCRIPT, Path("scripts") / "utf8.sh"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, made / name)
    (made / ".ci").mkdir()
    (made / ".ci" / "run").write_text(COUNTING, encoding="utf-8")
    (made / ".gitignore").write_text("build/\n", encoding="utf-8")
    for command in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "-m", "a"],
    ):
        # Without the user's settings, which may ask for a signature.
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", *command], cwd=made, check=True, env=environment)  # noqa: S603 S607 (words of the test)
    return made


def run(
    checkout: Path, *arguments: str, fails_at: int = 100
) -> tuple[subprocess.CompletedProcess[str], list[str], list[str]]:
    """The finished script, its runs of the tests, and how many loops each had beside it."""
    files = [checkout.parent / name for name in ("runs", "loops")]
    done = subprocess.run(  # noqa: S603 (words of the test)
        [checkout / SCRIPT, *arguments],
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "TMPDIR": str(checkout.parent),
            "RUNS": str(files[0]),
            "LOOPS": str(files[1]),
            "FAILS_AT": str(fails_at),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    runs, loops = ([] if not one.exists() else one.read_text().split() for one in files)
    return done, runs, loops


def test_every_run_has_the_loops_beside_it(checkout: Path) -> None:
    done, runs, loops = run(checkout, "2", "1")
    assert done.returncode == 0, done.stderr
    assert len(runs) == 2
    assert len(loops) == 2
    assert all(int(number) >= 1 for number in loops)
    assert "passed 2 times in a row beside 1 loops" in done.stdout
    left = [path.name for path in checkout.parent.iterdir()]
    assert sorted(left) == ["checkout", "loops", "runs"]


def test_the_first_run_that_fails_is_the_last(checkout: Path) -> None:
    done, runs, _ = run(checkout, "3", "1", fails_at=2)
    assert done.returncode == 1
    assert len(runs) == 2
    assert "a test failed" in done.stderr
    assert "run 2 failed" in done.stderr


@pytest.mark.parametrize("arguments", [("x",), ("0",), ("1", "-1"), ("1", "")])
def test_numbers_are_whole(checkout: Path, arguments: tuple[str, ...]) -> None:
    done, runs, _ = run(checkout, *arguments)
    assert done.returncode == 1
    assert runs == []
    assert "is not a whole number of 1 or more" in done.stderr
