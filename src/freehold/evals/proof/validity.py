"""Has a model died? A stream that needs no reference: was the answer unusable, and in which way.

Invariant: while no kind of fault is more frequent than its baseline, there is an alarm within n calls with
probability at most n / threshold; a model of which every answer is unusable is found within `calls_to_find`.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt
from statistics import NormalDist
from typing import Literal, get_args

import msgspec

from freehold.evals.proof.bets import proper
from freehold.evals.proof.errors import BadProofRule, BadProofValue

Fault = Literal["schema", "tool_name", "refusal", "timeout", "empty"]
"""Breaks the schema; names a tool that was not offered; refuses; no answer in time or an error; nothing in it."""
FAULTS: tuple[Fault, ...] = get_args(Fault)
FLOOR = 0.01
"""Least baseline: a kind that was never seen may still happen now and then."""
STAKES: tuple[float, ...] = (0.02, 0.1, 0.4, 0.9)
_MOST = 1e300


class Baseline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Share of calls with each kind of fault that is usual, and how rare false alarms must be. Raises BadProofRule."""

    rates: tuple[float, ...] = (FLOOR,) * len(FAULTS)
    """In the order of FAULTS."""
    threshold: float = 1_000_000.0
    """Calls between false alarms, at least, on average."""

    def __post_init__(self) -> None:
        if len(self.rates) != len(FAULTS):
            raise BadProofRule(f"there are {len(FAULTS)} kinds of faults, not {len(self.rates)}", param="rates")
        for one in self.rates:
            proper("rate", one)
        if not self.threshold > 1.0:
            raise BadProofRule(f"threshold is {self.threshold!r}, which is not above 1", param="threshold")


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the stream remembers; a plain value."""

    calls: int = 0
    counts: tuple[int, ...] = (0,) * len(FAULTS)
    """Faults seen, in the order of FAULTS."""
    sums: tuple[float, ...] = (0.0,) * (len(FAULTS) * len(STAKES))
    alarm_at: int = 0
    """Calls at the first alarm; 0 while there was none."""

    @property
    def level(self) -> float:
        """What is compared with the threshold."""
        return sum(self.sums) / len(self.sums)


def usual_rate(faults: int, calls: int, level: float = 0.95) -> float:
    """Upper limit of a fault's rate from `faults` among `calls`, for a Baseline; at least FLOOR, below 1.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22; one-sided.
    """
    if not calls:
        return FLOOR
    z, rate = NormalDist().inv_cdf(level), faults / calls
    wide = z * sqrt(rate * (1.0 - rate) / calls + z * z / (4.0 * calls * calls))
    # Few calls are a reason to wait, not to take faults for usual: with none seen the floor stands.
    upper = (rate + z * z / (2.0 * calls) + wide) / (1.0 + z * z / calls) if faults else FLOOR
    return min(max(upper, FLOOR), 0.99)


def note(baseline: Baseline, health: Health, faults: Iterable[Fault | None]) -> Health:
    """The state after more calls, in order; None is a usable answer. Raises BadProofValue for an unknown kind.

    For each kind with usual rate p and each stake c: `R <- (R + 1) (1 - c + c v / p)`, v = 1 where the call had that
    fault. The factor is at most 1 on average while P(v | past) <= p, so R, and the mean over kinds and stakes, is an
    e-detector (Shin, Ramdas and Rinaldo 2023, NEJSDS 2) with the bounds named in `detector.watch`.
    """
    sums, counts, calls, alarm_at = list(health.sums), list(health.counts), health.calls, health.alarm_at
    for fault in faults:
        if fault is not None and fault not in FAULTS:
            raise BadProofValue(f"{fault!r} is no kind of fault", hint=f"one of {', '.join(FAULTS)}", param="fault")
        sums = [min((now + 1.0) * factor, _MOST) for now, factor in zip(sums, _factors(baseline, fault), strict=True)]
        calls += 1
        if fault is not None:
            counts[FAULTS.index(fault)] += 1
        if not alarm_at and sum(sums) / len(sums) >= baseline.threshold:
            alarm_at = calls
    return Health(calls=calls, counts=tuple(counts), sums=tuple(sums), alarm_at=alarm_at)


def calls_to_find(baseline: Baseline, most: int = 1000) -> int | None:
    """Calls until a model is found of which every answer has the fault that is usual most often; None above `most`.

    From an empty stream, the slowest start. With the default threshold: 4 where every usual rate is 0.01, 5 at 0.02,
    6 at 0.05, 8 at 0.1.
    """
    worst = FAULTS[max(range(len(FAULTS)), key=baseline.rates.__getitem__)]
    return note(baseline, Health(), [worst] * most).alarm_at or None


def _factors(baseline: Baseline, fault: Fault | None) -> list[float]:
    return [
        1.0 - stake + (stake / rate if kind == fault else 0.0)
        for kind, rate in zip(FAULTS, baseline.rates, strict=True)
        for stake in STAKES
    ]
