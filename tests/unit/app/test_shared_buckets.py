"""Rates that several workers of a slot count together, in a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tox_com_det.keys.buckets import SharedBuckets
from tox_com_det.keys.quotas import Quotas

# Takes from a bucket that never fills, and prints how often that was allowed.
WORKER = """
import sys
from pathlib import Path
from tox_com_det.keys.buckets import SharedBuckets
from tox_com_det.keys.quotas import Quotas
quotas = Quotas(SharedBuckets(Path(sys.argv[1])), lambda: 0.0)
print(sum(not quotas.take("key a", 1, 500).is_exceeded for _ in range(400)))
"""


def test_workers_count_together(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, "-c", WORKER, str(tmp_path / "rates")],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    allowed = [int(worker.communicate()[0]) for worker in workers]
    assert sum(allowed) == 500


def test_names_have_buckets_of_their_own(tmp_path: Path) -> None:
    quotas = Quotas(SharedBuckets(tmp_path / "rates"), lambda: 0.0)
    for number in range(500):
        assert quotas.take(f"address {number}", 1, 2).left == 1
    for number in range(500):
        assert quotas.take(f"address {number}", 1, 2).left == 0
        assert quotas.take(f"address {number}", 1, 2).is_exceeded


def test_the_file_does_not_grow_and_forgets_who_was_quiet_longest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SharedBuckets, "PLACES", 8)
    now = [0.0]
    path = tmp_path / "rates"
    quotas = Quotas(SharedBuckets(path), lambda: now[0])
    size = path.stat().st_size
    for number in range(9):
        now[0] = float(number) / 1000
        quotas.take(f"address {number}", 1, 2)
    assert path.stat().st_size == size
    assert quotas.take("address 8", 1, 2).left == 0
    assert quotas.take("address 0", 1, 2).left == 1
