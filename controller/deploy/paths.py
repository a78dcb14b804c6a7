"""The paths of the checkout, and paths that the user types."""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "APP_PACKAGE",
    "APP_REQUIREMENTS",
    "BUILD",
    "BUNDLE",
    "DUMP",
    "ROOT",
    "SAMPLE_MODEL",
    "user_path",
]

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
BUNDLE = BUILD / "bundle"
DUMP = BUILD / "dump"
SAMPLE_MODEL = ROOT / "sample_model"
APP_PACKAGE = ROOT / "app" / "tox_com_det"
APP_REQUIREMENTS = ROOT / "app" / "requirements"


def user_path(given: str | None, default: Path) -> Path:
    """Return a path as given, relative to the user's directory, or the default."""
    return Path(given).expanduser().absolute() if given else default
