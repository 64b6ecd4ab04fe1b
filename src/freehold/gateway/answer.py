"""The second third of a call: the target's answer on its way to the caller, and the settlement.

Nothing goes to the caller before the answer's first event is seen to be one; the last byte waits for the journal.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from freehold.core.errors import FreeholdError, JournalUnavailable, UpstreamLied
from freehold.gateway.inbound import Inbound
from freehold.gateway.listener import Connection
from freehold.gateway.media import ANY_KIND, JSON, answered_kind
from freehold.gateway.relay import LAST_CHUNK, Filtered, Translated, Verbatim, answers, chunk, plain
from freehold.gateway.settlement import Settling
from freehold.gateway.tools import MCP, session_line, shown
from freehold.gateway.upstream import CONTENT, RAW, WHOLE, Upstream, refuse_compressed
from freehold.ledger.meter import Usage

if TYPE_CHECKING:
    from hashlib import _Hash as HASH

    from freehold.gateway.screen import Screen

MAX_ERROR_BYTES = 1 << 20
PASSED_MOST = 64
"""Reads of a stream that are metered and digested at once: each for itself would cost more than passing it on."""
EVENT_STREAM = b"text/event-stream"
_STREAMED = {EVENT_STREAM: EVENT_STREAM + b"; charset=utf-8"}
LAST_CHUNK_BEGUN = (b"0", b"0\r", b"0\r\n", b"0\r\n\r")
SLOW_CALLER_SECONDS = 300.0
ERROR_TYPE = b"x-amzn-errortype"
"""Where some vendors' errors say what they are, instead of in their body."""
TAKEN = 202
"""Says a server of tools to a message that asks for nothing; and 404 once a session has ended."""
PASSED_ON = frozenset({400, 413, 422})
"""Statuses whose body is the caller's business: it goes on as it came where both sides speak the same dialect."""


