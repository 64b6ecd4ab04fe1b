"""The smallest fleet that keeps the SLO on a trace: static for its peak, autoscaled, or a base with overflow.

Pure. What is searched is the load without spare replicas; those, and maintenance, come on top and are simulated once
more at the end. Invariant: a fleet said to meet the SLO met it in that last simulation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import msgspec
import numpy as np

from freehold.planner.course import Course, course
from freehold.planner.engine import CHUNK
from freehold.planner.errors import PlanError
from freehold.planner.minutes import follow
from freehold.planner.outcome import seen_before
from freehold.planner.scaling import spare_for
from freehold.planner.simulate import Tuning
from freehold.planner.traffic import Arrivals, Ints, Rates, Trace
from freehold.planner.types import Fleet, Replicas, Served, Slo, Speed

Kind = Literal["static", "autoscaled", "hybrid"]
Progress = Callable[[float, str], None]
"""Takes the share done, from 0 to 1, and a few words on it."""
MOST = 4096
"""Replicas tried at most where the rule allows as many."""
LOADS = (0.95, 0.85, 0.75, 0.65, 0.55, 0.45, 0.35, 0.25, 0.15)
"""Load for each replica that an autoscaler may aim at, as a share of all it can do."""
FLOORS = (0.0, 0.5, 1.0)
"""Replicas that are always there, as shares of what the peak needs."""
SOME = 4000
"""Requests that a replica is asked alone at most."""
ADMITS = (1.0, 0.7, 0.5, 0.3, 0.15)
NEAR = 0.98
"""Of what one replica alone keeps, where that is less than what is owed: queues cost something."""
GAIN = 0.002
PLENTY = 8
"""Replicas from which on growing by half must keep `GAIN` more of the calls, or it is given up."""
WORTH = 0.5
"""A replica of a hybrid base is owned where it has work for this share of the time, unless the base is given."""
DEFAULT = Replicas(kind="static", least=1, most=MOST)


def smallest(
    trace: Trace,
    speed: Speed,
    slo: Slo,
    kind: Kind,
    progress: Progress | None = None,
    rule: Replicas = DEFAULT,
) -> Fleet:
    """The smallest fleet of a kind that keeps `slo` on `trace`. `speed` is of one replica.

    Of `rule` count `least` and `most` replicas (spare ones included), lag, spare and maintenance; a hybrid's `least`
    above 1 is its base. `meets` is False, with the reason in `why`, where no allowed fleet does. Raises PlanError for
    limits that contradict each other.
    """
    if rule.least < 1 or rule.most < rule.least or not 0.0 <= rule.maintenance < 1.0 or rule.spare < 0:
        raise PlanError(
            f"replicas: least {rule.least}, most {rule.most}, spare {rule.spare}, maintenance {rule.maintenance:g}",
            param="replicas",
        )
    tell = progress or (lambda _share, _words: None)
    if speed.kv_tokens <= 0 or speed.max_batch <= 0:
        return _none(trace, speed, kind, rule)
    search = Search(trace, speed, slo, rule, tell)
    return {"static": search.static, "autoscaled": search.autoscaled, "hybrid": search.hybrid}[kind]()


class Search:
    """One search for the smallest fleet; used once."""

    def __init__(self, trace: Trace, speed: Speed, slo: Slo, rule: Replicas, tell: Progress) -> None:
        self._speed, self._owed, self._rule, self._tell = speed, slo, rule, tell
        self._best = alone(trace, speed, slo)
        """Share of calls that any number of replicas can keep, as far as is known."""
        self._slo = slo
        self._course: Course = course(trace, speed, slo)
        self._tries = 0

    def static(self) -> Fleet:
        """As many replicas all the time as the peak needs, and the spare ones."""
        needed = self.needed()
        spare = self._spare(needed)
        count = min(max(needed + spare, self._rule.least), self._rule.most)
        served = self._served(self._fixed("static", count, self._rule.maintenance), Tuning())
        while not self._good(served) and count < min(2 * needed + spare, self._rule.most):
            count += 1
            served = self._served(self._fixed("static", count, self._rule.maintenance), Tuning())
        return self._fleet(self._fixed("static", count), served)

    def needed(self) -> int:
        """Replicas in service that keep the SLO, none spare.

        Where more of them stop helping, the fewest that come near to what the most did; at most as many as allowed.
        """
        most = self._rule.most
        low, high = 0, min(max(math.ceil(float(np.percentile(self._course.load, 99)) / 0.6), 1), most)
        self._lower(self._best)
        last = -1.0
        while (share := self._grown(high)) < self._slo.share and high < most:
            if high >= PLENTY and share - last < GAIN:
                self._lower(share)
                break
            last = share if high >= PLENTY else -1.0
            low, high = high, min(max(high + 1, round(high * 1.6)), most)
        while high - low > 1:
            middle = (low + high) // 2
            if self._kept(self._fixed("static", middle), Tuning()) >= self._slo.share:
                high = middle
            else:
                low = middle
        return high

    def _grown(self, count: int) -> float:
        """Share kept; of many replicas to the end, so that growth without gain is seen."""
        return self._kept(self._fixed("static", count), Tuning(), to_the_end=count >= PLENTY)

    def _lower(self, best: float) -> None:
        """What no fleet can keep is not searched for: a little less than the best is, and the fleet does not meet."""
        if best < self._owed.share:
            self._best = best
            self._slo = msgspec.structs.replace(self._owed, share=NEAR * best)

    def autoscaled(self) -> Fleet:
        """The floor and the load for each replica that cost the fewest replica-hours."""
        peak = self.needed()
        # A fleet that never moves is one of them: following a load that jumps may cost more than standing by.
        count = min(max(peak + self._spare(peak), self._rule.least), self._rule.most)
        rule = msgspec.structs.replace(self._rule, kind="autoscaled", least=count, most=count)
        tuning = Tuning()
        hours = float(follow(self._course.load, rule, tuning)[0].sum())
        for floor in sorted({max(math.ceil(share * peak), 1) for share in FLOORS}):
            aim = self._aim(floor, peak)
            if aim is None:
                continue
            following = self._following(floor, peak, self._rule.spare)
            cost = float(follow(self._course.load, following, aim)[0].sum())
            if cost < hours:
                hours, rule, tuning = cost, following, aim
        served = self._served(rule, tuning)
        limit = min(max(rule.most, 2 * peak + self._spare(peak)), self._rule.most)
        while not self._good(served) and rule.least < limit:
            least = min(rule.least + max(rule.most // 8, 1), limit)
            rule = msgspec.structs.replace(rule, least=least, most=max(rule.most, least))
            served = self._served(rule, tuning)
        return self._fleet(rule, served)

    def hybrid(self) -> Fleet:
        """A static base; a call goes to the API where it is foretold to miss the SLO."""
        base = self._rule.least if self._rule.least > 1 else self._base()
        self._slo = self._owed
        rule = self._fixed("hybrid", base, self._rule.maintenance)
        served: Served | None = None
        for admit in ADMITS:
            served = self._served(rule, Tuning(admit=admit))
            if self._good(served):
                return self._fleet(rule, served)
        assert served is not None
        return self._fleet(rule, served)

    def _base(self) -> int:
        """Replicas that have work for `WORTH` of the time, where each takes what the one before leaves."""
        peak = float(self._course.load.max())
        each = min(max(peak / self.needed(), 0.05), 0.95)
        load = self._course.load / each
        count = 1
        while count < self._rule.most and float(np.clip(load - count, 0.0, 1.0).mean()) >= WORTH:
            count += 1
        return count

    def _spare(self, needed: int) -> int:
        return spare_for(needed, self._rule.maintenance, self._rule.spare, (1.0 - self._owed.share) / 2.0)

    def _aim(self, floor: int, peak: int) -> Tuning | None:
        """The highest load for each replica that keeps the SLO with this floor; None where none does."""
        low, high = 0, len(LOADS)
        rule = self._following(floor, peak, 0)
        while low < high:
            middle = (low + high) // 2
            if self._kept(rule, Tuning(per_replica=LOADS[middle])) >= self._slo.share:
                high = middle
            else:
                low = middle + 1
        return Tuning(per_replica=LOADS[low]) if low < len(LOADS) else None

    def _fixed(self, kind: Kind, count: int, maintenance: float = 0.0) -> Replicas:
        count = max(count, 1)
        return msgspec.structs.replace(self._rule, kind=kind, least=count, most=count, maintenance=maintenance)

    def _following(self, floor: int, peak: int, spare: int) -> Replicas:
        most = min(max(2 * peak, peak + 4) + spare, self._rule.most)
        least = min(max(floor + spare, self._rule.least), most)
        maintenance = self._rule.maintenance if spare else 0.0
        return msgspec.structs.replace(
            self._rule, kind="autoscaled", least=least, most=most, spare=spare, maintenance=maintenance
        )

    def _kept(self, rule: Replicas, tuning: Tuning, *, to_the_end: bool = False) -> float:
        self._tries += 1
        self._tell(1.0 - 1.0 / (1.0 + 0.15 * self._tries), f"{rule.least} to {rule.most} replicas")
        return self._course.kept(rule, tuning, 0.0 if to_the_end else self._slo.share)

    def _served(self, rule: Replicas, tuning: Tuning) -> Served:
        found = self._course.served(rule, tuning)
        self._tell(1.0, f"{found.peak_replicas} replicas")
        return found

    def _good(self, served: Served) -> bool:
        return kept(served) >= self._slo.share

    def _fleet(self, rule: Replicas, served: Served) -> Fleet:
        rule = msgspec.structs.replace(rule, maintenance=self._rule.maintenance)
        meets = kept(served) >= self._owed.share
        why = "" if meets else self._short(served)
        return Fleet(rule=rule, served=served, gpus_per_replica=self._speed.gpus, meets=meets, why=why)

    def _short(self, served: Served) -> str:
        slo = self._owed
        parts = [f"{100.0 * kept(served):.1f} % within the SLO where {100.0 * slo.share:g} % are owed"]
        if self._best < slo.share:
            parts.append(f"more replicas do not help: {100.0 * self._best:.1f} % with all that are needed")
        if served.ttft[2] > slo.ttft_seconds:
            parts.append(f"P99 to the first token {served.ttft[2]:.2f} s of {slo.ttft_seconds:g} s")
        if served.tpot[2] > slo.tpot_seconds:
            parts.append(f"P99 of a token {1000.0 * served.tpot[2]:.0f} ms of {1000.0 * slo.tpot_seconds:g} ms")
        if served.unserved:
            parts.append(f"{served.unserved} requests are longer than the KV cache")
        return "; ".join(parts)


def kept(served: Served) -> float:
    """Share of the calls that did not overflow answered within the SLO: what is owed, so unserved ones count."""
    stayed = served.requests - served.overflowed
    return served.attained * served.served / stayed if stayed else 1.0


def alone(trace: Trace, speed: Speed, slo: Slo) -> float:
    """Share of the calls that would be within the SLO with a replica to themselves: no fleet does better.

    Prefix caches count in full.
    """
    prompts, outputs = _lengths(trace)
    ttft = np.array([_prefill(speed, int(one)) for one in prompts])
    tpot = speed.step_seconds(0, 1, int(np.median(prompts)))
    longest = trace.lengths.input.max(axis=1) if isinstance(trace, Rates) else trace.input
    fits = float((longest + 1 <= speed.kv_tokens).mean())
    within = float((ttft <= slo.ttft_seconds).mean()) if tpot <= slo.tpot_seconds else 0.0
    return min(within, fits) if len(outputs) else 1.0


def _lengths(trace: Trace) -> tuple[Ints, Ints]:
    """Prompts (what of them must be computed) and answers, at most `SOME` of each."""
    if isinstance(trace, Arrivals):
        inputs, outputs = trace.input - seen_before(trace), trace.output
    else:
        middles = (np.arange(len(trace.rate), dtype=np.float64) + 0.5) * trace.bin_seconds
        weight = np.bincount(trace.periods(middles), weights=trace.rate, minlength=len(trace.lengths.starts))
        rows = np.repeat(np.arange(len(weight)), np.round(weight / weight.sum() * 100.0).astype(np.int64))
        inputs, outputs = (one[rows].ravel().astype(np.int64) for one in (trace.lengths.input, trace.lengths.output))
    each = max(len(inputs) // SOME, 1)
    return inputs[::each], outputs[::each]


def _prefill(speed: Speed, prompt: int) -> float:
    """Seconds until the first token on an empty replica, piece by piece."""
    seconds, read, left = 0.0, 0, max(prompt, 1)
    while left > 0:
        piece = min(left, CHUNK)
        seconds += speed.step_seconds(piece, 0, read)
        read, left = read + piece, left - piece
    return seconds


def _none(trace: Trace, speed: Speed, kind: Kind, rule: Replicas) -> Fleet:
    """Nothing can be served at all."""
    nothing = (0.0, 0.0, 0.0)
    over = kind == "hybrid"
    served = Served(
        requests=trace.requests,
        served=0,
        overflowed=trace.requests if over else 0,
        unserved=0 if over else trace.requests,
        ttft=nothing,
        tpot=nothing,
        attained=0.0,
        replica_hours=0.0,
        peak_replicas=0,
        utilisation=0.0,
        input_tokens=trace.input_tokens,
        output_tokens=trace.output_tokens,
        overflow_input_tokens=trace.input_tokens if over else 0,
        overflow_output_tokens=trace.output_tokens if over else 0,
        span_seconds=trace.span_seconds,
    )
    why = "the model does not fit on the GPUs of one replica"
    rule = msgspec.structs.replace(rule, kind=kind)
    return Fleet(rule=rule, served=served, gpus_per_replica=speed.gpus, meets=False, why=why)
