"""Tells a collector of ended calls, out of the ledger and in its order, from where it was told last.

A batch is written down as told only once the collector took it: a worker that dies in between tells it again, under
the same ids. What fails is tried again later and later; calls wait for none of this.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace
from sqlalchemy import Engine

from freehold.core.clock import Clock
from freehold.core.db import reading, writing
from freehold.core.errors import BadRequest
from freehold.core.label import UNKNOWN, Label, parse_label
from freehold.ledger.store import last_leaf
from freehold.telemetry import spans, store
from freehold.telemetry.errors import CollectorFailed
from freehold.telemetry.sending import Send
from freehold.telemetry.settings import Conventions
from freehold.telemetry.store import Standing

BATCH = 500
BATCHES = 20
"""Most at one look: what is left comes with the next."""
LONGEST_WAIT = 300.0
_encode = msgspec.json.encode


class Plan(msgspec.Struct, frozen=True):
    """Whom to tell, in whose words, and of what."""

    endpoint: str
    conventions: Conventions
    clearance: str
    identity: str
    """Of the installation."""


def tell(engine: Engine, plan: Plan, send: Send, beat: Callable[[], None], clock: Clock) -> int:
    """Tell what ended since; of how many calls. A collector that is new hears of calls from now on."""
    with reading(engine) as connection:
        standing = store.standing(connection, plan.endpoint)
        newest = last_leaf(connection)
    if standing is None:
        _keep(engine, Standing(endpoint=plan.endpoint, leaf=newest))
        return 0
    if clock() < standing.retry_at:
        return 0
    told = 0
    for _ in range(BATCHES):
        if standing.leaf >= newest:
            break
        standing, count = _batch(engine, plan, send, standing, clock())
        _keep(engine, standing)
        told += count
        if standing.failures:
            break
        beat()
    return told


def _batch(engine: Engine, plan: Plan, send: Send, standing: Standing, now: float) -> tuple[Standing, int]:
    """Tell of the next calls; where the collector then stands, and of how many it was told."""
    with reading(engine) as connection:
        found = store.ended(connection, standing.leaf, BATCH)
    if not found:
        return standing, 0
    clearance = parse_label(plan.clearance)
    cleared = [one for one in found if _label(one[0]["label"]).within(clearance)]
    onward = replace(standing, leaf=found[-1][0]["leaf"], left_out=standing.left_out + len(found) - len(cleared))
    if not cleared:
        return onward, 0
    try:
        send(_encode(spans.request(cleared, plan.conventions, plan.identity)))
    except CollectorFailed as error:
        if error.passed_over:
            lost = onward.left_out + len(cleared)
            told = f"{error.message}; {len(cleared)} calls were passed over"
            return replace(onward, left_out=lost, failures=0, retry_at=0.0, error=told), 0
        failures = standing.failures + 1
        wait = min(2.0 ** min(failures, 16), LONGEST_WAIT)
        return replace(standing, failures=failures, retry_at=now + wait, error=error.message), 0
    return replace(onward, at=now, failures=0, retry_at=0.0, error=""), len(cleared)


def _keep(engine: Engine, standing: Standing) -> None:
    with writing(engine) as connection:
        store.keep(connection, standing)


def _label(text: str) -> Label:
    """What was refused before its label was known has none, which counts as the highest."""
    try:
        return parse_label(text)
    except BadRequest:
        return UNKNOWN
