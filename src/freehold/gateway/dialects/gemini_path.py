"""The path of Google's dialects says model and verb: both are put into the body, at its end, and taken off again.

Invariant: `taken_off(put(body)) == body`, byte for byte; of two equal members readers take the last, which is ours.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, unquote

import msgspec
from msgspec import Raw

from freehold.gateway.json_read import BROKEN
from freehold.gateway.json_splice import joined, members
from freehold.gateway.ports import Peek

PREFIXES = ("/v1beta/models/", "/v1/models/")
_PATH = re.compile(r"/v1(?:beta)?/models/([^?]+):([A-Za-z]+)")
_encode = msgspec.json.Encoder().encode


def asked(url: str) -> tuple[str, str, bool]:
    """Model, verb, and whether server-sent events are asked for; empty where the path is not one of these."""
    path, _, query = url.partition("?")
    found = _PATH.fullmatch(path)
    if found is None:
        return "", "", False
    return unquote(found[1]), found[2], ("alt", "sse") in parse_qsl(query)


def put(body: bytes, model: str, *, stream: bool) -> bytes:
    """The body with our members. What is no JSON object stays, and so does what is no JSON: no member mends it."""
    held = body.rstrip()
    if not held.endswith(b"}") or not held.lstrip().startswith(b"{"):
        return body
    return held[:-1] + _members(held[:-1], model, stream) + body[len(held) - 1 :]


def taken_off(body: bytes, model: str, *, stream: bool) -> bytes:
    """The body as it was before `put`; as it is where nothing of ours stands at its end."""
    held = body.rstrip()
    ours = _ours(model, stream)
    for mine in (b"," + ours, ours):
        if held.endswith(mine + b"}"):
            return held[: -len(mine) - 1] + body[len(held) - 1 :]
    return body


def renamed(body: bytes, model: str) -> bytes:
    """The body with the model named in the requests inside it, which repeat it, and must."""
    if b'"model"' not in body and b"\\u" not in body:
        return body
    try:
        found = members(body)
        for name in ("generateContentRequest", "generate_content_request"):
            if name in found:
                found[name] = _said(found[name], model)
        if "requests" in found:
            each = msgspec.json.decode(found["requests"], type=list[Raw])
            found["requests"] = Raw(_encode([_said(one, model) for one in each]))
        if "model" in found:
            found["model"] = Raw(_encode(_full(model)))
    except BROKEN:
        return body
    return joined(found.items())


def upstream_of(model: str, verb: str) -> str:
    """The path after a target's base path. A model's name with a slash in it names its collection too."""
    place = quote(model, safe="/@-._") if "/" in model else f"models/{quote(model, safe='@-._')}"
    return f"/{place}:{verb}"


class OneVerb:
    """`InPath` of a dialect that is one verb."""

    prefixes: tuple[str, ...] = PREFIXES

    def __init__(self, *verbs: str) -> None:
        self._verbs = verbs

    def place(self, path: str, body: bytes) -> bytes | None:
        """The body with the model put in."""
        model, verb, _ = asked(path)
        return self.put(body, model, stream=False) if verb in self._verbs else None

    def put(self, body: bytes, model: str, *, stream: bool) -> bytes:
        """The same for a body that was written anew."""
        return put(body, model, stream=False)

    def upstream(self, model: str, peek: Peek) -> str:
        """The path after a target's base path."""
        return upstream_of(model, self._verbs[0])


def _full(model: str) -> str:
    return model if "/" in model else f"models/{model}"


def _said(raw: Raw, model: str) -> Raw:
    found = members(raw)
    if "model" in found:
        found["model"] = Raw(_encode(_full(model)))
    return Raw(joined(found.items()))


def _ours(model: str, stream: bool) -> bytes:
    return b'"model":' + _encode(model) + (b',"stream":true' if stream else b',"stream":false')


def _members(before: bytes, model: str, stream: bool) -> bytes:
    comma = b"" if before.rstrip().endswith(b"{") else b","
    return comma + _ours(model, stream)