class Answering(Settling):
    """Receives from `Upstream`, writes to `Connection`. `Call` is the first third, `Settling` the last."""

    connection: Connection
    inbound: Inbound
    deadline: float
    request_id: str
    capturing = False
    """Are this route's bodies kept?"""
    answered_kind = b"application/json"  # `JSON`, as a literal: compiled classes take no other default
    """Media type of a whole answer, and of a stream of any."""
    paused = False
    """Does the caller read too slowly just now?"""
    _hash: HASH = None  # type: ignore[assignment]  # made with the stream
    _idle_seconds = 0.0

    def fail(self, error: FreeholdError) -> None:
        """The attempt is lost; the first third decides what follows."""
        raise NotImplementedError

    def expire(self, now: float) -> None:
        """The deadline has passed."""
        raise NotImplementedError

    def weigh(self, upstream: Upstream, body: bytes) -> bool:
        """A whole answer came: True where it was a member's, and is dealt with."""
        raise NotImplementedError

    def watched_answer(self) -> Screen:
        """The guard's way for the answer of this attempt."""
        raise NotImplementedError

    def screened(self, body: bytes) -> tuple[Usage | None, bytes] | None:
        """What of a whole answer the guard lets out."""
        raise NotImplementedError

    def refused_by_vendor(self, status: int, body: bytes) -> FreeholdError | None:
        """What leads to an owned target where a vendor's filter refused; None where it did not, or none is there."""
        raise NotImplementedError

    def keep(self, body: bytes) -> None:
        """A whole answer went through that may be served again."""
        raise NotImplementedError

    def lenient(self) -> bool:
        """Is this attempt one whose failure, of whatever kind, another target makes good?"""
        raise NotImplementedError

    # From the target

    def answer_head(self, upstream: Upstream) -> int:
        """Choose the way the body takes."""
        peek = self.peek
        assert peek is not None
        if self.account.first_token is None:
            self.account.first_token = self.plane.now()
        if self.odd and self.out.dialect.name in ANY_KIND:
            self.answered_kind = answered_kind(upstream.headers.get(b"content-type", b""))
        if not peek.stream or upstream.status != 200:
            return WHOLE
        steps = self.steps
        if steps is not None and (step := steps[self.position]) is not None and step.held:
            return WHOLE
        headers = upstream.headers
        if (
            not headers.get(b"content-type", b"").startswith(self.out.dialect.stream_kind)
            or b"content-encoding" in headers
        ):
            return WHOLE
        out = self.out
        http11 = self.inbound.http11
        frame = chunk if http11 else plain
        self._hash = hashlib.sha256()
        self._update = self._hash.update if self.plane.receipts else None
        self._passed = []
        self._idle_seconds = self.plan[self.position].target.idle_seconds
        if out.decoded or (self.guarded is not None and self.guarded.said.request is not None):
            decoder, encoder = out.dialect.stream_decoder(), self.dialect.stream_encoder(peek, created=int(self.at))
            restore = out.restore if self.guarded is None else self.watched_answer()
            self._stream = Translated(decoder, restore, encoder, frame)
            return CONTENT
        stripper = self.dialect.stream_stripper() if out.strip_usage else None
        gathered = self.capturing or self.hedged or self.keep_as is not None
        if stripper is None and http11 and upstream.may_be_raw() and not gathered:
            self._stream = Verbatim(self.dialect.stream_meter())
            return RAW
        self._stream = Filtered(self.dialect.stream_meter(), stripper, frame)
        return CONTENT

    def answer_raw(self, raw: bytes, content: bytes, whole: bool) -> None:
        """Raw bytes of a stream; the last chunk waits until the end mark is checked and the close is written."""
        self.deadline = self.plane.coarse + self._idle_seconds
        if self.committed and content and not (whole or self._held or raw.endswith(LAST_CHUNK_BEGUN)):
            # Nearly every read of a stream: pass it on, and look at it together with those that follow.
            passed = self._passed
            passed.append(content)
            if len(passed) >= PASSED_MOST:
                self._absorb()
            self.connection.write(raw)
            return
        stream = self._stream
        assert stream is not None
        if self._held:
            raw, self._held = self._held + raw, b""
        try:
            if content:
                if not self.committed and not self._judge_first(content) and not whole:
                    self._held = raw
                    return
                if self._first:
                    content, self._first = self._first, b""
                self._passed.append(content)
            elif not self.committed and not whole:  # framing alone is no answer yet
                self._held = raw
                return
            if not whole:
                if raw.endswith(LAST_CHUNK_BEGUN):  # the last chunk may be coming in pieces
                    at = raw.rindex(b"0")
                    raw, self._held = raw[:at], raw[at:]
                self._write(raw)
                return
            if not raw.endswith(LAST_CHUNK):
                raise UpstreamLied("the target's stream ended with trailers, which are not passed on")
            self._write(raw[: -len(LAST_CHUNK)])
            self._absorb()
            stream.end()
        except FreeholdError as error:
            self.fail(error)
            return
        self._finish(stream.usage(), LAST_CHUNK)

    def answer_body(self, content: bytes) -> None:
        """Content of a stream, on through whatever way was chosen."""
        stream = self._stream
        assert stream is not None
        self.deadline = self.plane.coarse + self._idle_seconds
        try:
            if not self.committed and not self.out.decoded and self.guarded is None:
                if not self._judge_first(content):
                    return
                content, self._first = self._first, b""
            data = stream.feed(content)
        except FreeholdError as error:
            self.fail(error)
            return
        if data:
            self._deliver(data)

    def answer_end(self) -> None:
        """The body of a stream is complete."""
        stream = self._stream
        assert stream is not None
        try:
            data = stream.feed(self._first) + stream.end() if self._first else stream.end()
        except FreeholdError as error:
            self.fail(error)
            return
        if data:
            self._deliver(data)
        self._finish(stream.usage(), LAST_CHUNK if self.inbound.http11 else b"")

    def answer_whole(self, body: bytes) -> None:
        """The body of an answer that is no stream."""
        upstream = self.upstream
        assert upstream is not None
        try:
            if upstream.status != 200 and not (upstream.status == TAKEN and self.out.dialect.name == MCP):
                self._answer_error(upstream, body)
            elif self.steps is None or not self.weigh(upstream, body):
                self._answer_ok(upstream, body)
        except FreeholdError as error:
            self.fail(error)

    def _judge_first(self, content: bytes) -> bool:
        """Gather the first bytes in `_first` until they show whether the stream begins with an error.

        An error is no answer: another target may still give one. Raises UpstreamRefused.
        """
        self._first = first = self._first + content if self._first else content
        return answers(first, self.out.dialect.stream_kind)

    # A whole answer

    def _answer_ok(self, upstream: Upstream, body: bytes) -> None:
        assert self.peek is not None
        if self.peek.stream:
            raise UpstreamLied("the target answered a streaming request without a stream")
        refuse_compressed(upstream)
        out = self.out
        if self.odd and out.dialect.name == MCP:
            body = shown(self.plan[self.position].target, body)
            self.lines += session_line(upstream.headers)
        screened = None if self.guarded is None else self.screened(body)
        if screened is not None:
            usage, body = screened
        elif out.decoded:
            answer = out.dialect.decode_answer(body)
            if out.restore is not None:
                answer = out.restore.answer(answer)
            usage = answer.usage
            body, lost = self.dialect.encode_answer(answer, created=int(self.at))
            out.dropped += tuple(one for one in lost if one not in out.dropped)
        else:
            usage = out.dialect.usage(body)
        self.delivered = len(body)
        self._end_attempt(usage or self.account.estimate(len(body) // 4))
        if self.capturing:
            self.capture("response", body)
        if self.keep_as is not None:
            self.keep(body)
        self.reply(self._ok_head(len(body), status=upstream.status, cost=True) + body, "ok", 200, body)

    def reply(self, data: bytes, outcome: str, status: int, body: bytes, error: str = "") -> None:
        """Settle, then send a whole response."""
        connection = self.connection

        def reply(failed: JournalUnavailable | None) -> None:
            connection.write(data)
            connection.done()

        self.settle(outcome, status, reply, error=error, digest=self._digest_of(body))

    def _digest_of(self, body: bytes) -> bytes:
        return hashlib.sha256(body).digest() if self.plane.receipts else b""

    def _answer_error(self, upstream: Upstream, body: bytes) -> None:
        """The target answered with an error: the caller's own mistakes go on as they came."""
        stop = self.plan[self.position]
        body = stop.without_secret(body)
        error = stop.driver.failure(upstream.status, upstream.headers, body[:MAX_ERROR_BYTES])
        self._release()
        if self.guarded is not None and (refusal := self.refused_by_vendor(upstream.status, body)) is not None:
            self.fail(refusal)
            return
        passed = upstream.status in PASSED_ON or (upstream.status == 404 and self.out.dialect.name == MCP)
        mine = passed and not self.out.decoded and not error.retryable and not self.lenient()
        if not mine or not body.lstrip().startswith(b"{"):
            self.fail(error)
            return
        stop.health.breaker.succeeded()
        self.account.end("refused", upstream.status, None, self.plane.now(), error.code)
        self.delivered = len(body)
        head = self._ok_head(len(body), status=upstream.status)
        named = upstream.headers.get(ERROR_TYPE)
        if named is not None:
            head = b"%b%b: %b\r\n\r\n" % (head[:-2], ERROR_TYPE, named)
        self.reply(head + body, "failed", upstream.status, body, error.code)

    # To the caller

    def _ok_head(self, length: int | None, *, status: int = 200, cost: bool = False) -> bytes:
        """The response head; `length` None means chunks (or, for HTTP/1.0, until the connection closes)."""
        plane, out = self.plane, self.out
        more = self.plan[self.position].named
        if self.steps is not None and (step := self.steps[self.position]) is not None:
            more += step.line
        if self.lines:
            more += self.lines
        if self.rerouted:
            more += b"x-freehold-rerouted: refusal\r\n"
        if self.lane is not None and self.lane.limited and self.caller is not None:
            more += self.dialect.limit_lines(self.caller.limits(), plane.coarse)
        if out.dropped:
            more += b"x-freehold-dropped: %b\r\n" % ", ".join(out.dropped).encode("ascii", "replace")
        if not self.inbound.keep_alive:
            more += b"connection: close\r\n"
        if length is not None:
            if cost:
                more += self.account.cost_line()
            more += b"content-length: %d\r\n\r\n" % length
            kind = self.answered_kind if status == 200 else JSON
            return plane.head(status, kind, self.dialect, self.request_id, more)
        more += b"cache-control: no-cache\r\n"
        more += b"transfer-encoding: chunked\r\n\r\n" if self.inbound.http11 else b"\r\n"
        kind = _STREAMED.get(self.dialect.stream_kind, self.dialect.stream_kind or self.answered_kind)
        return plane.head(status, kind, self.dialect, self.request_id, more)

    def _write(self, data: bytes) -> None:
        """Raw bytes on; the head goes before the first."""
        if not data:
            return
        if not self.committed:
            self.committed = True
            data = self._ok_head(None) + data
        self.connection.write(data)

    def _deliver(self, data: bytes) -> None:
        """Framed content on, hashed as the caller will see it."""
        content = data
        if self.inbound.http11:
            content = data[data.index(b"\r\n") + 2 : -2]
        if self._update is not None:
            self._update(content)
        self.delivered += len(content)
        if self.capturing or self.keep_as is not None:
            if self._captured is None:
                self._captured = []
            self._captured.append(content)
        self._write(data)

    def _finish(self, usage: Usage | None, last: bytes) -> None:
        """A stream reached its end: settle, then the last bytes."""
        stream = self._stream
        assert stream is not None
        if not self.committed:  # a stream without an event is no answer
            self.fail(UpstreamLied("the target's stream is empty"))
            return
        if isinstance(stream, Translated):
            lost = stream.dropped
            if self.guarded is not None and self.guarded.screen is not None:
                lost += self.guarded.screen.dropped
            self.out.dropped += tuple(one for one in lost if one not in self.out.dropped)
        self._end_attempt(usage or self.account.estimate(stream.events))
        if self._captured is not None:
            self._gathered(b"".join(self._captured))
        connection, keep = self.connection, self.inbound.http11

        def reply(failed: JournalUnavailable | None) -> None:
            connection.write(last)
            connection.done(keep)

        self.settle("ok", 200, reply, digest=self._digest())

    def _gathered(self, body: bytes) -> None:
        """The whole content of a stream, as the caller got it."""
        if self.capturing:
            self.capture("response", body)
        if self.keep_as is not None:
            self.keep(body)

    def _digest(self) -> bytes:
        return self._hash.digest() if self._update is not None else b""

    def break_off(self, error: FreeholdError) -> None:
        """The answer had begun: say so where the framing is ours, and close without the mark of an end."""
        connection, stream = self.connection, self._stream
        last = b""
        if not isinstance(stream, Verbatim):
            event = self.dialect.error_event(error, self.request_id)
            last = chunk(event) if self.inbound.http11 else plain(event)

        def cut(failed: JournalUnavailable | None) -> None:
            connection.write(last)
            connection.close()

        self.settle("broken", 200, cut, error=error.code, digest=self._digest())

    def pause(self) -> None:
        """The caller reads slowly: so do we, for a while."""
        if self.upstream is not None and not self.upstream.closed:
            self.upstream.transport.pause_reading()
            self.paused = True
            self.deadline = self.plane.coarse + SLOW_CALLER_SECONDS

    def resume(self) -> None:
        """The caller caught up."""
        if self.upstream is not None and not self.upstream.closed:
            self.upstream.transport.resume_reading()
            self.paused = False
            self.deadline = self.plane.coarse + self._idle_seconds
