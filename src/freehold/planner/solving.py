"""A plan decided anew while a person waits, from what it has frozen: no trace is read, no fleet simulated. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from freehold.planner.assumptions import Three
from freehold.planner.levers import pulled
from freehold.planner.plan import Plan, make

DRAWS = 2000
"""At most, for one workflow; several share four times as many. A plan that is kept takes all of its own."""
_LEAST = 500


class Solved(msgspec.Struct, frozen=True, kw_only=True):
    """What came out, and on how many draws it rests."""

    plan: Plan
    draws: int
    changed: bool
    """False where nothing was said otherwise: then it is the plan itself."""


def solved(plan: Plan, values: Mapping[str, float], ranges: Mapping[str, Three] | None = None) -> Solved:
    """The plan with levers at `values` and assumptions in `ranges`. Raises BadAssumption."""
    inputs = pulled(plan.inputs, values, ranges)
    if inputs == plan.inputs:
        return Solved(plan=plan, draws=inputs.draws, changed=False)
    draws = min(inputs.draws, max(min(DRAWS, 4 * DRAWS // len(inputs.works)), _LEAST))
    return Solved(plan=make(msgspec.structs.replace(inputs, draws=draws)), draws=draws, changed=True)
