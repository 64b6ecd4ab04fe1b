"""A fleet serves a trace: arrivals go to the replica with the least to do, replicas come and go, some calls overflow.

Deterministic. Invariant: every arrival is served, overflowed or unserved, exactly once.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from freehold.planner.engine import CHUNK, Engine, Requests
from freehold.planner.outcome import Outcome, seen_before, told
from freehold.planner.scaling import SEEN, TICK, Scaler, Work, away, work
from freehold.planner.traffic import Arrivals
from freehold.planner.types import Replicas, Served, Slo, Speed

Progress = Callable[[float], None]
"""Takes the share done, from 0 to 1."""
_TOLD_EACH = 2048


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """How a fleet is run, beyond its rule."""

    per_replica: float = 0.6
    """Autoscaled: load that each replica is to have, as a share of all it can do."""
    admit: float = 1.0
    """Hybrid: how far from what an empty replica takes to the SLO's limits a call may be foretold to be and stay."""
    chunk: int = CHUNK
    """Tokens of one step at most."""
    give_up: float = 1.0
    """Share of calls outside the SLO after which the simulation need not go on: the fleet is too small."""
    work: Work | None = None
    """Of a request; from the trace's means where None."""


def simulate(
    trace: Arrivals,
    speed: Speed,
    slo: Slo,
    rule: Replicas,
    tuning: Tuning | None = None,
    progress: Progress | None = None,
) -> Served:
    """What a fleet of this rule does with all of a trace. Pure: the same inputs give the same result."""
    tuning = tuning or Tuning()
    return told(trace, run(trace, speed, slo, rule, tuning, progress), slo, _work(trace, speed, tuning))


def run(
    trace: Arrivals,
    speed: Speed,
    slo: Slo,
    rule: Replicas,
    tuning: Tuning,
    progress: Progress | None = None,
) -> Outcome:
    """As `simulate`, each arrival by itself."""
    return Pool(trace, speed, slo, rule, tuning).run(progress)


