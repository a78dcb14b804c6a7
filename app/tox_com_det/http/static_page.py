"""Files of the package that are put into pages, and the policy that allows no others."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from markupsafe import Markup

# Below the package, for Flask.
TEMPLATES = "http/templates"
_DIRECTORY = Path(__file__).parent / "templates"


def inline(name: str) -> tuple[Markup, str]:
    """A file's text to put into a page, and the policy's source expression for it."""
    text = "\n" + (_DIRECTORY / name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return Markup(text), f"'sha256-{digest}'"  # noqa: S704 (a file of the package)


STYLE, STYLE_SOURCE = inline("page.css")
