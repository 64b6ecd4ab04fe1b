"""Google's Gemini: AI Studio by its API key, Vertex by an access token or by an API key.

What a model's generation does not know is put in the words it does: efforts as budgets before Gemini 3, and since then
a mark on calls whose thinking nobody signed, which the vendor would refuse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from freehold.core.errors import UpstreamFailed, UpstreamOverloaded
from freehold.gateway.json_read import BROKEN
from freehold.gateway.messages import Request, Thought, ToolCall, Turn
from freehold.gateway.ports import Peek, Restore, Signer
from freehold.gateway.providers.failures import LONGEST_WAIT, failure_of
from freehold.policy.targets import Target

BEARER = "bearer"
"""Quirk: the credential is an OAuth access token."""
SKIP = "skip_thought_signature_validator"
"""Stands for the signature of a call that another model made (ai.google.dev/gemini-api/docs/thought-signatures)."""
BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}
"""Tokens that an effort stands for, by the vendor (ai.google.dev/gemini-api/docs/openai, "Thinking")."""

_GENERATION = re.compile(r"gemini-(\d+)")
_BAD_KEY = (b'"API_KEY_INVALID"', b'"API_KEY_SERVICE_BLOCKED"', b'"CONSUMER_INVALID"')
"""Reasons in errors with status 400 that concern this instance's key."""
_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_decode = msgspec.json.Decoder().decode


class GeminiDriver:
    """The driver `gemini`."""

    name = "gemini"
    adapts = False
    signer: Signer | None = None

    def headers(self, target: Target, secret: str, dialect: str) -> list[tuple[str, str]]:
        """The key or the token, and the target's own headers."""
        given = ("authorization", f"Bearer {secret}") if BEARER in target.quirks else ("x-goog-api-key", secret)
        return [*([given] if secret else []), *target.headers]

    def forwards(self) -> frozenset[bytes]:
        """Nothing: the vendor's flags stand in bodies."""
        return frozenset()

    def must_adapt(self, target: Target, peek: Peek) -> bool:
        """Never: in its own dialect a request goes out as it came in."""
        return False

    def adapt(self, target: Target, request: Request) -> tuple[Request, Restore | None]:
        """A translated request in the words this model's generation knows."""
        found = _GENERATION.search(target.model)
        if found is not None and int(found[1]) < 3:
            thought = request.thought
            if thought is not None and thought.enabled and thought.budget is None and thought.effort in BUDGETS:
                told = Thought(budget=BUDGETS[thought.effort])
                return replace(request, thought=told), None
            return request, None
        if "gemini" not in target.model:
            return request, None
        return replace(request, turns=tuple(_signed(one) for one in request.turns)), None

    def failure(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> UpstreamFailed:
        """What an answer with an error status means; a key that is not good is a wrong argument here."""
        if status == 400 and any(one in body for one in _BAD_KEY):
            return failure_of(401, headers, b"")
        found = failure_of(status, headers, body)
        wait = _delay(body) if found.retry_after is None and isinstance(found, UpstreamOverloaded) else None
        return found if wait is None else UpstreamOverloaded(found.message, status=status, retry_after=wait)


def _signed(turn: Turn) -> Turn:
    """The first call of a turn carries the signature of all; where there is none, the mark that says so."""
    calls = [at for at, part in enumerate(turn.parts) if isinstance(part, ToolCall)]
    if not calls or any(part.signature for part in turn.parts if isinstance(part, ToolCall)):
        return turn
    parts: list[Any] = list(turn.parts)
    parts[calls[0]] = replace(parts[calls[0]], signature=SKIP)
    return replace(turn, parts=tuple(parts))


def _delay(body: bytes) -> float | None:
    """Seconds to wait out of `google.rpc.RetryInfo`; None where not told."""
    try:
        value = _decode(body)
    except BROKEN:
        return None
    error = value.get("error") if isinstance(value, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    for one in details if isinstance(details, list) else ():
        said = _DELAY.fullmatch(str(one.get("retryDelay"))) if isinstance(one, dict) else None
        if said is not None:
            return min(float(said[1]), LONGEST_WAIT)
    return None
