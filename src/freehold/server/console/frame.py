"""What is around every page: the way around, who looks, what was said, the page's twin and its troubles."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from freehold.core.errors import FreeholdError
from freehold.server.console.ask import Ask, Trouble
from freehold.server.console.nav import here, places
from freehold.server.console.page import BASE, Done, Drawn
from freehold.server.console.render import HEADERS, Renderer, url
from freehold.server.console.signing_in import PLACE
from freehold.server.console.visits import Visit, put
from freehold.server.instance import Instance

_SAID = "freehold_said"
_SAID_SECONDS = 60.0
_TITLES = {401: "Signed out", 403: "Not allowed", 404: "Not found"}


class Frame:
    """Draws whole pages of one instance. `known` are the paths that have pages."""

    def __init__(self, renderer: Renderer, instance: Instance, known: frozenset[str]) -> None:
        self._renderer = renderer
        self._instance = instance
        self._known = known

    def page(self, request: Request, visit: Visit, ask: Ask, drawn: Drawn) -> Response:
        """A page, or its twin where that is asked for."""
        if request.query_params.get("as") == "json":
            return twin(drawn, ask)
        values = {**self._around(request, visit, ask), **drawn.data, "title": drawn.title, "cli": drawn.cli}
        said = request.cookies.get(_SAID, "")
        response = self._renderer.page(drawn.template, {**values, "notice": _plain(said)}, drawn.status)
        if said:
            put(response, _SAID, "", 0.0, secure=False)
        return response

    def refused(self, request: Request, visit: Visit, ask: Ask, trouble: Trouble) -> Response:
        """The page that stands where the API refused."""
        title = _TITLES.get(trouble.status, "This did not work")
        return self.page(request, visit, ask, Drawn("refused.html", title, {"trouble": trouble}, (), trouble.status))

    def alone(self, request: Request, trouble: Trouble) -> Response:
        """The page of a defect: nothing is asked any more."""
        values = {"trouble": trouble, "theme": request.cookies.get("freehold_theme", "")}
        return self._renderer.page("alone.html", values, trouble.status)

    def stranger(self, request: Request, error: FreeholdError) -> Response:
        """On to signing in, and back to the page afterwards."""
        if request.query_params.get("as") == "json":
            return JSONResponse({"error": error.as_dict()}, 401, HEADERS)
        wanted = request.url.path if request.method == "GET" else f"{BASE}/"
        query = f"?{request.url.query}" if request.url.query and request.method == "GET" else ""
        response = RedirectResponse(f"{PLACE}?to={quote(wanted + query)}", 303, HEADERS)
        if "hx-request" in request.headers:
            response.headers["hx-redirect"] = PLACE
        return response

    def done(self, done: Done) -> Response:
        """On to where a form leads, with a word that is shown there once."""
        response = RedirectResponse(url(done.to), 303, HEADERS)
        put(response, _SAID, base64.urlsafe_b64encode(done.said.encode()).decode(), _SAID_SECONDS, secure=False)
        return response

    def part(self, visit: Visit) -> Callable[..., str]:
        """Draws parts of a page for one who looks."""

        def draw(template: str, **values: Any) -> str:
            now = self._instance.clock()
            return self._renderer.text(template, {"now": now, "role": visit.actor.role, **values})

        return draw

    def _around(self, request: Request, visit: Visit, ask: Ask) -> dict[str, Any]:
        path = request.url.path.removeprefix(BASE) or "/"
        return {
            "places": places(visit.actor.role, self._known),
            "here": here(path),
            "path": path,
            "query": request.url.query,
            "role": visit.actor.role,
            "who": visit.actor.name,
            "home": self._instance.home.name,
            "form_word": visit.forms.word(self._instance.random(16)),
            "theme": request.cookies.get("freehold_theme", ""),
            "now": self._instance.clock(),
            "asked": tuple(ask.asked),
            "has_twin": request.method == "GET",
        }


def twin(drawn: Drawn, ask: Ask) -> Response:
    """The page for programs: what the management API said to each question it was drawn from."""
    asked = {path: _told(got.data, got.trouble) for path, got in ask.asked.items()}
    told = {"title": drawn.title, "asked": asked, "cli": drawn.cli}
    return Response(msgspec.json.encode(told), drawn.status, HEADERS, "application/json")


def _told(data: object, trouble: Trouble | None) -> object:
    if trouble is not None:
        return {"error": {"code": trouble.code, "message": trouble.message, "hint": trouble.hint}}
    return data.decode("utf-8", "replace") if isinstance(data, bytes) else data


def _plain(said: str) -> str:
    try:
        return base64.urlsafe_b64decode(said.encode()).decode()
    except ValueError:
        return ""
