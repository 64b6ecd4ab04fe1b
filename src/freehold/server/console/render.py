"""Draws templates, and what every answer of the console carries: a policy that runs no script but our own files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from freehold import __version__
from freehold.server.console import charts
from freehold.server.console.marking import differences, marked
from freehold.server.console.page import BASE
from freehold.server.console.words import FILTERS

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""`form-action` names no issuer: one signs in there by a link, not by a form."""
CSP_OF_FILES = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
"""Of reports made elsewhere, which bring their own styles: no script, no form, no frame, an origin of their own."""
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": CSP,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def url(path: str) -> str:
    """The address of a page; `path` is below the console."""
    return BASE + path


def asset(name: str) -> str:
    """The address of a static file, which changes with its content."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"{BASE}/static/{name}?v={digest}"


class Renderer:
    """The templates of one process."""

    def __init__(self) -> None:
        self._assets: dict[str, str] = {}
        self._made = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._made.filters.update(dict(FILTERS))
        self._made.globals.update(asset=self._asset, charts=charts, url=url, version=__version__)
        self._made.globals.update(differences=differences, marked=marked)

    def text(self, template: str, values: Mapping[str, Any]) -> Markup:
        """A template, drawn."""
        return Markup(self._made.get_template(template).render(values))  # noqa: S704  the environment escapes

    def page(self, template: str, values: Mapping[str, Any], status: int = 200) -> Response:
        """A whole page with its headers."""
        return HTMLResponse(self.text(template, values), status, HEADERS)

    def _asset(self, name: str) -> str:
        if name not in self._assets:
            self._assets[name] = asset(name)
        return self._assets[name]
