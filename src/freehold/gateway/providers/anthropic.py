"""Anthropic's API, and everything that speaks it."""

from __future__ import annotations

from collections.abc import Mapping

from freehold.core.errors import UpstreamFailed
from freehold.gateway.messages import Request
from freehold.gateway.ports import Peek, Restore, Signer
from freehold.gateway.providers.failures import failure_of
from freehold.policy.targets import Target

VERSION = "2023-06-01"
"""The version of the protocol that the dialect `anthropic_messages` is written for; the vendor keeps it stable."""


class AnthropicDriver:
    """The driver `anthropic`."""

    name = "anthropic"
    adapts = False
    signer: Signer | None = None

    def headers(self, target: Target, secret: str, dialect: str) -> list[tuple[str, str]]:
        """The key, the version (unless the target names another), and the target's own headers."""
        found = [("x-api-key", secret)] if secret else []
        if not any(name.lower() == "anthropic-version" for name, _ in target.headers):
            found.append(("anthropic-version", VERSION))
        return [*found, *target.headers]

    def forwards(self) -> frozenset[bytes]:
        """Feature flags."""
        return frozenset({b"anthropic-beta"})

    def must_adapt(self, target: Target, peek: Peek) -> bool:
        """Never: in its own dialect a request goes out as it came in."""
        return False

    def adapt(self, target: Target, request: Request) -> tuple[Request, Restore | None]:
        """Nothing to adapt."""
        return request, None

    def failure(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> UpstreamFailed:
        """What an answer with an error status means."""
        return failure_of(status, headers, body)
