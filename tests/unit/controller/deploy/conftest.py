"""What the tests of the laptop's tasks share."""

from __future__ import annotations

from pathlib import Path

import pytest
from local_remote import LocalRemote

from controller.deploy.model_builder import build_bundle


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
