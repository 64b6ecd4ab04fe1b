"""The Model Context Protocol's streamable HTTP: one JSON-RPC message a request, for a registered server of tools.

Relayed, with what its owner does not allow taken out. Answers are read whole, so nothing is asked of the client amidst
a call. Specification: https://modelcontextprotocol.io/specification/2025-11-25/basic/transports (read 2026-11-22).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from freehold.core.errors import BadRequest, FreeholdError, MalformedJson
from freehold.gateway.dialects import mcp_answer
from freehold.gateway.dialects.untranslated import Untranslated
from freehold.gateway.json_read import from_caller
from freehold.gateway.ports import InPath, Peek
from freehold.gateway.statuses import status_of, told
from freehold.ledger.meter import Usage

NAME = "mcp"
PREFIX = "/mcp/"
_PATH = re.compile(r"/mcp/([A-Za-z0-9._-]{1,120})/?")
_INVALID, _REFUSED, _FAILED = -32600, -32001, -32603
"""JSON-RPC's codes: what is no request, what is not let through (of the range left to servers), what went wrong."""
_READ = frozenset({"jsonrpc", "id", "method", "params"})
"""Members of a message that say what it is."""
_encode = msgspec.json.Encoder().encode


class _Parameters(msgspec.Struct):
    name: str = ""


class _Glance(msgspec.Struct):
    model: str
    jsonrpc: str = ""
    method: str = ""
    params: Raw = Raw(b"null")


_glance = msgspec.json.Decoder(_Glance)
_parameters = msgspec.json.Decoder(_Parameters)


class _Path:
    """`/mcp/NAME` leads to the route `mcp/NAME`."""

    prefixes: tuple[str, ...] = (PREFIX,)

    def place(self, path: str, body: bytes) -> bytes | None:
        """The body with the route put in as its last member."""
        found = _PATH.fullmatch(path.partition("?")[0])
        return None if found is None else self.put(body, f"mcp/{found[1]}", stream=False)

    def put(self, body: bytes, model: str, *, stream: bool) -> bytes:
        """The same for a body that was written anew."""
        held = body.rstrip()
        if not held.endswith(b"}") or not held.lstrip().startswith(b"{"):
            return body
        comma = b"" if held[:-1].rstrip().endswith(b"{") else b","
        return held[:-1] + comma + _ours(model) + b"}"

    def upstream(self, model: str, peek: Peek) -> str:
        """Nothing: a server has one address."""
        return ""


class Mcp(Untranslated):
    """The dialect `mcp`."""

    name = NAME
    paths: tuple[str, ...] = ()
    upstream_path = ""
    in_path: InPath | None = _Path()
    stream_kind = b"text/event-stream"

    def peek(self, body: bytes) -> Peek:
        """What routing needs: which tool is called, and that this is one call to be paid."""
        if body.lstrip().startswith(b"["):
            raise BadRequest("messages come one a request here", hint="batches ended with protocol version 2025-06-18")
        seen = from_caller(_glance, body)
        if seen.jsonrpc != "2.0":
            raise BadRequest("expected \"2.0\" at 'jsonrpc'", param="jsonrpc")
        _refuse_ambiguous(body)
        if seen.method != "tools/call":
            return Peek(model=seen.model, max_output=0, given=0)
        tool = from_caller(_parameters, bytes(seen.params)).name
        if not tool:
            raise BadRequest("expected the name of a tool at 'params.name'", param="params.name")
        return Peek(model=seen.model, max_output=0, given=0, tool=tool, units=1, unit="call")

    def with_model(self, body: bytes, peek: Peek, model: str, *, add_usage: bool) -> bytes:
        """The message as it came: the server has no name for itself."""
        mine = _ours(peek.model)
        for end in (b"," + mine + b"}", mine + b"}"):
            if body.endswith(end):
                return body[: -len(end)] + b"}"
        return body

    def usage(self, body: bytes) -> Usage | None:
        """A call where a tool's result is told, whatever it says."""
        return mcp_answer.usage(body)

    def error(self, error: FreeholdError, request_id: str) -> tuple[int, bytes]:
        """JSON-RPC's form. What the message was, is not known here, so the id is null."""
        data = {"code": error.code, "hint": error.hint, "request_id": request_id}
        status = status_of(error)
        code = _INVALID if isinstance(error, BadRequest) else _REFUSED if status < 500 else _FAILED
        message = {"code": code, "message": told(error), "data": data}
        return status, _encode({"jsonrpc": "2.0", "id": None, "error": message})

    def error_event(self, error: FreeholdError, request_id: str) -> bytes:
        """The same as an event."""
        return b"event: message\ndata: " + self.error(error, request_id)[1] + b"\n\n"

    def headers(
        self, request_id: str, limits: Sequence[tuple[str, int, int, float]], now: float
    ) -> list[tuple[bytes, bytes]]:
        """The request's id; the protocol has no form for limits."""
        return [(b"x-request-id", request_id.encode())]

    def limit_lines(self, limits: Sequence[tuple[str, int, int, float]], now: float) -> bytes:
        """None."""
        return b""


def _refuse_ambiguous(body: bytes) -> None:
    """Raises BadRequest where another reader could take another member for the one that is read here.

    Of equal names some readers take the first; some take names for equal that differ in case alone.
    """
    try:
        found = json.loads(body, object_pairs_hook=tuple, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        raise MalformedJson("the body is not valid JSON, or nested too deeply") from None
    _once(found, _READ, "")
    for name, value in found:
        if name == "params" and isinstance(value, tuple):
            _once(value, frozenset({"name"}), "params.")


def _once(pairs: Sequence[tuple[str, Any]], names: frozenset[str], place: str) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        plain = name.casefold()
        if plain in names:
            if name != plain or name in seen:
                message = f"'{place}{plain}' may stand in a message once, spelled so"
                raise BadRequest(message, param=place + plain)
            seen.add(name)


def _ours(model: str) -> bytes:
    return b'"model":' + _encode(model)
