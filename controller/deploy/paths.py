"""The paths of the checkout, and paths that the user types."""

from __future__ import annotations

from pathlib import Path

from controller.deploy.errors import DeployError

__all__ = [
    "APP_PACKAGE",
    "APP_REQUIREMENTS",
    "BUILD",
    "BUNDLE",
    "DUMP",
    "ROOT",
    "SAMPLE_MODEL",
    "absolute",
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
    """Return a path as given, relative to the user's directory; the default if none is given."""
    return default if given is None else absolute(given)


def absolute(given: str | Path) -> Path:
    """Return a path as given, relative to the user's directory.

    Raises DeployError: it is empty, or no path at all, or `~name` of a user that does not exist.
    """
    if not str(given).strip() or "\0" in str(given):  # empty, it would be the current directory
        raise DeployError(f"{given!r} is no path: name a file or a directory")
    try:
        return Path(given).expanduser().absolute()
    except RuntimeError:
        name = Path(given).parts[0]
        raise DeployError(f"{given}: there is no user {name[1:]!r}: write the whole path") from None
