"""Signing in at the console: by a link that counts once, by a key, or at the issuer. And signing out."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from freehold.core.errors import FreeholdError
from freehold.identity.people.types import PREFIX
from freehold.server.actors import Actor
from freehold.server.console.ask import Ask, Refused
from freehold.server.console.forms import fields_of
from freehold.server.console.page import BASE
from freehold.server.console.render import HEADERS, Renderer
from freehold.server.console.visits import FORM_FIELD, Visits, own_form, put, same_site
from freehold.server.rim import App, status_of

PLACE = f"{BASE}/sign-in"
_TICKET = "freehold_sign_in"
_TICKET_SECONDS = 600.0
_NOBODY = Actor("nobody", "")


class SigningIn:
    """The pages before a session. The issuer is asked through the management API, like everything else."""

    def __init__(self, api: App, visits: Visits, renderer: Renderer) -> None:
        self._api = api
        self._visits = visits
        self._renderer = renderer

    def routes(self) -> list[Route]:
        """All of them, below the console."""
        return [
            Route("/sign-in", self.page, methods=["GET"]),
            Route("/sign-in", self.enter, methods=["POST"]),
            Route("/sign-in/issuer", self.issuer, methods=["GET"]),
            Route("/callback", self.back, methods=["GET"]),
            Route("/sign-out", self.leave, methods=["POST"]),
        ]

    async def page(self, request: Request) -> Response:
        """The form. A link only fills it in: what looks at links before people do must not use them up."""
        return await self._drawn(request, request.query_params.get("link", ""), request.query_params.get("to", ""))

    async def enter(self, request: Request) -> Response:
        """Sign in by a link or by a key."""
        sent = (await fields_of(request)).single()
        link, agent = sent.get("link", ""), request.headers.get("user-agent", "")
        try:
            same_site(request)
            if link:
                token = await run_in_threadpool(self._visits.by_link, link, agent)
            else:
                token = await run_in_threadpool(self._visits.by_secret, sent.get("key", ""), agent)
        except FreeholdError as error:
            return await self._drawn(request, "", sent.get("to", ""), error)
        return self._entered(request, token, sent.get("to", ""))

    async def issuer(self, request: Request) -> Response:
        """On to the issuer of [identity.oidc]."""
        ask = Ask(self._api, _NOBODY)
        try:
            begun = await ask.post("/api/login", {"redirect_uri": _returns_to(request)})
        except Refused as refused:
            return await self._drawn(request, "", "", refused.trouble)
        response = RedirectResponse(begun["address"], 303, HEADERS)
        put(response, _TICKET, begun["ticket"], _TICKET_SECONDS, secure=request.url.scheme == "https")
        return response

    async def back(self, request: Request) -> Response:
        """Back from the issuer."""
        told = {name: request.query_params.get(name, "") for name in ("state", "code", "iss", "error")}
        ticket = request.cookies.get(_TICKET, "")
        given = {name: value for name, value in told.items() if value}
        try:
            session = await Ask(self._api, _NOBODY).post(
                "/api/login/finish", {"state": told["state"], **given, "ticket": ticket}
            )
        except Refused as refused:
            response = await self._drawn(request, "", "", refused.trouble)
        else:
            agent = request.headers.get("user-agent", "")
            assert session["token"].startswith(PREFIX)
            token = await run_in_threadpool(self._visits.by_secret, session["token"], agent)
            response = self._entered(request, token, "")
        put(response, _TICKET, "", 0.0, secure=request.url.scheme == "https")
        return response

    async def leave(self, request: Request) -> Response:
        """End the session."""
        sent = (await fields_of(request)).single()
        visit = await run_in_threadpool(self._visits.of, request)
        own_form(request, visit, sent.get(FORM_FIELD, ""))
        await run_in_threadpool(self._visits.leave, visit)
        response = RedirectResponse(PLACE, 303, HEADERS)
        self._visits.hand(response, "", secure=request.url.scheme == "https")
        return response

    def _entered(self, request: Request, token: str, to: str) -> Response:
        response = RedirectResponse(safe(to), 303, HEADERS)
        self._visits.hand(response, token, secure=request.url.scheme == "https")
        return response

    async def _drawn(self, request: Request, link: str, to: str, error: object = None) -> Response:
        place = await Ask(self._api, _NOBODY).get("/api/login")
        port = request.url.port or 80
        values = {
            "link": link,
            "to": safe(to),
            "error": error,
            "issuer": place["issuer"] if place["enabled"] and place["redirect_port"] in (0, port) else "",
            "theme": request.cookies.get("freehold_theme", ""),
        }
        status = status_of(error) if isinstance(error, FreeholdError) else getattr(error, "status", 200)
        return self._renderer.page("sign_in.html", values, status)


def safe(to: str) -> str:
    """Where to go after signing in: a page of the console, and nowhere else."""
    inside = to == BASE or to.startswith((f"{BASE}/", f"{BASE}?"))
    return to if inside and "\\" not in to and "//" not in to and to.isprintable() else f"{BASE}/"


def _returns_to(request: Request) -> str:
    return f"{request.url.scheme}://{request.headers['host']}{BASE}/callback"
