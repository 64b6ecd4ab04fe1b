"""Light, dark, or as the system says; kept in the browser."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from freehold.server.console.forms import fields_of
from freehold.server.console.render import HEADERS
from freehold.server.console.signing_in import safe
from freehold.server.console.visits import put

THEMES = ("light", "dark")
_SECONDS = 365 * 86400.0


async def set_theme(request: Request) -> Response:
    """Keep what was chosen; anything else is what the system says."""
    sent = (await fields_of(request)).single()
    chosen = sent.get("theme", "")
    response = RedirectResponse(safe(sent.get("to", "")), 303, HEADERS)
    put(response, "freehold_theme", chosen if chosen in THEMES else "", _SECONDS, secure=False)
    return response
