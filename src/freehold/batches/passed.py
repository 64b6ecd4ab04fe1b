"""What the gateway is asked of lines that are passed to a vendor: made ready, sent, asked after, delivered.

Invariant: an error that says what happened is told as that; where nobody knows, it is `Unclear`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import msgspec

from freehold.batches.asking import KeyEnded, Later, outcome_of
from freehold.batches.types import Outcome
from freehold.evals.wire import Heard as Reply
from freehold.evals.wire import Line as Wire
from freehold.evals.wire import Silent
from freehold.gateway.passed_lines import (
    PREFIX,
    Answered,
    Ask,
    Deliver,
    Delivered,
    Heard,
    Line,
    NotPassed,
    Prepared,
    Ready,
    Send,
)

MOST_BYTES = 300 << 20
SECONDS = 360.0
"""Above what the gateway waits for a vendor."""
T = TypeVar("T")


class Unclear(Exception):
    """No answer came: what was asked may have been done."""


class Refused(Exception):
    """The gateway did not let it leave. `code` is its error's."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Passes(Protocol):
    """Who passes lines."""

    def prepare(self, line: Line) -> Ready | NotPassed | Outcome:
        """A line as it may leave, or what became of it already. Raises Later, KeyEnded."""

    def deliver(self, told: Deliver) -> Delivered:
        """What a caller gets for an answer. Raises Unclear, Refused."""

    def send(self, sent: Send) -> Heard:
        """The vendor's answer to a file. Raises Unclear, Refused, KeyEnded."""

    def ask(self, asked: Ask) -> Heard:
        """The vendor's answer to a question. Raises Unclear, Refused."""


class Counter:
    """The gateway, for lines that are passed; from several threads."""

    def __init__(self, base_url: str, certificate: str, secret: Callable[[], str]) -> None:
        self._line = Wire(base_url, certificate, MOST_BYTES)
        self._secret = secret

    def close(self) -> None:
        """Close idle connections."""
        self._line.close()

    def prepare(self, line: Line) -> Ready | NotPassed | Outcome:
        """See `Passes`."""
        try:
            found: Ready | NotPassed | Answered = self._ask("prepare", line, Prepared)  # type: ignore[arg-type]  # a union
        except Unclear:
            last = Outcome(error="unreachable", message="no answer came")
            raise Later(2.0, counts=False, last=last) from None
        except Refused as refused:
            raise Later(5.0, counts=True, last=Outcome(error=refused.code, message=str(refused))) from None
        return outcome(found) if isinstance(found, Answered) else found

    def deliver(self, told: Deliver) -> Delivered:
        """See `Passes`."""
        return self._ask("deliver", told, Delivered)

    def send(self, sent: Send) -> Heard:
        """See `Passes`."""
        return self._ask("send", sent, Heard)

    def ask(self, asked: Ask) -> Heard:
        """See `Passes`."""
        return self._ask("ask", asked, Heard)

    def _ask(self, what: str, message: msgspec.Struct, kind: type[T]) -> T:
        headers = {"authorization": f"Bearer {self._secret()}", "content-type": "application/msgpack"}
        try:
            reply = self._line.post(PREFIX.decode() + what, msgspec.msgpack.encode(message), headers, SECONDS)
        except Silent as silent:
            raise Unclear(silent.kind) from None
        if reply.status == 200:
            return msgspec.msgpack.decode(reply.body, type=kind)
        code = reply.headers.get("x-freehold-error", "")
        if not code or reply.status >= 500:
            raise Unclear(code)
        if code in ("FH-KEY-003", "FH-KEY-004"):
            raise KeyEnded(code)
        raise Refused(code, "the gateway did not let it leave")


def outcome(told: Answered) -> Outcome:
    """What an answer means for the line. Raises Later, KeyEnded."""
    return outcome_of(Reply(told.status, told.headers, told.body))
