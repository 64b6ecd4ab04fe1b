"""The rim of the management API: Host allow-list, body bound, and the error tree as JSON.

Decides on the ASGI scope's own path and headers, never on a rebuilt URL.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from freehold.core import errors

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 1024 * 1024

STATUSES: tuple[tuple[type[errors.FreeholdError], int], ...] = (
    (errors.BadConfig, 422),
    (errors.BadRequest, 400),
    (errors.BadArtefact, 422),
    (errors.Conflict, 409),
    (errors.Exhausted, 429),
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (errors.TooLarge, 413),
    (errors.Unauthenticated, 401),
    (errors.Unavailable, 503),
    (errors.UpstreamFailed, 502),
)

_log = logging.getLogger("freehold.server")


def status_of(error: errors.FreeholdError) -> int:
    """HTTP status of an error."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


def answer(error: errors.FreeholdError) -> JSONResponse:
    """An error as the API tells it."""
    return JSONResponse({"error": error.as_dict()}, status_of(error), headers={"cache-control": "no-store"})


class Rim:
    """Lets in requests with a Host this instance serves and a body of bounded, declared size."""

    def __init__(self, app: App, hosts: Sequence[str]) -> None:
        self._app = app
        self._hosts = frozenset(one.lower() for one in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http":
            refused = self._refusal(scope)
            if refused is not None:
                await answer(refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> errors.FreeholdError | None:
        named = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
        if len(named) != 1 or _without_port(named[0]) not in self._hosts:
            return errors.WrongHost("this Host is not served here", hint="add the name to [admin] hosts")
        headers = dict(scope["headers"])
        if b"transfer-encoding" in headers:
            return errors.BadRequest("the management API takes bodies with a content-length only")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            return errors.TooLarge(f"bodies here are at most {MAX_BODY_BYTES} bytes", hint="send less")
        return None


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def translate_errors(app: FastAPI) -> None:
    """Teach the application the one error tree."""

    async def ours(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, errors.FreeholdError)
        return answer(error)

    async def invalid(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        found = [f"{'.'.join(str(one) for one in each['loc'])}: {each['msg']}" for each in error.errors()]
        hint = "see what it takes: the command's --help; over HTTP, /openapi.json"
        return answer(errors.BadRequest("; ".join(found), hint=hint))

    async def plain(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        if error.status_code == 405:
            return JSONResponse({"error": errors.WrongMethod("the path exists, the method does not").as_dict()}, 405)
        hint = "see /openapi.json"
        return answer(errors.UnknownPath("no endpoint lives at that path", hint=hint))

    async def defect(_request: Request, error: Exception) -> JSONResponse:
        _log.error("defect in the management API", exc_info=error)
        return answer(errors.Internal("the management API failed", hint="see the log of the admin process"))

    app.add_exception_handler(errors.FreeholdError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(Exception, defect)
