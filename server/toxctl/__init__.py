"""toxctl: what root runs on the server. Standard library only, Python 3.11 or newer."""

from toxctl.version import __version__

__all__ = ["__version__"]
