"""Workflows to plan, made of a few numbers: real prices of a fixed day, fleets in whole replicas."""

from __future__ import annotations

import math
from datetime import date

import msgspec

from freehold.planner.assumptions import assumptions
from freehold.planner.contract import Contract
from freehold.planner.plan import Inputs
from freehold.planner.prices import quote
from freehold.planner.rents import gpu_hour, rents
from freehold.planner.types import Range, Slo
from freehold.planner.work import MONTH_HOURS, Demand, Evidence, Facts, Owned, Stair, Staircase, Work

DAY = date(2026, 11, 1)
HOST = "together/meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo"
SETTLED = Facts(
    label="internal", rented_allowed=True, stable=True, days=28.0, skills=True, fine_tuning=False, refusals=0.0
)


def stairs(kind: str, need: float, *, burst: float = 3.0) -> Staircase:
    """A fleet that needs `need` busy replicas on average at the trace's volume, and `burst` times that at its peak."""
    found = []
    for volume in (0.1, 0.5, 1.0, 2.0, 4.0):
        peak = math.ceil(need * volume * burst) + 1
        mean = max(need * volume * 1.4, 1.0) + 1
        replicas = {"static": peak, "autoscaled": peak, "hybrid": max(math.ceil(need * volume), 1)}[kind]
        hours = {"static": peak, "autoscaled": mean, "hybrid": replicas}[kind] * MONTH_HOURS
        over = 0.1 if kind == "hybrid" else 0.0
        found.append(
            Stair(
                volume=volume,
                replicas=replicas,
                hours=hours,
                overflow_input=over,
                overflow_output=over,
                meets=True,
                attained=0.995,
                utilisation=0.3,
                ttft=(0.2, 0.5, 0.9),
                tpot=(0.02, 0.03, 0.04),
            )
        )
    return Staircase(
        kind=kind, gpus_per_replica=1, stairs=tuple(found), timeline=((0.0, 1, 0.4, 0.0), (60.0, 2, 0.7, 0.0))
    )


def work(
    name: str = "tickets", *, now: str = "openai/gpt-4o", requests: float = 1e6, tokens=(1000.0, 200.0), **more
) -> Work:
    """A workflow; one replica does 1.5 million output tokens an hour."""
    busy = requests * tokens[1] / (1.5e6 * MONTH_HOURS)
    burst = more.pop("burst", 3.0)
    proof = Range(0.9, 0.93, 0.95, "evals")
    evidence = tuple(
        Evidence(option=option, passed=proof, pairs=2000, difference_low=-0.01, source="ev_1", as_of="2026-10-01")
        for option in ("nothing", "closed", "hosted_open", "self_hosted")
    )
    made = Work(
        name=name,
        demand=Demand(
            requests=requests,
            input=requests * tokens[0],
            cached=0.0,
            output=requests * tokens[1],
            span_seconds=14 * 86400.0,
            trace="made",
            digest="00",
        ),
        now=quote(now, DAY, Contract()),
        closed=(quote("openai/gpt-5-mini", DAY, Contract()),),
        hosted=(quote(HOST, DAY, Contract()),),
        owned=Owned(
            model="Llama-3.1-8B",
            gpu="H100",
            gpus=1,
            precision="fp8",
            hour=gpu_hour("H100", rents()),
            speed=Range(0.7, 1.0, 1.4),
        ),
        staircases=tuple(stairs(kind, busy, burst=burst) for kind in ("static", "autoscaled", "hybrid")),
        slo=Slo(),
        evidence=evidence,
        facts=SETTLED,
    )
    return msgspec.structs.replace(made, **more)


def inputs(*works: Work, overrides=None, draws: int = 1000, **more) -> Inputs:
    """Of a plan."""
    return Inputs(
        made_on=DAY.isoformat(),
        draws=draws,
        assumptions=tuple(assumptions(overrides or {}).values()),
        works=works,
        **more,
    )
