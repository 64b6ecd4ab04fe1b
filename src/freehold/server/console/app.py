"""The console: pages over the management API, on its listener, under `/console`. One line a noun.

Whatever a page does, who looks is decided first, a form must come from a page of the same session, and every answer
carries the same strict headers.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from freehold.core.errors import FreeholdError, Internal, Unauthenticated, UnknownPath
from freehold.server.console import annotations as judgements
from freehold.server.console import (
    audit,
    calls,
    channels,
    config,
    errata,
    evals,
    guard,
    keys,
    models,
    moves,
    overview,
    plans,
    playground,
    policy,
    workflows,
)
from freehold.server.console.ask import Ask, Refused, Trouble
from freehold.server.console.forms import fields_of, query_of
from freehold.server.console.frame import Frame
from freehold.server.console.handing import hand_on, lines
from freehold.server.console.page import BASE, Act, Action, Done, Draw, Fields, File, Live, Page, View
from freehold.server.console.render import HEADERS, STATIC, Renderer
from freehold.server.console.signing_in import SigningIn
from freehold.server.console.themes import set_theme
from freehold.server.console.visits import FORM_FIELD, FORM_HEADER, Visit, Visits, own_form
from freehold.server.instance import Instance
from freehold.server.rim import App, status_of

PAGES: tuple[Page, ...] = (
    *judgements.PAGES,
    *audit.PAGES,
    *calls.PAGES,
    *channels.PAGES,
    *config.PAGES,
    *errata.PAGES,
    *evals.PAGES,
    *guard.PAGES,
    *keys.PAGES,
    *models.PAGES,
    *moves.PAGES,
    *overview.PAGES,
    *plans.PAGES,
    *playground.PAGES,
    *policy.PAGES,
    *workflows.PAGES,
)
ACTIONS: tuple[Action, ...] = (
    *judgements.ACTIONS,
    *audit.ACTIONS,
    *calls.ACTIONS,
    *channels.ACTIONS,
    *config.ACTIONS,
    *errata.ACTIONS,
    *evals.ACTIONS,
    *guard.ACTIONS,
    *keys.ACTIONS,
    *models.ACTIONS,
    *moves.ACTIONS,
    *plans.ACTIONS,
    *playground.ACTIONS,
    *workflows.ACTIONS,
)
LIVES: tuple[Live, ...] = (
    *calls.LIVES,
    *moves.LIVES,
    *overview.LIVES,
    *plans.LIVES,
)
FILES: tuple[File, ...] = (
    *judgements.FILES,
    *audit.FILES,
    *calls.FILES,
    *evals.FILES,
    *models.FILES,
    *moves.FILES,
    *plans.FILES,
    *playground.FILES,
)
KNOWN = frozenset(one.path for one in PAGES)
STREAMS = ("application/x-ndjson", "text/event-stream")
"""What must not wait in a compressor until more of it comes."""

_log = logging.getLogger("freehold.server")
Answer = Callable[[Request], Awaitable[Response]]


class Console:
    """The pages of one instance; `own` is the instance's own token."""

    def __init__(self, api: App, instance: Instance, own: str) -> None:
        self._api = api
        self._instance = instance
        self._visits = Visits(instance, own)
        self._renderer = Renderer()
        self._frame = Frame(self._renderer, instance, KNOWN)
        self._signing = SigningIn(api, self._visits, self._renderer)

    def application(self) -> Starlette:
        """To be mounted under `page.BASE`."""
        routes: list[Route | Mount] = [Mount("/static", Static(directory=STATIC)), *self._signing.routes()]
        routes.append(Route("/theme", set_theme, methods=["POST"]))
        # What is fixed comes before what has names in it: /calls/live is no call.
        routes += [Route(one.path, self._live(one), methods=["GET"]) for one in LIVES]
        routes += [Route(one.path, self._file(one), methods=[one.method]) for one in FILES]
        routes += [Route(one.path, self._act(one.act), methods=["POST"]) for one in ACTIONS]
        routes += [Route(one.path, self._draw(one.draw), methods=["GET"]) for one in PAGES]
        return Starlette(
            routes=routes,
            middleware=[Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5, exclude_content_types=STREAMS)],
            exception_handlers={
                404: self._nothing,
                405: self._nothing,
                FreeholdError: self._failed,
                Exception: self._defect,
            },
        )

    def _draw(self, draw: Draw) -> Answer:
        async def answer(request: Request) -> Response:
            try:
                visit = await run_in_threadpool(self._visits.of, request)
            except Unauthenticated as error:
                return self._frame.stranger(request, error)
            view = self._view(request, visit, Fields(()))
            try:
                drawn = await draw(view)
            except Refused as refused:
                return self._frame.refused(request, visit, view.ask, refused.trouble)
            return self._frame.page(request, visit, view.ask, drawn)

        return answer

    def _act(self, act: Act) -> Answer:
        async def answer(request: Request) -> Response:
            sent = await fields_of(request)
            try:
                visit = await run_in_threadpool(self._visits.of, request)
            except Unauthenticated as error:
                return self._frame.stranger(request, error)
            view = self._view(request, visit, sent)
            try:
                own_form(request, visit, sent.single().get(FORM_FIELD, ""))
                done = await act(view)
            except Refused as refused:
                return self._frame.refused(request, visit, view.ask, refused.trouble)
            except FreeholdError as error:
                return self._frame.refused(request, visit, view.ask, trouble_of(error))
            if isinstance(done, Done):
                return self._frame.done(done)
            return self._frame.page(request, visit, view.ask, done)

        return answer

    def _live(self, live: Live) -> Answer:
        async def answer(request: Request) -> Response:
            visit = await self._visitor(request, used=False)
            if isinstance(visit, Response):
                return visit
            view = self._view(request, visit, Fields(()))
            still = partial(self._still, request, visit)
            return lines(live.events(view, self._frame.part(visit)), request, still)

        return answer

    def _file(self, file: File) -> Answer:
        async def answer(request: Request) -> Response:
            visit = await self._visitor(request)
            if isinstance(visit, Response):
                return visit
            if file.method == "POST":
                try:
                    own_form(request, visit, request.headers.get(FORM_HEADER, ""))
                except FreeholdError as error:
                    return refusal(error)
            return await hand_on(self._api, request, visit.actor, file)

        return answer

    def _still(self, request: Request, visit: Visit) -> None:
        """Raises Unauthenticated where whoever began to look is gone, or is in another role now."""
        if self._visits.of(request, used=False).actor.role != visit.actor.role:
            raise Unauthenticated("who looks has another role now", hint="open the page anew")

    async def _visitor(self, request: Request, *, used: bool = True) -> Visit | Response:
        try:
            return await run_in_threadpool(self._visits.of, request, used=used)
        except FreeholdError as error:
            return refusal(error)

    def _view(self, request: Request, visit: Visit, sent: Fields) -> View:
        ask = Ask(self._api, visit.actor)
        return View(ask, visit.actor, dict(request.path_params), query_of(request), sent, self._instance.clock())

    async def _nothing(self, request: Request, _error: Exception) -> Response:
        try:
            visit = await run_in_threadpool(self._visits.of, request)
        except Unauthenticated as error:
            return self._frame.stranger(request, error)
        trouble = trouble_of(UnknownPath("there is no such page", hint="choose one from the list"))
        return self._frame.refused(request, visit, Ask(self._api, visit.actor), trouble)

    async def _failed(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, FreeholdError)
        return self._frame.alone(request, trouble_of(error))

    async def _defect(self, request: Request, error: Exception) -> Response:
        _log.error("defect in the console", exc_info=error)
        return self._frame.alone(
            request, trouble_of(Internal("this page failed", hint="see the log of the admin process"))
        )


class Static(StaticFiles):
    """Our own files: their address changes with their content."""

    def file_response(self, *arguments: object, **named: object) -> Response:
        """With the headers of every answer."""
        response = super().file_response(*arguments, **named)  # type: ignore[arg-type]
        response.headers.update({**HEADERS, "cache-control": "public, max-age=31536000, immutable"})
        return response


def trouble_of(error: FreeholdError) -> Trouble:
    """An error of our own as the API would tell it."""
    told = error.as_dict()
    return Trouble(status_of(error), str(told["code"]), str(told["message"]), str(told["hint"]))


def refusal(error: FreeholdError) -> Response:
    """For scripts of a page."""
    return JSONResponse({"error": error.as_dict()}, status_of(error), HEADERS)


async def to_console(_request: Request) -> Response:
    """From `/`, where people begin."""
    return RedirectResponse(f"{BASE}/", 307, HEADERS)
