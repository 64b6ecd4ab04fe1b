"""Plans as background work: one kind of job, made of the instance's own traffic or of a plan that is kept.

Invariant: safe to run again from its start; the same order over the same calls ends in the same file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date

import msgspec
from sqlalchemy import Connection, Engine

from freehold.core.clock import Clock
from freehold.core.db import reading
from freehold.core.errors import FreeholdError, LeaseLost, Unavailable
from freehold.jobs.pool import InProcess, Pool
from freehold.jobs.types import Beat, Kind, Payload
from freehold.planner.contract import OwnPrice
from freehold.planner.kept import Kept, Origin
from freehold.planner.levers import pulled
from freehold.planner.observed import Observed
from freehold.planner.orders import Order, settled
from freehold.planner.plan import Plan, Tell, make
from freehold.planner.preparing import Seen, Traffic, joined, prepare, with_prices
from freehold.planner.settings import PlanSettings
from freehold.planner.store import from_ledger, from_records
from freehold.policy.vendors import Fact

MAKE = "plans.make"
LEASE_SECONDS = 900.0
"""A fleet for a heavy trace may be silent for minutes."""
_BEAT_SECONDS = 2.0


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the traffic."""

    workflows: tuple[Observed, ...]
    papers: tuple[Fact, ...]
    """What is known of vendors: public rows and contracts."""
    prices: Sequence[OwnPrice]
    """What targets of the configuration cost here, where it says so itself."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What plans are made with."""

    engine: Engine
    kept: Kept
    settings: PlanSettings
    known: Callable[[Connection], Known]
    clock: Clock
    pool: Callable[[], AbstractContextManager[Pool]] = lambda: nullcontext(InProcess())
    """Where fleets are simulated."""


def kinds(parts: Callable[[], Parts]) -> tuple[Kind, ...]:
    """The kind of job of this room; `parts` is asked for when a job begins, since settings change."""

    def run(payload: Payload, beat: Beat) -> Payload:
        """`{"order": ORDER, "by": ACTOR}`, or `{"plan": ID, "levers": {}, "assumptions": {}, "by": ACTOR}`."""
        told = 0.0

        def tell(done: float, words: str) -> None:
            nonlocal told
            if time.monotonic() - told >= _BEAT_SECONDS:
                told = time.monotonic()
                beat({"done": round(done, 3), "words": words})

        try:
            return {"state": "done", "plan": planned(parts(), payload, tell)}
        except (LeaseLost, Unavailable):
            raise
        except FreeholdError as error:  # trying again would end the same
            return {"state": "failed", "why": f"{error.code} {error.message}", "hint": error.hint}

    return (Kind(MAKE, run, lease_seconds=LEASE_SECONDS, tries=3),)


def planned(parts: Parts, payload: Payload, tell: Tell) -> str:
    """The name under which the plan is kept. Raises what making it raises."""
    by = str(payload.get("by", ""))
    if "plan" not in payload:
        made = _of_traffic(parts, msgspec.convert(payload["order"], Order), tell)
        return parts.kept.put(made, Origin(at=parts.clock(), by=by)).id
    before, _ = parts.kept.plan(payload["plan"])
    levers = {name: float(value) for name, value in payload["levers"].items()}
    ranges = {name: (three[0], three[1], three[2]) for name, three in payload["assumptions"].items()}
    made = make(pulled(before.inputs, levers, ranges), tell)
    said = levers | {name: three[1] for name, three in ranges.items()}
    return parts.kept.put(made, Origin(at=parts.clock(), by=by, of=payload["plan"], levers=said)).id


def _of_traffic(parts: Parts, order: Order, tell: Tell) -> Plan:
    source = from_records if order.recorded else from_ledger
    with reading(parts.engine) as connection:
        trace = source(connection, since=order.since, until=order.until)
        known = parts.known(connection)
    seen = [_labelled(one, order.label) for one in joined(trace, known.workflows, known.papers)]
    settings = with_prices(settled(parts.settings, order), known.prices)
    when = date.fromisoformat(order.day)
    with parts.pool() as pool:
        inputs = prepare(settings, Traffic(seen, trace), when, lambda done, words: tell(done * 0.8, words), pool=pool)
    return make(inputs, lambda done, words: tell(0.8 + done * 0.2, words))


def _labelled(one: Seen, label: str) -> Seen:
    """What no call of it told is taken as it was said; what calls told stands."""
    if not label or one.facts.label is not None:
        return one
    return msgspec.structs.replace(one, facts=msgspec.structs.replace(one.facts, label=label))
