"""The end of a call: connection given back, attempt accounted for, close written. Once, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from freehold.core.errors import JournalUnavailable
from freehold.gateway.account import Account
from freehold.gateway.lanes import label_of
from freehold.gateway.ports import Dialect, Peek
from freehold.gateway.relay import Stream
from freehold.gateway.routing.table import Path, Stop
from freehold.gateway.upstream import Upstream
from freehold.ledger.frames import Body, Close, Refused, Scan
from freehold.ledger.meter import Usage

if TYPE_CHECKING:
    from freehold.core.label import Label
    from freehold.gateway.callers import Caller
    from freehold.gateway.course import Step
    from freehold.gateway.guarded import Guarded
    from freehold.gateway.lanes import Lane
    from freehold.gateway.outgoing import Outgoing
    from freehold.gateway.plane import Plane
    from freehold.gateway.rival import Rival


MAX_NAME = 128
"""Longest name of a caller's choosing that is kept (a workflow, a model that does not exist)."""


class Settling:
    """The last third of a call: what it must know to end."""

    plane: Plane
    id: bytes
    account: Account
    out: Outgoing
    opened: bool
    dialect: Dialect
    odd: bool
    """Is its dialect one of `media.ODD`?"""
    at: float
    # What the way in found out; None until it did.
    caller: Caller | None = None
    peek: Peek | None = None
    path: Path | None = None
    lane: Lane | None = None
    raised: Label | None = None
    """What a header said of the content."""
    label: Label | None = None
    """The label, where more is joined in it than key, route and header, or less by a named right."""
    guarded: Guarded | None = None
    """What the route's guard did with the call; None where the route has none."""
    scan: Scan | None = None
    """What is written down of it."""
    trace = ""
    """Trace and span its caller says it belongs to."""
    told: Usage | None = None
    """What a whole answer used, while it is looked at."""
    rerouted = False
    """Was an owned target asked because a rented model refused?"""
    workflow = ""
    plan: Sequence[Stop] = ()
    position = 0
    steps: Sequence[Step | None] | None = None
    """What is special about each stop of the plan; None where nothing is."""
    spare = 0
    """Attempts that a move or a composite adds to the route's own."""
    upstream: Upstream | None = None
    keep_as: bytes | None = None
    """What the answer is kept under, to be served again; None where it is not."""
    lines = b""
    """Header lines that tell what a cache or a hedge did."""
    race: Rival | None = None
    """A second attempt under way, while it is not decided which of the two answers."""
    hedged = False
    over = False
    committed = False
    delivered = 0
    _stream: Stream | None = None
    _captured: list[bytes] | None = None
    _update: Callable[[bytes], None] | None = None
    """Digests what is delivered; None where no receipt vouches for it."""
    _passed: list[bytes]
    """Content that was passed on and not looked at yet. Exists with `_stream`."""
    _first = b""
    _held = b""

    def refused_frame(self, status: int, error: str) -> Refused:
        """What the journal keeps of a call that was never sent."""
        principal = self.caller.principal if self.caller else None
        named = self.peek.model[:MAX_NAME] if self.peek else ""
        label = ""
        if self.caller is not None and self.path is not None:
            label = str(self.label or label_of(self.caller, self.path, self.raised))
        return Refused(
            self.id, self.at, principal.key_id if principal else "", principal.team if principal else "",
            self.path.name if self.path else named, self.dialect.name, label, self.workflow,
            status, error, self.plane.mint.version, self.plane.table.version, scan=self.scan, trace=self.trace,
        )  # fmt: skip

    def _release(self) -> None:
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            idle = self.plan[self.position].idle
            assert idle is not None
            self.plane.pool.give(idle, upstream, self.plane.coarse)

    def _end_attempt(self, usage: Usage, outcome: str = "ok") -> None:
        self._release()
        account, now = self.account, self.plane.now()
        stop = account.stop
        if stop is not None and stop.health.breaker.troubled:
            stop.health.breaker.succeeded()
        begun = account.first_token
        if stop is not None:
            stop.health.recent.add((now, (now if begun is None else begun) - account.started))
        account.end(outcome, 200, usage, now)
        if stop is not None and (figures := stop.health.figures) is not None:
            streams = self.peek is not None and self.peek.stream
            figures.began((now if begun is None else begun) - account.started, now, streams=streams)
            figures.cost(float(account.tried[-1].cost), usage)

    def _absorb(self) -> None:
        """Meter and digest what was passed on since the last time. Raises what the stream raises."""
        passed, stream = self._passed, self._stream
        if passed and stream is not None:
            content = passed[0] if len(passed) == 1 else b"".join(passed)
            passed.clear()
            stream.feed(content)
            self.delivered += len(content)
            if self._update is not None:
                self._update(content)

    def partial_usage(self) -> Usage | None:
        """What a broken answer used: as told, else estimated from what was delivered; None where nothing was."""
        stream = self._stream
        if self.told is not None:
            return self.told
        if stream is None or not (self.committed or (self.guarded is not None and stream.events)):
            return None
        self._absorb()
        told = stream.usage()
        if told is None or not (told.input or told.output):
            return self.account.estimate(stream.events)
        if not told.estimated:
            return told
        return msgspec.structs.replace(told, output=max(told.output, stream.events))

    def reset_answer(self) -> None:
        """Forget what a lost attempt left behind."""
        self._stream = self._captured = self.told = None
        self._first = self._held = b""
        self.delivered = 0

    def capture(self, side: str, body: bytes) -> None:
        """Seal a body into the journal; the writer stores it."""
        sealer = self.plane.sealer
        assert sealer is not None
        sealed = sealer.seal(body, self.id + side.encode())
        label = self.lane.label_text if self.lane else ""
        if side == "response" and self.guarded is not None and self.lane is not None:
            label = str(self.guarded.bears(self.lane.label))
        self.plane.journal.add(Body(self.id, self.plane.now(), side, sealed, label))

    def _with_scan(self, close: Close, guarded: Guarded) -> Close:
        lane = self.lane
        assert lane is not None
        if close.outcome == "ok" or self.committed:  # who leaves has read the beginning
            guarded.answered(lane.label)
        characters = guarded.characters_in + guarded.characters()
        return msgspec.structs.replace(close, scanned=characters, scan=guarded.answer_scan(lane.label))

    def race_over(self) -> None:
        """End what is under way beside the attempt that answers."""
        raise NotImplementedError

    def settle(
        self,
        outcome: str,
        status: int,
        then: Callable[[JournalUnavailable | None], None] | None = None,
        *,
        error: str = "",
        digest: bytes = b"",
    ) -> None:
        """The one end of a call: money and tokens settled, the close written, then the last bytes to the caller."""
        if self.over:
            return
        self.over = True
        if self.hedged:
            self.race_over()
        plane, account, caller = self.plane, self.account, self.caller
        if not account.reservation.settled:
            account.purse.settle(account.reservation, account.spent)
        if caller is not None and caller.tokens is not None:
            caller.tokens.correct(account.tokens - account.expected_tokens)
        plane.calls.discard(self)
        if not self.opened:
            plane.journal.add(self.refused_frame(status, error), then)
            return
        close = Close(
            self.id, plane.now(), outcome, status, account.spent, tuple(account.tried), digest, self.delivered,
            self.out.dropped, error,
        )  # fmt: skip
        if self.guarded is not None:
            close = self._with_scan(close, self.guarded)
            self.guarded.over()
        plane.journal.add(close, then, exact=bool(account.reservation.slices))
