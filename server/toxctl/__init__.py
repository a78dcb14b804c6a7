"""toxctl: what root runs on the server to switch, verify, install and prune releases.

Standard library only, Python 3.11 or newer: it runs on the interpreter that `python_interpreter`
names, never on the system's own. CentOS 7's Python 2.7 does not read these files.
"""

from toxctl.version import __version__

__all__ = ["__version__"]
