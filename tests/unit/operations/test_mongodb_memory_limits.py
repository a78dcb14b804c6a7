"""mongod stays within the memory of a 1 GB server.

Smallest cache, few connections, swap and a memory limit on the unit; under memory pressure the
kernel kills the database before the API.
"""

from __future__ import annotations

import pytest
from parsers import mongod, systemd
from rendering import SYSTEMS, VARIANTS, render
from role_tasks import role

LIMITS = "etc/systemd/system/mongod.service.d/tox_com_det.conf.j2"
SLOT = "etc/systemd/system/tox_com_det@.service.j2"


def unit(template: str, of: str, system: str) -> dict[str, str]:
    text = render(template, role(of), system, VARIANTS[0])
    return {name: value for _, name, value in systemd(text)}


@pytest.mark.parametrize("system", SYSTEMS)
def test_mongod_is_sized_for_1_gb(system: str):
    settings = mongod(render("etc/mongod.conf.j2", role("mongodb"), system, VARIANTS[0]))
    assert settings["storage.wiredTiger.engineConfig.cacheSizeGB"] == 0.25
    assert settings["net.maxIncomingConnections"] <= 64


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_unit_limits_memory_with_the_directive_of_its_systemd(system: str):
    limit = unit(LIMITS, "mongodb", system)
    name = "MemoryLimit" if system == "centos7" else "MemoryMax"
    assert limit[name] == "500M"


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_kernel_kills_the_database_before_the_api_and_systemd_restarts_it(system: str):
    database, slot = unit(LIMITS, "mongodb", system), unit(SLOT, "flask_app", system)
    assert int(database["OOMScoreAdjust"]) > int(slot.get("OOMScoreAdjust", 0))
    assert database["Restart"] == "always"


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_unit_does_not_wait_for_a_fork_that_is_not_configured(system: str):
    """MongoDB's EL7 units are Type=forking with a PIDFile: a start that hangs for 90 seconds."""
    settings = mongod(render("etc/mongod.conf.j2", role("mongodb"), system, VARIANTS[0]))
    assert "processManagement.fork" not in settings
    limit = unit(LIMITS, "mongodb", system)
    assert limit["Type"] == "simple"
    # systemd 219 cannot reset it: it ignores an empty path, and says so at each reload.
    assert limit.get("PIDFile") == (None if system == "centos7" else "")


def test_swap_is_enabled_by_default():
    assert role("base").defaults["base_swap_enabled"] is True
