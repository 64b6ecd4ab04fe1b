"""Hedging in the call machine: a first token that is slow to come is asked of the next target too.

The second attempt is one like any other: in the call's plan, so permitted for its label; under a permit, a frame and
money of its own; within the route's attempts and its share of hedges. Where any of that is missing there is none.
"""

from __future__ import annotations

from freehold.core.errors import BadRequest, FreeholdError, MissingCredential, NotTranslatable
from freehold.core.permit import Permit
from freehold.gateway.answer_cache import CACHED
from freehold.gateway.failing import CALLER_GONE
from freehold.gateway.lanes import Lane, scope_of
from freehold.gateway.outgoing import Outgoing, prepare
from freehold.gateway.rival import Ahead, Rival
from freehold.gateway.routing.table import Stop
from freehold.gateway.routing.types import HedgeRule
from freehold.gateway.waiting import Waiting
from freehold.ledger.frames import Attempt
from freehold.policy.budgets import Shortage

WON, LOST = b"x-freehold-hedge: won\r\n", b"x-freehold-hedge: lost\r\n"


class Hedging(Waiting):
    """The call machine with two attempts under way."""

    permit: Permit

    def head_for(self, out: Outgoing, stop: Stop) -> bytes:
        """The head of the request to a target."""
        raise NotImplementedError

    def answer_failed(self, error: FreeholdError, stale: bool) -> None:
        """The target gave no (more) answer."""
        raise NotImplementedError

    def arm(self, lane: Lane, rule: HedgeRule, stop: Stop) -> None:
        """An attempt was begun: if nothing comes for too long, ask another target."""
        figures, hedges = stop.health.figures, lane.path.hedges
        if self.hedged or self.steps is not None or hedges is None or self.dialect.name not in CACHED:
            return
        streams = self.peek is not None and self.peek.stream
        if not (streams or rule.whole):
            return
        after = rule.after_seconds
        if after is None and figures is not None:
            after = figures.late(streams=streams)
        if after is None or self.position + 1 >= len(self.plan):
            return
        number = len(self.account.tried)
        if not number:
            hedges.calls += 1
        self.plane.later(after, lambda: self._overdue(lane, rule, number))

    def _overdue(self, lane: Lane, rule: HedgeRule, number: int) -> None:
        """The time is over: begin the second attempt, where the first has not begun to answer."""
        stream, account = self._stream, self.account
        here = self.committed or bool(self._first or self._held) or (stream is not None and stream.events > 0)
        if self.over or self.hedged or here or number != len(account.tried) or account.stop is None:
            return
        if number + 2 > lane.path.route.attempts:
            return
        try:
            self._hedge(lane, rule)
        except Exception as error:  # noqa: BLE001 - the process edge: the call must still end
            self.crash(error)

    def _hedge(self, lane: Lane, rule: HedgeRule) -> None:
        plane, account = self.plane, self.account
        now = plane.now()
        found = self._next(lane, now)
        hedges = lane.path.hedges
        assert self.caller is not None
        if found is None or hedges is None:
            return
        position, out = found
        stop = self.plan[position]
        try:
            permit = scope_of(self.caller, lane.path, plane.mint).permit(
                self.id, lane.label, stop.target, out.body, now
            )
        except FreeholdError:  # the policy is another one by now
            return
        if not hedges.take(now) or not self._affords(lane, rule, stop, out, now):
            return
        target, limit = stop.target, lane.path.route.first_token_seconds
        streams = self.peek is not None and self.peek.stream
        deadline = now + (target.whole_seconds if not streams else limit or target.first_token_seconds)
        self.hedged = True
        self.lines += LOST
        self.race = rival = Rival(self, position, out, permit, deadline)
        account.begin_aside(stop, len(out.body), now)
        if self.upstream is not None:
            self.upstream.receiver = Ahead(self)
        reserved = account.reservation
        frame = Attempt(self.id, now, len(account.tried) + 2, stop.name, reserved.amount, account.drawn())
        plane.journal.add(frame, rival.dispatch, exact=bool(reserved.slices))

    def _next(self, lane: Lane, now: float) -> tuple[int, Outgoing] | None:
        """The next target of the plan that is well, has room and can take the call."""
        peek = self.peek
        assert peek is not None
        strict = lane.path.route.strict or b"x-freehold-strict" in self.inbound.headers
        for position in range(self.position + 1, len(self.plan)):
            stop = self.plan[position]
            health = stop.health
            if not health.breaker.allows(now) or not self.has_room(stop):
                continue
            try:
                return position, prepare(
                    self.dialect, self.inbound.body, peek, stop, self.plane.dialects, strict=strict
                )
            except (BadRequest, MissingCredential, NotTranslatable):
                continue
        return None

    def _affords(self, lane: Lane, rule: HedgeRule, stop: Stop, out: Outgoing, now: float) -> bool:
        """Set money aside for the second attempt beside the first's; False where it is too much, or not there."""
        peek, account, purse = self.peek, self.account, self.plane.purse
        assert peek is not None
        if stop.free:
            return True
        bound = stop.bound(out.body, peek, images=bool(lane.budgets))
        if rule.most_dollars is not None and bound > rule.most_dollars:
            return False
        amount = max(account.reservation.amount, account.spent) + bound
        if account.reservation.slices:
            return purse.widen(account.reservation, amount)
        reservation = purse.reserve(lane.budgets, amount, now)
        if isinstance(reservation, Shortage):
            return False
        account.reservation = reservation
        return True

    # Who answers

    def overtaken(self, rival: Rival) -> bool:
        """The second attempt began to answer first: the first one is given up. False where it is too late for that."""
        if self.over or self.committed or self.race is not rival:
            rival.drop()
            return False
        now, account, stop = self.plane.now(), self.account, self.account.stop
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            upstream.abort()
        if stop is not None:
            stop.health.breaker.released()
            if stop.health.figures is not None:  # it takes at least so long
                streams = self.peek is not None and self.peek.stream
                stop.health.figures.began(now - account.started, now, streams=streams)
            account.end("overtaken", 0, account.estimate(0) if upstream is not None else None, now)
        self._lead(rival)
        return True

    def rival_goes_on(self) -> bool:
        """The first attempt failed: True where the second is the call's now."""
        rival = self.race
        if rival is None or self.committed:
            return False
        self._lead(rival)
        return True

    def hung_up(self) -> None:
        """The caller is gone."""
        if self.race is not None:
            self.race.drop("cancelled", CALLER_GONE)
        super().hung_up()

    def race_over(self) -> None:
        """The call ends: so does whatever is under way beside it."""
        if self.race is not None:
            self.race.drop()
        self.account.flush()

    def _lead(self, rival: Rival) -> None:
        self.race = None
        rival.leads = True
        self.lines = self.lines.replace(LOST, WON)
        self.reset_answer()
        self.position, self.out, self.permit = rival.position, rival.out, rival.permit
        self.account.take_aside()
        self.upstream, self.deadline = rival.upstream, rival.deadline
        if rival.headed and rival.upstream is not None:
            self.answer_head(rival.upstream)
