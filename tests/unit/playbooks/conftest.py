"""What the tests of playbooks share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers at these hosts: try once, without the pauses between attempts."""
    monkeypatch.setenv("ANSIBLE_SSH_RETRIES", "0")
