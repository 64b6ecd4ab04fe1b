"""A second attempt at one call, under way beside the first: who begins to answer first is the call's from then on.

Until then nothing of what the rival's target says touches the call; afterwards all of it is passed on to the call.
Each of the two has a permit, a frame and money of its own, and the one that loses is cancelled and paid for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from freehold.core.errors import FreeholdError, JournalUnavailable, UpstreamFailed, UpstreamLied
from freehold.core.permit import Permit
from freehold.gateway.outgoing import Outgoing
from freehold.gateway.relay import answers
from freehold.gateway.routing.table import Stop
from freehold.gateway.upstream import CONTENT, WHOLE, Upstream

if TYPE_CHECKING:
    from freehold.gateway.account import Account
    from freehold.gateway.hedging import Hedging

MAX_ERROR_BYTES = 1 << 20
EVENTS = b"text/event-stream"


class Rival:
    """The second attempt. Its call's `race` is this object until it is decided who answers."""

    def __init__(self, call: Hedging, position: int, out: Outgoing, permit: Permit, deadline: float) -> None:
        self.call = call
        self.position = position
        self.stop: Stop = call.plan[position]
        self.out = out
        self.permit = permit
        self.deadline = deadline
        """Of its first token, should the call become its own."""
        self.upstream: Upstream | None = None
        self.number = len(call.account.tried) + 1
        """Attempts before it, as `plane.connect` is told."""
        self.leads = False
        self.over = False
        self.headed = False
        """Is its answer's head here?"""
        self._first = b""

    # What a transport's other end is asked about

    @property
    def id(self) -> bytes:
        """Of the call."""
        return self.call.id

    @property
    def account(self) -> Account:
        """Of the call."""
        return self.call.account

    # Out to the target

    def dispatch(self, failed: JournalUnavailable | None) -> None:
        """Its frame is written."""
        if self.over:
            return
        if failed is not None:
            self._lose(failed)
            return
        stop, plane = self.stop, self.call.plane
        idle = stop.idle
        if idle is None:
            idle = stop.idle = plane.pool.bucket(stop.origin, stop.target.tls_ca)
        upstream = plane.pool.take(idle, plane.coarse) if idle else None
        if upstream is None:
            plane.connect(stop, self, self.number)
            return
        try:
            self.connected(upstream, self.number)
        except Exception as error:  # noqa: BLE001 - the process edge: the call must still end
            self.crash(error)

    def connected(self, upstream: Upstream, attempt: int) -> None:
        """A connection is there."""
        call = self.call
        if self._gone():
            upstream.abort()
            return
        self.upstream = upstream
        if self.leads:
            call.upstream = upstream
        head = call.head_for(self.out, self.stop)
        try:
            upstream.request(self, self.permit, head, call.plane.coarse)
        except FreeholdError as error:
            self._fail(error)

    def unreachable(self, error: FreeholdError, attempt: int) -> None:
        """No connection came about."""
        if not self._gone():
            self._fail(error)

    def crash(self, error: Exception) -> None:
        """A defect of ours."""
        self.call.crash(error)

    # From the target

    def answer_head(self, upstream: Upstream) -> int:
        """Wanted as the call would want it, but never raw: its beginning is looked at."""
        call = self.call
        if self.leads:
            return call.answer_head(upstream)
        self.headed = True
        peek, headers = call.peek, upstream.headers
        kind = headers.get(b"content-type", b"")
        streams = peek is not None and peek.stream and upstream.status == 200 and b"content-encoding" not in headers
        return CONTENT if streams and kind.startswith(self.out.dialect.stream_kind) else WHOLE

    def answer_raw(self, raw: bytes, content: bytes, whole: bool) -> None:
        """Only where it leads since before its head came."""
        self.call.answer_raw(raw, content, whole)

    def answer_body(self, content: bytes) -> None:
        """Content of a stream: the first that is an answer decides."""
        call = self.call
        if self.leads:
            call.answer_body(content)
            return
        self._first += content
        try:
            if not begun(self.out, self._first):
                return
        except FreeholdError as error:
            self._lose(error)
            return
        if call.overtaken(self):
            call.answer_body(self._first)

    def answer_end(self) -> None:
        """The stream is complete."""
        call = self.call
        if self.leads:
            call.answer_end()
        elif not self._first:
            self._lose(UpstreamLied("the target's stream is empty"))
        elif call.overtaken(self):
            upstream = self.upstream
            call.answer_body(self._first)
            if call.upstream is upstream and not call.over:
                call.answer_end()

    def answer_whole(self, body: bytes) -> None:
        """A whole answer decides where it is one."""
        call, upstream = self.call, self.upstream
        assert upstream is not None
        if self.leads:
            call.answer_whole(body)
        elif upstream.status != 200:
            told = self.stop.without_secret(body)[:MAX_ERROR_BYTES]
            self._lose(self.stop.driver.failure(upstream.status, upstream.headers, told))
        elif call.peek is not None and call.peek.stream:
            self._lose(UpstreamLied("the target answered a streaming request without a stream"))
        elif call.overtaken(self):
            call.answer_whole(body)

    def answer_failed(self, error: FreeholdError, stale: bool) -> None:
        """No (more) answer will come."""
        self.upstream = None
        if self.leads:
            self.call.answer_failed(error, stale)
        elif self.over:
            return
        elif stale:
            self.call.plane.connect(self.stop, self, self.number)
        else:
            self._lose(error)

    # Its end

    def _gone(self) -> bool:
        """Is it over: by itself, with its call, or as an attempt that led and is lost?"""
        account = self.call.account
        lost = self.leads and (account.stop is None or len(account.tried) != self.number)
        return self.over or self.call.over or lost

    def drop(self, outcome: str = "overtaken", status: int = 0, error: str = "") -> None:
        """It is not needed any more: stop its target, and pay for what that may have done."""
        if self.over or self.leads:
            return
        self.over = True
        call = self.call
        call.race = None
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            upstream.abort()
        if not error:
            self.stop.health.breaker.released()
        call.account.end_aside(outcome, status, call.plane.now(), sent=upstream is not None, error=error)

    def _fail(self, error: FreeholdError) -> None:
        """Lost before it was sent: the call's own failure, where the call is its own."""
        if not self.leads:
            self._lose(error)
            return
        upstream, self.upstream = self.upstream, None
        self.call.upstream = None
        if upstream is not None:
            upstream.abort()
        self.call.fail(error)

    def _lose(self, error: FreeholdError) -> None:
        """It failed by itself: the first attempt goes on, and nobody goes there again for this call."""
        if self.over:
            return
        call = self.call
        call.weigh_failure(self.stop, error, call.plane.now())
        failed = isinstance(error, UpstreamFailed)
        outcome = error.outcome if isinstance(error, UpstreamFailed) else "failed"
        self.drop(outcome, (error.status or 0) if isinstance(error, UpstreamFailed) else 0, error.code)
        if failed:
            call.plan = (*call.plan[: self.position], *call.plan[self.position + 1 :])