class Pool:
    """The replicas of one simulation and their dispatcher. Used once."""

    def __init__(self, trace: Arrivals, speed: Speed, slo: Slo, rule: Replicas, tuning: Tuning) -> None:
        self._trace, self._speed, self._slo, self._rule, self._tuning = trace, speed, slo, rule, tuning
        self._requests = Requests(
            trace.t.tolist(), trace.cached.tolist(), (trace.input.tolist(), trace.output.tolist())
        )
        if trace.blocks is not None:
            self._requests.blocks = [trace.blocks.of(index) for index in range(trace.requests)]
            self._requests.block_tokens = trace.blocks.tokens
        self._engines: list[Engine] = []
        self._serves_from: list[float] = []
        self._gone: list[Engine] = []
        self._overflowed = [False] * trace.requests
        self._scaler = Scaler(rule, tuning.per_replica)
        self._held = 0.0
        self._changes: list[tuple[float, int]] = []
        self._owner: dict[int, Engine] = {}
        self._missed = 0

    def run(self, progress: Progress | None) -> Outcome:
        """All arrivals, then until the last is answered."""
        trace, requests = self._trace, self._requests
        follows = self._rule.kind == "autoscaled"
        demand = self._demand() if follows else []
        first = self._scaler.wish(0.0, demand[0]) if demand else self._rule.least
        self._resize(first, 0.0, lag=0.0)
        tick, looks, last = TICK, 1, 0.0
        allowed = self._tuning.give_up * trace.requests
        for index, now in enumerate(requests.asked):
            while follows and tick <= now:
                self._paid(last, tick)
                last = tick
                self._resize(self._scaler.wish(tick, demand[looks]), tick, self._rule.lag_seconds)
                tick, looks = tick + TICK, looks + 1
            self._dispatch(index, now)
            if not index % _TOLD_EACH:
                if progress is not None:
                    progress(index / trace.requests)
                if self._tuning.give_up < 1.0 and self._late(index, now) > allowed:
                    return self._outcome(last, gave_up=True)
        for engine in (*self._engines, *self._gone):
            engine.advance(float("inf"))
        if progress is not None:
            progress(1.0)
        return self._outcome(last)

    def _dispatch(self, index: int, now: float) -> None:
        best = self._choose(index, now)
        if best is None or not best.fits(index):
            self._overflowed[index] = self._rule.kind == "hybrid"
            return
        if self._rule.kind == "hybrid" and not self._expected_well(best, index, now):
            self._overflowed[index] = True
            return
        best.offer(index, now)
        if self._requests.blocks is not None:
            for block in self._requests.blocks[index]:
                self._owner[block] = best

    def _choose(self, index: int, now: float) -> Engine | None:
        """The replica with the fewest open requests; one that holds the prompt's beginning may have a few more."""
        share, span = self._rule.maintenance, self._trace.span_seconds
        count = len(self._engines) if share > 0.0 else 0
        best: Engine | None = None
        fewest, present = 0, []
        for place, engine in enumerate(self._engines):
            if self._serves_from[place] > now or (count > 1 and away(place, count, share, span, now)):
                continue
            if engine.quiet <= now and engine.clock <= now:
                engine.advance(now)
            load = engine.load
            present.append(engine)
            if best is None or load < fewest:
                best, fewest = engine, load
        if self._requests.blocks is None or best is None:
            return best
        for block in reversed(self._requests.blocks[index]):
            owner = self._owner.get(block)
            if owner is not None:
                return owner if owner in present and owner.load <= fewest + max(2, fewest // 4) else best
        return best

    def _expected_well(self, engine: Engine, index: int, now: float) -> bool:
        """Whether a call would likely be answered within the SLO here, by what a dispatcher can know."""
        requests, speed = self._requests, self._speed
        prompt = requests.input[index]
        engine.advance(now)
        open_, queued = engine.load, engine.queued_tokens + prompt - requests.known[index]
        if open_ >= speed.max_batch or engine.held + queued > speed.kv_tokens:
            return False
        chunk, limit = self._tuning.chunk, self._tuning.admit
        least, empty = speed.step_seconds(0, 1, prompt), speed.step_seconds(min(prompt, chunk), 0, 0)
        step = speed.step_seconds(min(queued, chunk), engine.decoding, engine.context)
        ttft = max(engine.clock - now, 0.0) + step * max(queued / chunk, 1.0)
        if ttft > self._slo.ttft_seconds * limit + (1.0 - limit) * min(empty, self._slo.ttft_seconds):
            return False
        alike = speed.step_seconds(0, open_ + 1, engine.context + queued)
        tpot = alike + (speed.step_seconds(chunk, open_ + 1, engine.context + queued) - alike) * engine.mixed
        return tpot <= self._slo.tpot_seconds * limit + (1.0 - limit) * min(least, self._slo.tpot_seconds)

    def _demand(self) -> list[float]:
        """Load that the autoscaler sees at each tick, in replicas fully busy: mean over the seconds before."""
        trace = self._trace
        each = _work(trace, self._speed, self._tuning)
        known = np.minimum(trace.cached if trace.blocks is None else seen_before(trace), trace.input)
        seconds = (trace.input - known) * each.per_input + trace.output * each.per_output
        ticks = int(max(trace.span_seconds, float(trace.t[-1])) / TICK) + 2
        bins = np.bincount((trace.t / TICK).astype(np.int64), weights=seconds, minlength=ticks)
        sums = np.concatenate([[0.0], np.cumsum(bins)])
        seen = int(SEEN / TICK)
        at = np.arange(ticks)
        since = np.maximum(at - seen, 0)
        found = (sums[at] - sums[since]) / np.maximum((at - since) * TICK, TICK)
        found[0] = sums[min(seen, len(sums) - 1)] / SEEN  # a fleet that is there already has seen such load before
        return found.tolist()  # type: ignore[no-any-return]

    def _resize(self, wanted: int, now: float, lag: float) -> None:
        if wanted == len(self._engines) and self._changes:
            return
        while len(self._engines) > wanted:
            leaving = self._engines.pop()
            self._serves_from.pop()
            self._gone.append(leaving)
        while len(self._engines) < wanted:
            self._engines.append(Engine(self._speed, self._requests, self._tuning.chunk, now + lag))
            self._serves_from.append(now + lag)
        self._changes.append((now, wanted))

    def _paid(self, since: float, until: float) -> None:
        self._held += len(self._engines) * (until - since)

    def _late(self, seen: int, now: float) -> int:
        """Calls that are certain to have missed the time to their first token, or have missed another limit."""
        requests, limit = self._requests, self._slo
        missed = 0
        for index in range(seen):
            if self._overflowed[index]:
                continue
            first, done = requests.first[index], requests.done[index]
            late = (now if first < 0.0 else first) - requests.asked[index] > limit.ttft_seconds
            slow = done > first and done - first > limit.tpot_seconds * max(requests.output[index] - 1, 1)
            missed += late or slow
        return missed

    def _outcome(self, last: float, *, gave_up: bool = False) -> Outcome:
        requests, span = self._requests, self._trace.span_seconds
        self._paid(last, max(span, last))
        asked = self._trace.t
        first, done = np.asarray(requests.first), np.asarray(requests.done)
        served = done >= 0.0
        steps = np.maximum(self._trace.output - 1, 1)
        every = (*self._engines, *self._gone)
        return Outcome(
            ttft=np.where(served, first - asked, np.nan),
            tpot=np.where(served, (done - first) / steps, np.nan),
            overflowed=np.asarray(self._overflowed, dtype=bool),
            busy=sum(one.busy for one in every),
            held=self._held,
            points=tuple(self._changes),
            preempted=sum(one.preempted for one in every),
            gave_up=gave_up,
        )


def _work(trace: Arrivals, speed: Speed, tuning: Tuning) -> Work:
    if tuning.work is not None:
        return tuning.work
    count = max(trace.requests, 1)
    return work(speed, trace.input_tokens / count, trace.output_tokens / count, tuning.chunk)
