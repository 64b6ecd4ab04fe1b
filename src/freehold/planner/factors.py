"""Everything uncertain about a plan, drawn once under its own name; all options see the same draws. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from freehold.planner.assumptions import Assumption
from freehold.planner.draws import Array, Draws
from freehold.planner.types import OptionKind, Range
from freehold.planner.work import Work

_RELATIVE: tuple[tuple[OptionKind, str], ...] = (
    ("closed", "relative_pass_rate_closed"),
    ("hosted_open", "relative_pass_rate_open"),
    ("self_hosted", "relative_pass_rate_open"),
    ("hybrid", "relative_pass_rate_open"),
)
_LATER = ("capex/", "power_kw/")
"""Drawn where the plan's accelerator has them."""


def common(assumed: Mapping[str, Assumption], gpu: str, draws: Draws) -> dict[str, Array]:
    """Factors of every workflow alike."""
    return {
        name: draws.triangular(one)
        for name, one in assumed.items()
        if not name.startswith(_LATER) or name.endswith(f"/{gpu}")
    }


def mine(work: Work, shared: Mapping[str, Array], draws: Draws) -> dict[str, Array]:
    """Factors of one workflow: prices, speed, rent, measured quality; together with the common ones."""
    found = dict(shared)
    for quote in {one.model: one for one in (work.now, *work.closed, *work.hosted)}.values():
        for side in ("input", "output", "cached"):
            found[f"price/{quote.model}/{side}"] = draws.ranged(f"price/{quote.model}", getattr(quote, side))
    found["rent"] = draws.ranged(f"rent/{work.owned.gpu}", work.owned.hour.usd)
    found["speed"] = draws.ranged(f"speed/{work.owned.model}/{work.owned.gpu}", work.owned.speed)
    found |= _passed(work, shared, draws)
    return found


def _passed(work: Work, shared: Mapping[str, Array], draws: Draws) -> dict[str, Array]:
    measured = {one.option: one.passed for one in work.evidence}

    def rate(option: OptionKind, otherwise: Array) -> Array:
        known: Range | None = measured.get(option)
        found = otherwise if known is None else draws.ranged(f"passed/{work.name}/{option}", known)
        return found.clip(1e-3, 1.0)

    nothing = rate("nothing", shared["incumbent_pass_rate"])
    found = {"passed/nothing": nothing}
    for option, name in _RELATIVE:
        known = option if option in measured or option != "hybrid" else "self_hosted"
        found[f"passed/{option}"] = rate(known, nothing * shared[name])
    return found
