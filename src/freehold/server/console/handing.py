"""What is handed on as it comes: files of the API, and server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from freehold.core.errors import Unauthenticated
from freehold.server.actors import Actor
from freehold.server.console.ask import scope_of
from freehold.server.console.page import Event, File
from freehold.server.console.render import CSP_OF_FILES, HEADERS
from freehold.server.rim import App, Receive, Scope, Send

LOOK_AGAIN_SECONDS = 60.0
"""How long a stream goes on before it is asked anew who looks."""
_KEPT = (b"content-type", b"content-length", b"content-disposition")


async def hand_on(api: App, request: Request, actor: Actor, file: File) -> Response:
    """The API's answer under the console's headers; it is never held whole."""
    names = {name: str(value) for name, value in request.path_params.items()}
    path = file.api.format(**{name: quote(value, safe="/") for name, value in names.items()})
    query = f"?{request.url.query}" if request.url.query else ""
    body = await request.body()
    scope = scope_of(actor, file.method, path + query, len(body))
    return Handed(api, scope, body, file.name.format(**names) if file.name else "")


class Handed(Response):
    """An answer that another application gives."""

    def __init__(self, api: App, scope: dict[str, Any], body: bytes, name: str) -> None:
        super().__init__()
        self._api = api
        self._asked = scope
        self._body = body
        self._name = name

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        given = False

        async def asked() -> Any:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": self._body, "more_body": False}

        async def told(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": self._told_with(message.get("headers", ()))}
            await send(message)

        await self._api(self._asked, asked, told)

    def _told_with(self, theirs: Any) -> list[tuple[bytes, bytes]]:
        kept = [(name, value) for name, value in theirs if name.lower() in _KEPT]
        ours = {**HEADERS, "content-security-policy": CSP_OF_FILES}
        if self._name and not any(name == b"content-disposition" for name, _ in kept):
            # Parts of it come from an address: a line's end in one would begin another header.
            quoted = "".join(one for one in self._name if one.isprintable() and one not in '"\\')
            ours["content-disposition"] = f'attachment; filename="{quoted}"'
        return [*kept, *((name.encode(), value.encode("latin-1", "replace")) for name, value in ours.items())]


def lines(events: AsyncIterator[Event], request: Request, still: Callable[[], object]) -> Response:
    """Events as the browser's EventSource takes them; they end with the browser, or with the session."""

    async def stream() -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        until = loop.time() + LOOK_AGAIN_SECONDS
        yield b": here\n\n"
        async for event in events:
            if await request.is_disconnected():
                return
            if loop.time() > until:
                try:
                    await run_in_threadpool(still)
                except Unauthenticated:
                    return
                until = loop.time() + LOOK_AGAIN_SECONDS
            yield encoded(event)

    headers = {**HEADERS, "x-accel-buffering": "no"}
    return StreamingResponse(stream(), headers=headers, media_type="text/event-stream")


def encoded(event: Event) -> bytes:
    """One event; lines of its text are its data. Nothing in a text can begin another event."""
    if not event.html:
        return b": still here\n\n"
    data = "".join(f"data: {line}\n" for line in event.html.splitlines())
    return f"event: {event.name}\n{data}\n".encode()
