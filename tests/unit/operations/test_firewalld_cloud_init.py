"""Role firewalld says what the package manager removes for it, before it does."""

from __future__ import annotations

import pytest
from rendering import SYSTEMS, VARIANTS, evaluate, variables
from role_tasks import role, task


@pytest.mark.parametrize(
    ("system", "installed", "told"),
    [
        ("debian13", {"cloud-init": "25"}, True),
        ("debian13", {"cloud-init": "25", "firewalld": "2", "nftables": "1"}, False),
        ("debian13", {"nginx": "1"}, False),
        ("debian12", {"cloud-init": "22"}, False),
        ("el9", {"cloud-init": "24"}, False),
    ],
)
def test_cloud_init_that_conflicts_is_named(system: str, installed: dict[str, str], told: bool):
    """Debian 13's cloud-init conflicts with firewalld."""
    known = variables(role("firewalld"), system, VARIANTS[0])
    report = task("firewalld", "Report what the package manager removes for firewalld").data
    given = {**known, "ansible_facts": {**SYSTEMS[system], "packages": installed}}
    given["__firewalld_removed"] = evaluate(report["vars"]["__firewalld_removed"], given)
    said = [bool(evaluate("{{ " + when + " }}", given)) for when in report["when"]]
    assert all(said) is told
