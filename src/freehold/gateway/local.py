"""What the gateway answers by itself: the list of models, and whether it lives and is ready."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from freehold.core.errors import UnknownModel
from freehold.gateway.listener import Inbound
from freehold.gateway.reply import head_of

if TYPE_CHECKING:
    from freehold.gateway.plane import Plane

Answer = Callable[["Plane", Inbound, bytes], bytes]
EPOCH = "2026-01-01T00:00:00Z"
"""Routes have no release date of their own; both dialects require one."""
EPOCH_SECONDS = 1767225600


def _json(value: object, inbound: Inbound, status: int = 200) -> bytes:
    body = msgspec.json.encode(value)
    kind = [(b"content-type", b"application/json")]
    return head_of(status, kind, len(body), keep=inbound.keep_alive) + body


def models(plane: Plane, inbound: Inbound, path: bytes) -> bytes:
    """The routes this key may name, in the caller's dialect; one of them, where the path names it."""
    caller = plane.gate.admit(inbound.headers, plane.now())
    table = plane.table
    names = [
        name for name, path_ in sorted(table.paths.items()) if caller.routes is None or path_.name in caller.routes
    ]
    anthropic = b"anthropic-version" in inbound.headers
    one = path[len(b"/v1/models/") :].decode("utf-8", "replace")
    if one:
        if one not in names:
            table.path(one)
            raise UnknownModel(f"the model {one[:200]!r} is not in this key's scope")
        return _json(_model(one, plane, anthropic=anthropic), inbound)
    data = [_model(name, plane, anthropic=anthropic) for name in names]
    if anthropic:
        ends = {"first_id": names[0] if names else None, "last_id": names[-1] if names else None}
        return _json({"data": data, "has_more": False, **ends}, inbound)
    return _json({"object": "list", "data": data}, inbound)


def _model(name: str, plane: Plane, *, anthropic: bool) -> dict[str, object]:
    if anthropic:
        return {"type": "model", "id": name, "display_name": name, "created_at": EPOCH}
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
    good = plane.ready and not plane.draining and not plane.journal.broken
    state = "ready" if good else "draining" if plane.draining else "not ready"
    versions = {"keys": plane.keys_version, "routes": plane.table.version, "policy": plane.mint.version}
    return _json({"status": state, "versions": versions}, inbound, 200 if good else 503)


LOCAL: tuple[tuple[bytes, Answer], ...] = (
    (b"/healthz", alive),
    (b"/readyz", ready),
    (b"/v1/models", models),
    (b"/v1/models/", models),
)
