"""Where things are in the checkout, whatever directory a command is called from."""

from __future__ import annotations

from pathlib import Path

__all__ = ["APP_PACKAGE", "APP_REQUIREMENTS", "BUILD", "BUNDLE", "DUMP", "ROOT", "SAMPLE_MODEL"]

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
BUNDLE = BUILD / "bundle"
DUMP = BUILD / "dump"
SAMPLE_MODEL = ROOT / "sample_model"
APP_PACKAGE = ROOT / "app" / "tox_com_det"
APP_REQUIREMENTS = ROOT / "app" / "requirements"
