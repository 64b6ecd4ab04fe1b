"""OpenAI and everything that speaks its protocols: which vendor it is stands in the row, not here."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from freehold.core.errors import UpstreamFailed
from freehold.gateway.messages import Request
from freehold.gateway.ports import Peek, Restore, Signer
from freehold.gateway.providers.failures import failure_of
from freehold.policy.targets import Target

MAX_TOKENS = "max_tokens"
"""Quirk: knows only the older name of the output limit."""
NO_STREAM_OPTIONS = "no_stream_options"
"""Quirk: refuses `stream_options`, and reports usage in streams unasked."""


API_KEY = "api_key"
"""Quirk: wants the key in a header `api-key` (Azure; a token of Entra ID is a bearer token as everywhere)."""


class OpenAiDriver:
    """The driver `openai`."""

    name = "openai"
    adapts = False
    signer: Signer | None = None

    def headers(self, target: Target, secret: str, dialect: str) -> list[tuple[str, str]]:
        """The key where there is one, as a bearer token or as the target's quirk says, and the target's own headers."""
        name, value = ("api-key", secret) if API_KEY in target.quirks else ("authorization", f"Bearer {secret}")
        found = [(name, value)] if secret else []
        return [*found, *target.headers]

    def forwards(self) -> frozenset[bytes]:
        """Feature flags, and the key that lets the vendor recognise a repeated call."""
        return frozenset({b"openai-beta", b"idempotency-key"})

    def must_adapt(self, target: Target, peek: Peek) -> bool:
        """Never: in its own dialect a request goes out as it came in."""
        return False

    def adapt(self, target: Target, request: Request) -> tuple[Request, Restore | None]:
        """A translated request in the words this vendor knows."""
        told = []
        if MAX_TOKENS in target.quirks:
            told.append(("openai_chat", "max_tokens", Raw(b"null")))
        if NO_STREAM_OPTIONS in target.quirks:
            told.append(("openai_chat", "stream_options", Raw(b"null")))
        return (msgspec.structs.replace(request, extra=(*request.extra, *told)) if told else request), None

    def failure(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> UpstreamFailed:
        """What an answer with an error status means."""
        return failure_of(status, headers, body)
