"""Free memory: of the machine, and of a container with control groups of version 1 and 2."""

from __future__ import annotations

from pathlib import Path

import pytest

from toxctl import memory


def tree(root: Path, files: dict[str, str]) -> str:
    """Write files of /proc and /sys below a directory."""
    meminfo = "MemTotal: 9000 kB\nMemAvailable: 4000 kB\n"
    for name, text in {"proc/meminfo": meminfo, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(root)


def test_cached_files_are_free_except_for_a_reserve(tmp_path: Path) -> None:
    """Uploads that were hashed stay cached: a good model was refused for them."""
    files = {
        "proc/meminfo": "MemAvailable: 9000000 kB\n",
        "proc/1/cgroup": "0::/init.scope\n",
        "sys/fs/cgroup/memory.max": f"{1 << 30}\n",
        "sys/fs/cgroup/memory.current": f"{900 << 20}\n",
        "sys/fs/cgroup/memory.stat": f"inactive_file 0\nactive_file {500 << 20}\n",
    }
    assert memory.available(tree(tmp_path, files)) == (1024 - 900 + 500 - 64) << 20


@pytest.mark.parametrize(
    ("files", "free"),
    [
        # A machine: its root group has no limit, or one that means nothing.
        ({"proc/1/cgroup": "0::/init.scope\n"}, 4096000),
        (
            {
                "proc/1/cgroup": "3:memory:/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "5",
                "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 1\ntotal_active_file 0\n",
            },
            4096000,
        ),
        # A container with version 2 sees its own group as the root.
        (
            {
                "proc/1/cgroup": "0::/init.scope\n",
                "sys/fs/cgroup/memory.max": "3000000\n",
                "sys/fs/cgroup/memory.current": "2000000\n",
                "sys/fs/cgroup/memory.stat": "anon 1\ninactive_file 500000\nactive_file 100000\n",
            },
            # Half of the files in use may be needed again at once.
            1550000,
        ),
        # A container with version 1, below a group of its host; version 2 has no memory there.
        (
            {
                "proc/1/cgroup": "9:name=x:/p/c/init.scope\n4:memory:/p/c/init.scope\n0::/p\n",
                "sys/fs/cgroup/memory/p/c/memory.limit_in_bytes": "3000000",
                "sys/fs/cgroup/memory/p/c/memory.usage_in_bytes": "2900000",
                "sys/fs/cgroup/memory/p/c/memory.stat": "inactive_file 0\ntotal_inactive_file 9\n"
                "active_file 0\ntotal_active_file 0\n",
            },
            100009,
        ),
        (
            {
                "proc/1/cgroup": "0::/init.scope\n",
                "sys/fs/cgroup/memory.max": "max\n",
                "sys/fs/cgroup/memory.current": "2000000\n",
                "sys/fs/cgroup/memory.stat": "inactive_file 500000\nactive_file 0\n",
            },
            4096000,
        ),
        # The first kernels of CentOS 7.
        (
            {"proc/1/cgroup": "0::/\n", "proc/meminfo": "MemTotal: 9000 kB\nMemFree: 3000 kB\n"},
            3072000,
        ),
    ],
    ids=["machine", "machine-v1", "container-v2", "container-v1", "no-limit-v2", "no-available"],
)
def test_free_is_what_both_machine_and_container_have(
    tmp_path: Path, files: dict[str, str], free: int
) -> None:
    assert memory.available(tree(tmp_path, files)) == free


def test_report_of_a_container_has_its_limit_and_use(tmp_path: Path) -> None:
    files = {
        "proc/1/cgroup": "0::/init.scope\n",
        "sys/fs/cgroup/memory.max": "3000000\n",
        "sys/fs/cgroup/memory.current": "2000000\n",
        "sys/fs/cgroup/memory.stat": "inactive_file 500000\nactive_file 100000\n",
    }
    assert memory.report(tree(tmp_path, files)) == {
        "limit": 3000000,
        "used": 2000000,
        "available": 1550000,
        "total": 9216000,
    }


def test_report_of_a_machine_has_no_limit(tmp_path: Path) -> None:
    files = {
        "proc/1/cgroup": "3:memory:/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "5",
        "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 1\ntotal_active_file 0\n",
    }
    found = memory.report(tree(tmp_path, files))
    assert found == {"limit": None, "used": None, "available": 4096000, "total": 9216000}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"proc/self/cgroup": "0::/system.slice/a.service\n"}, 9216000),
        (
            {
                "proc/self/cgroup": "0::/system.slice/a.service\n",
                "sys/fs/cgroup/memory.max": "3000000\n",
                "sys/fs/cgroup/system.slice/memory.max": "max\n",
                "sys/fs/cgroup/system.slice/a.service/memory.max": "100\n",
            },
            3000000,
        ),
        (
            {
                "proc/self/cgroup": "3:cpu:/x\n4:memory:/pod/one/system.slice/a.service\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/pod/one/memory.limit_in_bytes": "2000000\n",
                "sys/fs/cgroup/memory/pod/one/system.slice/a.service/memory.limit_in_bytes": "9\n",
            },
            2000000,
        ),
    ],
)
def test_units_may_use_what_the_machine_or_the_container_has(
    tmp_path: Path, files: dict[str, str], expected: int
) -> None:
    """Of the unit's own limit nothing follows for the others."""
    assert memory.usable_by_units(tree(tmp_path, files)) == expected
