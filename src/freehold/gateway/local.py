"""What the gateway answers by itself: the list of models, and whether it lives and is ready."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec

from freehold.core.errors import UnknownModel
from freehold.gateway.google_key import HEADER
from freehold.gateway.inbound import Inbound
from freehold.gateway.outgoing import CHATS
from freehold.gateway.reply import head_of
from freehold.gateway.routing.table import Stop
from freehold.gateway.standing import state_of, status

if TYPE_CHECKING:
    from freehold.gateway.plane import Plane

Answer = Callable[["Plane", Inbound, bytes], bytes]
EPOCH = "2026-01-01T00:00:00Z"
"""Routes have no release date of their own; both dialects require one."""
EPOCH_SECONDS = 1767225600
VERBS: tuple[tuple[str, frozenset[str]], ...] = (
    ("generateContent", CHATS),
    ("streamGenerateContent", CHATS),
    ("countTokens", CHATS),
    ("embedContent", frozenset({"gemini_embeddings"})),
)
"""What Google's clients may ask of a model whose targets speak one of these."""


def _json(value: object, inbound: Inbound, status: int = 200) -> bytes:
    body = msgspec.json.encode(value)
    kind = [(b"content-type", b"application/json")]
    return head_of(status, kind, len(body), keep=inbound.keep_alive) + body


def models(plane: Plane, inbound: Inbound, path: bytes) -> bytes:
    """The routes this key may name, in the caller's dialect; one of them, where the path names it."""
    caller = plane.gate.admit(inbound.headers, plane.now())
    table, shape = plane.table, named_by(inbound)
    names = [
        name for name, path_ in sorted(table.paths.items()) if caller.routes is None or path_.name in caller.routes
    ]
    one = unquote(path.partition(b"/models")[2].decode("utf-8", "replace")[1:])
    if one:
        if one not in names:
            table.path(one)
            raise UnknownModel(f"the model {one[:200]!r} is not in this key's scope")
        return _json(_model(one, plane, shape), inbound)
    data = [_model(name, plane, shape) for name in names]
    if shape == "anthropic_messages":
        ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None}
        return _json({"data": data, "has_more": False, **ends}, inbound)
    return _json({"models": data} if shape == "gemini" else {"object": "list", "data": data}, inbound)


def named_by(inbound: Inbound) -> str:
    """The dialect whose form a request without one of its own calls for: its headers or its path tell whose client
    it is.
    """
    if b"anthropic-version" in inbound.headers:
        return "anthropic_messages"
    if inbound.url.startswith(b"/model/"):
        return "bedrock_converse"
    return "gemini" if HEADER in inbound.headers or inbound.url.startswith(b"/v1beta/") else "openai_chat"


def _model(name: str, plane: Plane, shape: str) -> dict[str, object]:
    if shape == "anthropic_messages":
        return {"type": "model", "id": name, "display_name": name, "created_at": EPOCH}
    if shape == "gemini":
        ways = [way for tier in plane.table.paths[name].tiers for way in tier]
        spoken = {one for way in ways if isinstance(way, Stop) for one in way.target.dialects}
        verbs = [verb for verb, dialects in VERBS if not dialects.isdisjoint(spoken)]
        return {
            "name": f"models/{name}",
            "displayName": name,
            "version": "1",
            "supportedGenerationMethods": verbs or ["generateContent", "streamGenerateContent"],
        }
    owned = all(way.owned for tier in plane.table.paths[name].tiers for way in tier)
    return {
        "id": name,
        "object": "model",
        "created": EPOCH_SECONDS,
        "owned_by": "owned" if owned else "rented",
    }


def alive(plane: Plane, inbound: Inbound, path: bytes) -> bytes:
    """The process runs."""
    return _json({"status": "ok"}, inbound)


def ready(plane: Plane, inbound: Inbound, path: bytes) -> bytes:
    """The process may be sent calls: snapshots loaded, journal writable, not draining."""
    state = state_of(plane)
    versions = {"keys": plane.keys_version, "routes": plane.table.version, "policy": plane.mint.version}
    return _json({"status": state, "versions": versions}, inbound, 200 if state == "ready" else 503)


LOCAL: tuple[tuple[bytes, Answer], ...] = (
    (b"/healthz", alive),
    (b"/readyz", ready),
    (b"/status", status),
    (b"/v1/models", models),
    (b"/v1/models/", models),
    (b"/v1beta/models", models),
    (b"/v1beta/models/", models),
)
