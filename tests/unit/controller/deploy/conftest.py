"""What the tests of the laptop's tasks and of the slot tool share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_server import FakeServer
from local_remote import LocalRemote

from controller.deploy.model_builder import build_bundle


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    """A fake server with one app release and no model."""
    fake = FakeServer(tmp_path / "server")
    yield fake
    fake.close()


@pytest.fixture
def serving(server: FakeServer) -> FakeServer:
    """A fake server on which model `one` is live in slot blue."""
    done = server.activate("--model", str(server.model("one").path))
    assert done.returncode == 0, done.stderr
    assert server.live_model() == "one"
    server.unswitch("log")
    return server


@pytest.fixture
def remote(tmp_path: Path) -> LocalRemote:
    """A server that is a directory."""
    return LocalRemote(tmp_path / "remote")


@pytest.fixture(scope="session")
def built_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample model's bundle, built once. Not to be changed: copy it."""
    out = tmp_path_factory.mktemp("built") / "bundle"
    build_bundle(None, None, out, say=lambda _: None)
    return out
