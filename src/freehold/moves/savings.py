"""What a move saved: measured from the ledger's calls after cut-over, never before it. Pure.

saving = rented price of the tokens that the candidate served - what serving them cost (escalations included)
         - comparing - annotations. The held-back calls save nothing and cost what they always did.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from freehold.core.money import ZERO, from_pico
from freehold.ledger.records import CallRecord
from freehold.moves.types import Move, Pair

_Z95 = 1.959964
"""97.5 % point of the normal distribution."""


class Savings(msgspec.Struct, frozen=True, kw_only=True):
    """Dollars, exactly. `low` and `high` bound the mean saving of a call, times the calls (normal, 95 %)."""

    since: float
    until: float
    calls: int
    """All of the workflow since the cut-over."""
    served: int
    """By the candidate."""
    priced: int
    """Of those, how many have a rented price to compare with; only they count."""
    rented: Decimal
    """What the served and priced calls would have cost at the baseline's price, for the same tokens."""
    owned: Decimal
    """What they did cost."""
    held_back: Decimal
    """What the calls that stayed with the incumbent cost; part of neither side."""
    comparing: Decimal
    annotations: Decimal
    saving: Decimal
    low: Decimal
    high: Decimal
    source: str
    """Where the rented price comes from."""


def savings(move: Move, calls: Iterable[CallRecord], pairs: Iterable[Pair], now: float) -> Savings | None:
    """None before the cut-over: nothing has been saved then."""
    if move.cut_over is None:
        return None
    total = served = priced = 0
    rented = owned = held_back = ZERO
    gains: list[float] = []
    sources: set[str] = set()
    for call in calls:
        if call.at < move.cut_over or call.outcome == "refused":
            continue
        total += 1
        if call.target == move.plan.incumbent and call.attempts <= 1:
            held_back += call.cost
            continue
        served += 1
        if call.what_if is None:
            continue
        priced += 1
        rented += call.what_if
        owned += call.cost
        gains.append(float(call.what_if - call.cost))
        sources.add(f"{call.what_if_target}: {call.what_if_source}")
    after = [one for one in pairs if one.at >= move.cut_over]
    comparing = sum((from_pico(one.cost) for one in after), ZERO)
    annotations = Decimal(move.rule.label_price) * sum(one.gold for one in after)
    gained = rented - owned
    wide = Decimal(str(_half_width(gains)))
    spent = comparing + annotations
    return Savings(
        since=move.cut_over,
        until=now,
        calls=total,
        served=served,
        priced=priced,
        rented=rented,
        owned=owned,
        held_back=held_back,
        comparing=comparing,
        annotations=annotations,
        saving=gained - spent,
        low=gained - wide - spent,
        high=gained + wide - spent,
        source="; ".join(sorted(sources)),
    )


def _half_width(gains: list[float]) -> float:
    """Half the 95 % interval of a sum of independent calls."""
    count = len(gains)
    if count < 2:
        return 0.0
    mean = math.fsum(gains) / count
    variance = math.fsum((one - mean) ** 2 for one in gains) / (count - 1)
    return round(_Z95 * math.sqrt(variance * count), 12)
