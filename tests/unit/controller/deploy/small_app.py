"""An app release that is a small tar, in place of this checkout's with all its wheels."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from controller.deploy import app_release

__all__ = ["VERSION", "replace"]

VERSION = "2.0-0123456789ab"


def replace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let this checkout's app be a small tar."""
    path = tmp_path / f"tox_com_det-{VERSION}.tar"
    content = {
        "release.json": json.dumps({"version": VERSION, "target": "debian12", "python": "3.11"}),
        "requirements.txt": "",
        "tox_com_det/http/routes.py": "",
        "tox_com_det/store/verify.py": "",
        "tox_com_det/store/collections.py": "",
    }
    with tarfile.open(path, "w") as archive:
        for name, text in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    release = app_release.AppRelease(VERSION, str(path), app_release.sha256_of(path), True)
    monkeypatch.setattr(app_release, "build", lambda _: release)
    monkeypatch.setattr(app_release, "version_of", lambda *_: VERSION)
    monkeypatch.setattr(app_release, "tar_path", lambda *_: path)
