"""The exact response cache in the call machine: the same request gets its answer again, and nothing is sent.

A hit is a call like any other but for its attempt: label, scope, limits and guard are asked anew each time, what
answered then must be permitted now, and it is journaled (`cached`) at no cost.
"""

from __future__ import annotations

import hashlib

from freehold.core.errors import BadRequest, FreeholdError
from freehold.core.money import ZERO
from freehold.gateway.answer_cache import CACHED, TELLING, KeptAnswer, key_of
from freehold.gateway.guarding import Guarding
from freehold.gateway.lanes import Lane
from freehold.gateway.outgoing import Outgoing
from freehold.gateway.routing.table import Stop
from freehold.gateway.routing.types import CacheRule
from freehold.ledger.frames import Open, Tried

OFF, REFRESH = b"off", b"refresh"
"""What a caller may want of the cache: nothing at all, or a new answer in the place of the kept one."""


class Replaying(Guarding):
    """The call machine where an answer is there already."""

    shared_as = b""
    """What the answer is kept under for other gateways; empty where it is not."""
    rules = b""
    """What was in force when they were asked."""

    def opening(self, lane: Lane, stop: Stop, sha256: bytes) -> Open:
        """The frame that opens the call."""
        raise NotImplementedError

    def send_out(self) -> None:
        """Nothing was there: to the first target that can take it."""
        raise NotImplementedError

    def turn_away(self, error: FreeholdError) -> None:
        """Refuse, or answer by rule of thumb."""
        raise NotImplementedError

    def replay(self, lane: Lane, rule: CacheRule) -> bool:
        """True where a kept answer is served, or asked for where gateways share theirs; else the one to come is kept,
        where that may be. Raises BadRequest.
        """
        peek, caller, plane = self.peek, self.caller, self.plane
        assert peek is not None
        assert caller is not None
        wish = self.inbound.headers.get(b"x-freehold-cache", b"").strip().lower()
        if wish not in (b"", OFF, REFRESH):
            raise BadRequest("x-freehold-cache takes off or refresh", param="x-freehold-cache")
        asks_more = peek.leans_on or peek.keeps or (peek.tools and not rule.tools)
        moves = plane.table.moves
        if (
            wish == OFF
            or asks_more
            or self.dialect.name not in CACHED
            or caller.service  # what is measured must be asked
            or (moves and moves.get(self.workflow) is not None)
            or (self.guarded is not None and not self.guarded.untouched())
        ):
            return False
        headers = self.inbound.headers
        whose = {"key": caller.principal.key_id, "team": caller.principal.team}.get(rule.share, "")
        self.keep_as = key_of(
            self.inbound.body, rule.share, whose, self.dialect.name, lane.path.name, lane.label_text,
            plane.mint.version, plane.table.version, tuple(headers.get(name) for name in TELLING),
        )  # fmt: skip
        if self.keep_as is None:
            return self._offer(lane, None)
        elsewhere = plane.elsewhere
        if elsewhere is not None and plane.rules:  # versions count only where one process counts them
            self.shared_as = hashlib.sha256(plane.rules + self.keep_as).digest()
        if wish == REFRESH:
            return self._offer(lane, None)
        found = plane.answers.get(self.keep_as, self.at)
        if found is None and self.shared_as and elsewhere is not None:
            self.rules = plane.rules
            if elsewhere.look(self.shared_as, self.looked_elsewhere):
                return True
        return self._offer(lane, found)

    def looked_elsewhere(self, found: KeptAnswer | None) -> None:
        """What other gateways keep, or None. Nothing that came under other rules than those in force now."""
        lane, plane, key = self.lane, self.plane, self.keep_as
        if self.over or lane is None or key is None:
            return
        try:
            if self.rules != plane.rules:
                found = None
            if found is not None:
                plane.answers.put(key, found)
            if not self._offer(lane, found):
                self.send_out()
        except FreeholdError as error:
            self.turn_away(error)
        except Exception as error:  # noqa: BLE001 - the process edge: the call must still end
            self.crash(error)

    def _offer(self, lane: Lane, found: KeptAnswer | None) -> bool:
        stop = None if found is None else self.plane.table.stops.get(found.target)
        if found is None or stop is None or not stop.decision(lane.label, lane.mint).allowed:
            self.lines = b"x-freehold-cache: miss\r\n"
            return False
        self._serve_again(lane, stop, found)
        return True

    def _serve_again(self, lane: Lane, stop: Stop, kept: KeptAnswer) -> None:
        plane, now, body, peek = self.plane, self.plane.now(), kept.body, self.peek
        assert peek is not None
        self.keep_as = None
        self.plan = (stop,)
        self.out = Outgoing(b"", self.dialect, False, False, kept.dropped)
        digest = hashlib.sha256(self.inbound.body).digest() if plane.receipts else b""
        plane.journal.add(self.opening(lane, stop, digest))
        self.opened = True
        if lane.path.route.capture and plane.sealer is not None:
            self.capture("request", self.inbound.body)
            self.capture("response", body)
        took = now - self.at
        self.account.tried.append(Tried(1, stop.name, 0.0, None, took, "cached", 200, kept.usage, ZERO))
        if self.guarded is not None:
            self.guarded.armed.recall.answered(self.guarded.turns, kept.said, lane.label)
        age, saved = int(now - kept.at), f"{kept.cost:f}".encode()
        self.lines = b"x-freehold-cache: hit\r\nx-freehold-saved: %b\r\nage: %d\r\n" % (saved, age)
        self.delivered = len(body)
        if peek.stream:
            self._reply_stream(body)
        else:
            self.reply(self._ok_head(len(body), cost=True) + body, "ok", 200, body)

    def keep(self, body: bytes) -> None:
        """A whole answer went through: keep it, if nothing speaks against it."""
        lane, key, guarded = self.lane, self.keep_as, self.guarded
        assert lane is not None
        rule = lane.path.route.cache
        if key is None or rule is None or self.steps is not None or self.rerouted:
            return
        if guarded is not None and not guarded.untouched():
            return
        said = () if guarded is None or guarded.screen is None else tuple(guarded.screen.said())
        last, now = self.account.tried[-1], self.plane.now()
        kept = KeptAnswer(body, last.target, last.usage, last.cost, self.out.dropped, now, now + rule.seconds, said)
        self.plane.answers.put(key, kept)
        elsewhere = self.plane.elsewhere
        if self.shared_as and elsewhere is not None:
            elsewhere.put(self.shared_as, kept)
