"""The web page at `GET /`: one response, nothing loaded from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from flask import render_template
from markupsafe import Markup

# Below the package, for Flask.
TEMPLATES = "http/templates"
_DIRECTORY = Path(__file__).parent / "templates"


def _inline(name: str) -> tuple[Markup, str]:
    """A file's text to put into the page, and the policy's source expression for it."""
    text = "\n" + (_DIRECTORY / name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return Markup(text), f"'sha256-{digest}'"  # noqa: S704 (a file of the package)


_STYLE, _STYLE_SOURCE = _inline("page.css")
_SCRIPT, _SCRIPT_SOURCE = _inline("page.js")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none';"
    f" frame-ancestors 'none'; script-src {_SCRIPT_SOURCE}; style-src {_STYLE_SOURCE}"
)


def render_page(
    url: str, model: str, name: str, labels: tuple[str, ...], limits: Mapping[str, int]
) -> str:
    """The page's HTML; every value is escaped.

    Args:
        url: address of the service with a slash at its end, for the curl example.
        model: model version.
        name: the model's name.
        labels: names of the scores.
        limits: see `http.limits.limits`.
    """
    return render_template(
        "page.html",
        style=_STYLE,
        script=_SCRIPT,
        url=url,
        model=model,
        name=name,
        labels=labels,
        limits=limits,
    )