class Ahead:
    """Receives for a first attempt that has a rival: what its target says goes to the call, and may end the race."""

    def __init__(self, call: Hedging) -> None:
        self.call = call
        self._first = b""

    @property
    def id(self) -> bytes:
        """Of the call."""
        return self.call.id

    @property
    def account(self) -> Account:
        """Of the call."""
        return self.call.account

    def answer_head(self, upstream: Upstream) -> int:
        """How the call wants the body."""
        return self.call.answer_head(upstream)

    def answer_raw(self, raw: bytes, content: bytes, whole: bool) -> None:
        """Raw bytes of a stream."""
        self._seen(content)
        self.call.answer_raw(raw, content, whole)
        self._committed()

    def answer_body(self, content: bytes) -> None:
        """Content of a stream."""
        self._seen(content)
        self.call.answer_body(content)
        self._committed()

    def answer_end(self) -> None:
        """The stream is complete."""
        self.call.answer_end()

    def answer_whole(self, body: bytes) -> None:
        """A whole answer, or an error."""
        call = self.call
        if call.race is not None and call.upstream is not None and call.upstream.status == 200:
            call.race.drop()
        call.answer_whole(body)

    def answer_failed(self, error: FreeholdError, stale: bool) -> None:
        """No (more) answer will come."""
        self.call.answer_failed(error, stale)

    def _seen(self, content: bytes) -> None:
        race = self.call.race
        if race is None:
            return
        self._first += content
        try:
            if begun(self.call.out, self._first):
                race.drop()
        except FreeholdError:  # the call will see the same, and go on with its rival
            return

    def _committed(self) -> None:
        if self.call.committed and self.call.race is not None:
            self.call.race.drop()


def begun(out: Outgoing, first: bytes) -> bool:
    """Has an answer begun, by the first bytes of its stream? Raises UpstreamRefused where they are an error."""
    return answers(first) if out.dialect.stream_kind == EVENTS else bool(first)
