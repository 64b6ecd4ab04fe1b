"""Servers of tools that speak the Model Context Protocol over streamable HTTP."""

from __future__ import annotations

from collections.abc import Mapping

from freehold.core.errors import UpstreamFailed
from freehold.gateway.messages import Request
from freehold.gateway.ports import Peek, Restore, Signer
from freehold.gateway.providers.failures import failure_of
from freehold.gateway.tools import SESSION
from freehold.policy.targets import Target


class McpDriver:
    """The driver `mcp`."""

    name = "mcp"
    adapts = False
    signer: Signer | None = None

    def headers(self, target: Target, secret: str, dialect: str) -> list[tuple[str, str]]:
        """What the transport demands, a bearer token where there is a secret, and the server's own headers."""
        found = [("accept", "application/json, text/event-stream")]
        found += [("authorization", f"Bearer {secret}")] if secret else []
        return [*found, *target.headers]

    def forwards(self) -> frozenset[bytes]:
        """Session, agreed version, and what headers repeat of the message."""
        return frozenset({SESSION, b"mcp-method", b"mcp-name", b"mcp-protocol-version"})

    def must_adapt(self, target: Target, peek: Peek) -> bool:
        """Never: messages go as they came."""
        return False

    def adapt(self, target: Target, request: Request) -> tuple[Request, Restore | None]:
        """As it is."""
        return request, None

    def failure(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> UpstreamFailed:
        """What an answer with an error status means."""
        return failure_of(status, headers, body)
