"""When a call does not go well: another target, an honest error, a caller who left, a defect of ours.

Whatever it is, it ends through `settle`, once.
"""

from __future__ import annotations

from freehold.core.errors import (
    BudgetUnavailable,
    FreeholdError,
    Internal,
    JournalUnavailable,
    MissingCredential,
    NotTranslatable,
    UpstreamFailed,
    UpstreamTimeout,
)
from freehold.gateway.cascade import Cascading
from freehold.gateway.reply import error_reply
from freehold.gateway.routing.retry import wait
from freehold.gateway.routing.table import Stop

CALLER_GONE = 499
"""Status written down (never sent) for a caller who hung up; nginx's convention."""


class Failing(Cascading):
    """The call machine where it must do something else than was planned."""

    parked = ""
    """The budget whose authority this call waits for."""
    last_error: UpstreamFailed | None = None

    def rival_goes_on(self) -> bool:
        """True where a second attempt is under way, and is the call's from now on."""
        raise NotImplementedError

    def granted(self, error: FreeholdError | None) -> None:
        """The budget authority answered."""
        raise NotImplementedError

    def unreachable(self, error: FreeholdError, attempt: int) -> None:
        """No connection came about; means nothing where its attempt is over already."""
        if not self.over and attempt == len(self.account.tried) and self.account.stop is not None:
            self.fail(error)

    def fail(self, error: FreeholdError) -> None:
        """This attempt is lost: go on to the next, or tell the caller honestly."""
        now = self.plane.now()
        account, stop = self.account, self.account.stop
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            upstream.abort()
        broken = isinstance(error, UpstreamFailed)
        if stop is not None:
            status = (error.status or 0) if isinstance(error, UpstreamFailed) else 0
            usage = self.partial_usage()
            outcome = error.outcome if isinstance(error, UpstreamFailed) else "failed"
            account.end(outcome, status, usage, now, error.code)
            self.weigh_failure(stop, error, now)
        if self.hedged:
            self.account.flush()
        if self.committed:
            self.break_off(error)
        elif broken and self.hedged and self.rival_goes_on():
            return
        elif not broken or not self._again(error, now):
            self.refuse(error)

    def weigh_failure(self, stop: Stop, error: FreeholdError, now: float) -> None:
        """What a failure says of a target."""
        breaker, figures = stop.health.breaker, stop.health.figures
        if figures is not None and isinstance(error, UpstreamTimeout):
            streams = self.peek is not None and self.peek.stream
            figures.began(now - self.account.started, now, streams=streams)
        if not isinstance(error, UpstreamFailed) or not error.retryable:
            breaker.released()
            return
        stop.health.failure = error.code
        if error.retry_after is not None:
            breaker.rest(now, error.retry_after)
        else:
            breaker.failed(now)

    def _again(self, error: FreeholdError, now: float) -> bool:
        """True where another attempt is on its way."""
        lane = self.lane
        assert lane is not None
        if not isinstance(error, UpstreamFailed):
            return False
        self.last_error = error.with_traceback(None)  # which holds this call
        if self.lenient():
            return self.pass_on()
        if not error.retryable:
            return False
        number = len(self.account.tried) + 1
        if number > lane.path.route.attempts + self.spare:
            return False
        self.reset_answer()
        if self.position + 1 < len(self.plan):
            self.position += 1
            self.go_on()
            return True
        pause = wait(number, error.retry_after, self.plane.roll())
        if pause is None or not lane.path.retries.take(now):
            return False
        self.deadline = now + pause + 60.0
        self.plane.later(pause, self.go_on)
        return True

    def go_on(self) -> None:
        """The next attempt, at `position`."""
        if self.over:
            return
        try:
            self.attempt()
        except (MissingCredential, NotTranslatable) as error:
            self.refuse(self.last_error or error)
        except FreeholdError as error:
            self.refuse(error)

    def expire(self, now: float) -> None:
        """Called by the sweep once `deadline` has passed."""
        if self.parked:
            self.plane.leases.forget(self)
            self.granted(BudgetUnavailable("the budget's authority did not answer in time", retry_after=1))
            return
        if self.paused:  # it is the caller who does not read, the target is not to blame
            self.connection.close()
            self.hung_up()
            return
        what = "stopped answering" if self.committed else "did not begin to answer"
        self.fail(UpstreamTimeout(f"{self.plan[self.position].name} {what} in time"))

    def hung_up(self) -> None:
        """The caller is gone: stop the target, settle for what was used."""
        if self.over:
            return
        now = self.plane.now()
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            upstream.abort()
        stop = self.account.stop
        if stop is not None:
            stop.health.breaker.released()
            usage = self.partial_usage() or (self.account.estimate(0) if upstream is not None else None)
            self.account.end("cancelled", CALLER_GONE, usage, now)
        if self.parked:
            self.plane.leases.forget(self)
        self.settle("cancelled", CALLER_GONE)

    def refuse(self, error: FreeholdError) -> None:
        """Answer with an error; nothing of an answer has gone out yet."""
        if self.over:
            return
        keep = self.inbound.keep_alive
        limits = self.caller.limits() if self.caller else []
        more = self.dialect.headers(self.request_id, limits, self.plane.now())
        status, data = error_reply(self.dialect, error, self.request_id, more, keep=keep)
        connection = self.connection

        def reply(failed: JournalUnavailable | None) -> None:
            connection.write(data)
            connection.done()

        self.settle("failed", status, reply, error=error.code)

    def crash(self, error: Exception) -> None:
        """A defect of ours met this call: it still ends, honestly and once."""
        self.plane.log_defect(error, self.request_id, self.trace)
        problem = Internal("an internal error; the operators have its trace")
        if self.committed:
            self.fail(problem)
        else:
            upstream, self.upstream = self.upstream, None
            if upstream is not None:
                upstream.abort()
            if self.account.stop is not None:
                self.account.stop.health.breaker.released()
                self.account.end("failed", 0, self.partial_usage(), self.plane.now(), problem.code)
            self.refuse(problem)
