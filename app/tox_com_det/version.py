"""The version of the app, of toxctl and of the controller: stated here and nowhere else.

`server/toxctl/version.py` is a link to this file.
"""

__version__ = "0.2.0"
