"""The console asks the management API what its pages show: the same endpoints scripts ask, as the one who looks.

In process: no socket, no token. What was asked, and what came back, is the page's JSON twin.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode

import msgspec

from freehold.server.actors import IN_PROCESS, Actor
from freehold.server.rim import App

_INSIDE = "127.0.0.1"


class Trouble(msgspec.Struct, frozen=True):
    """Why the API gave nothing: its own code, message and hint."""

    status: int
    code: str
    message: str
    hint: str


class Got(msgspec.Struct, frozen=True):
    """An answer, or the trouble that stands in its place."""

    path: str
    data: Any = None
    trouble: Trouble | None = None

    def allowed(self) -> Got:
        """Itself. Raises Refused where the asker's role may not: then the whole page is not theirs to see."""
        if self.trouble is not None and self.trouble.status == 403:
            raise Refused(self.trouble)
        return self


class Refused(Exception):
    """The API refused. The frame draws it; it never leaves the console."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


class Ask:
    """Questions of one page. Keeps the answers, for the page's twin."""

    def __init__(self, api: App, actor: Actor) -> None:
        self._api = api
        self._actor = actor
        self.asked: dict[str, Got] = {}

    async def get(self, path: str, **query: object) -> Any:
        """A decoded answer; bytes where it is not JSON. Raises Refused."""
        return _opened(await self.look(path, **query))

    async def post(self, path: str, body: object = None) -> Any:
        """Raises Refused."""
        return _opened(await self._send("POST", path, {} if body is None else body))

    async def patch(self, path: str, body: object) -> Any:
        """Raises Refused."""
        return _opened(await self._send("PATCH", path, body))

    async def look(self, path: str, **query: object) -> Got:
        """An answer or its trouble; empty values of the query are left out, tuples and lists are repeated."""
        full = with_query(path, query)
        got = await self._send("GET", full, None)
        self.asked[full] = got
        return got

    async def looks(self, **paths: str) -> dict[str, Got]:
        """Several at once, by name."""
        found = await asyncio.gather(*(self.look(path) for path in paths.values()))
        return dict(zip(paths, found, strict=True))

    async def _send(self, method: str, path: str, body: object) -> Got:
        raw = b"" if body is None else msgspec.json.encode(body)
        status, headers, content = await answer_of(self._api, scope_of(self._actor, method, path, len(raw)), raw)
        is_json = headers.get(b"content-type", b"").startswith(b"application/json")
        data = json.loads(content) if is_json and content else content
        if status < 400:
            return Got(path, data)
        told = data.get("error", {}) if isinstance(data, dict) else {}
        return Got(
            path,
            trouble=Trouble(status, told.get("code", ""), told.get("message", "refused"), told.get("hint", "")),
        )


def with_query(path: str, query: Mapping[str, object]) -> str:
    """A path with its query; what is empty is left out."""
    given = {name: value for name, value in query.items() if value not in (None, "", (), [])}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def named(path: str, *names: str) -> str:
    """A path of the API with names put into its `{}`, whatever is in them; `/` stays, since names may hold it."""
    return path.format(*(quote(one, safe="/") for one in names))


def scope_of(actor: Actor, method: str, path: str, length: int) -> dict[str, Any]:
    """An ASGI scope of a request that was made in process."""
    bare, _, query = path.partition("?")
    headers = [(b"host", _INSIDE.encode()), (b"content-length", str(length).encode())]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(bare),
        "raw_path": bare.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [*headers, (b"content-type", b"application/json")] if length else headers,
        "client": (_INSIDE, 0),
        "server": (_INSIDE, 0),
        IN_PROCESS: actor,
    }


async def answer_of(api: App, scope: dict[str, Any], body: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and whole content."""
    sent: list[Any] = []
    given = False

    async def receive() -> dict[str, Any]:
        nonlocal given
        if given:  # who streams asks again, to learn that nobody listens any more: here somebody does
            await asyncio.Event().wait()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await api(scope, receive, send)
    content = b"".join(one.get("body", b"") for one in sent[1:])
    return sent[0]["status"], {name.lower(): value for name, value in sent[0].get("headers", ())}, content


def _opened(got: Got) -> Any:
    if got.trouble is not None:
        raise Refused(got.trouble)
    return got.data
