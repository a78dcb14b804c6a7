"""Coverage is measured where the measured packages run.

The tracer doubles the time of all Python code, also of what it does not count: Ansible's templates,
linters, the thousands of examples of the fuzz, the programs that a test starts.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, settings

# Hypothesis' own limits of time are missed on a busy machine.
settings.register_profile(
    "busy", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy")
# Tests compare the system's messages in English, and the fab tasks select the language of the user.
os.environ["LC_ALL"] = "C.UTF-8"
# Ansible writes to the home directory as soon as it is imported.
if not os.access(Path.home(), os.W_OK):
    os.environ.setdefault("ANSIBLE_HOME", tempfile.mkdtemp(prefix="ansible-home-"))

TESTS = Path(__file__).parent
# Their tests run Ansible, templates, linters and pages, and code that other tests cover.
UNMEASURED = tuple(
    TESTS / name
    for name in (
        "fuzz",
        "unit/docs",
        "unit/lint_rules",
        "unit/operations",
        "unit/playbooks",
        "unit/plugins",
        "unit/roles",
    )
)
# With it, coverage starts itself in a process of Python (`patch` in pyproject.toml).
IN_PROCESSES = "COVERAGE_PROCESS_CONFIG"


def is_measured(path: Path) -> bool:
    """Return whether the tests in the file are run with coverage."""
    return not any(path.is_relative_to(directory) for directory in UNMEASURED)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Pause the coverage of `pytest --cov` during a test that is not measured."""
    running = Coverage.current()
    if running is None or is_measured(item.path):
        return (yield)
    config = os.environ.pop(IN_PROCESSES, None)
    running.stop()
    try:
        return (yield)
    finally:
        running.start()
        if config is not None:
            os.environ[IN_PROCESSES] = config
