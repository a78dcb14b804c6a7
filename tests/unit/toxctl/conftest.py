"""What the tests of toxctl share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_server import FakeServer

from toxctl import config
from toxctl.slots import Slots


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    """A fake server with one app release and no model."""
    fake = FakeServer(tmp_path / "server")
    yield fake
    fake.close()


@pytest.fixture
def serving(server: FakeServer) -> FakeServer:
    """A fake server on which model `one` is live in slot blue."""
    server.make_live("one")
    return server


@pytest.fixture
def slots(serving: FakeServer) -> Slots:
    """The slots of a server on which model `one` is live."""
    return Slots(config.load(str(serving.config_path)))
