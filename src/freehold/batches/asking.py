"""One line of a batch through the door, as the key that made it; and what its answer means for the line.

Invariant: what passes by itself (a limit, a busy target, a gateway that is away) ends no line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from freehold.batches.types import Outcome, Tokens
from freehold.evals.wire import Heard, Line, Silent

AS = "~"
"""As in `gateway/callers.py`: the service key calls for another key."""
_LATER = (
    "FH-AVA-001",
    "FH-AVA-002",
    "FH-AVA-003",
    "FH-AVA-004",
    "FH-AVA-030",
    "FH-AVA-032",
    "FH-LIM-001",
    "FH-LIM-002",
    "FH-LIM-003",
    "FH-UP-006",
)
"""Errors that say: not now. A budget that is used up is none of them: it ends the line, as a vendor's would."""
_ENDED = ("FH-KEY-003", "FH-KEY-004")
"""The maker's key was revoked, or has expired. Any other trouble with keys is our own, and passes."""
_PAUSE = 2.0
_LONGEST_PAUSE = 60.0


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One line, ready to be sent."""

    key_id: str
    path: str
    body: bytes
    headers: dict[str, str]
    mark: str
    """The same each time this line is sent: goes to vendors as `idempotency-key`."""


class Later(Exception):
    """Not now. `seconds` is how long to wait; `counts` whether the line itself is at fault, maybe."""

    def __init__(self, seconds: float, *, counts: bool, last: Outcome) -> None:
        super().__init__(last.error)
        self.seconds = seconds
        self.counts = counts
        self.last = last


class KeyEnded(Exception):
    """The key that made the batch may not call any more."""


class Asks(Protocol):
    """Who asks lines."""

    def ask(self, line: Asked) -> Outcome:
        """Raises Later, KeyEnded."""


class Door:
    """The gateway, for lines of batches; from several threads."""

    def __init__(self, base_url: str, certificate: str, secret: Callable[[], str], seconds: float) -> None:
        self._line = Line(base_url, certificate)
        self._secret = secret
        self._seconds = seconds

    def close(self) -> None:
        """Close idle connections."""
        self._line.close()

    def ask(self, line: Asked) -> Outcome:
        """What became of a line. Raises Later, KeyEnded."""
        headers = {
            **line.headers,
            "authorization": f"Bearer {self._secret()}{AS}{line.key_id}",
            "content-type": "application/json",
            "idempotency-key": line.mark,
            "x-freehold-priority": "batch",
        }
        try:
            heard = self._line.post(line.path, line.body, headers, self._seconds)
        except Silent as silent:
            last = Outcome(error=silent.kind, message="no answer came")
            raise Later(_PAUSE, counts=silent.kind != "unreachable", last=last) from None
        return outcome_of(heard)


def outcome_of(heard: Heard) -> Outcome:
    """What an answer means. Raises Later, KeyEnded."""
    code = heard.headers.get("x-freehold-error", "")
    body, usage = _body(heard.body)
    request_id = heard.headers.get("x-request-id") or heard.headers.get("request-id", "")
    found = Outcome(status=heard.status, request_id=request_id, body=body, usage=usage)
    if code in _ENDED:
        raise KeyEnded(code)
    if code in _LATER or heard.status == 401 or (heard.status == 429 and not code):
        raise Later(_wait(heard), counts=False, last=found)
    if heard.status >= 500 and code != "FH-AVA-006":
        raise Later(_wait(heard), counts=True, last=found)
    return found


class _Details(msgspec.Struct):
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    input_tokens: int | None = None
    completion_tokens: int | None = None
    output_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    input_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None
    cache_read_input_tokens: int | None = None


class _Used(msgspec.Struct):
    usage: _Usage | None = None


def _body(data: bytes) -> tuple[Any, Tokens]:
    """The answer as it stands where it is JSON, else as text; and what it says it used."""
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data.decode("utf-8", "replace"), Tokens()
    try:
        used = msgspec.json.decode(data, type=_Used).usage or _Usage()
    except msgspec.DecodeError:
        used = _Usage()
    asked = used.prompt_tokens_details or used.input_tokens_details or _Details()
    answered = used.completion_tokens_details or used.output_tokens_details or _Details()
    cached = used.cache_read_input_tokens or 0
    tokens = Tokens(
        input=(used.prompt_tokens or used.input_tokens or 0) + cached,
        output=used.completion_tokens or used.output_tokens or 0,
        cached=(asked.cached_tokens or 0) + cached,
        reasoning=answered.reasoning_tokens or 0,
    )
    return msgspec.Raw(data.replace(b"\n", b" ")), tokens


def _wait(heard: Heard) -> float:
    try:
        told = float(heard.headers.get("retry-after", ""))
    except ValueError:
        return _PAUSE
    return min(max(told, 0.0), _LONGEST_PAUSE)
