"""What a plan is to be made of, as somebody asked for it, and the settings of [plan] with that in their place. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import msgspec

from freehold.core.label import parse_label
from freehold.planner import shapes
from freehold.planner.assumptions import Three, assumptions
from freehold.planner.errors import PlanError
from freehold.planner.gpus import gpu as gpu_of
from freehold.planner.settings import PlanSettings
from freehold.planner.types import Precision

_PLACE = ("/", ".", "~", "\\")


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A plan that was asked for. What is empty, or None, is as [plan] says."""

    day: str
    """Whose prices count, YYYY-MM-DD."""
    until: float
    """Unix seconds: only calls before it; what came later is another plan's."""
    since: float | None = None
    recorded: bool = False
    """Recorded calls, imported ones too, in place of the ledger's."""
    now: str = ""
    closed: tuple[str, ...] = ()
    hosted: tuple[str, ...] = ()
    model: str = ""
    gpu: str = ""
    gpus: int | None = None
    precision: Precision | None = None
    months: int | None = None
    currency: str = ""
    usd_per_unit: Three | None = None
    skills: bool | None = None
    label: str = ""
    """Of workflows of whose calls none told a label."""
    assumptions: dict[str, Three] = {}


NAMES = (
    "now", "closed", "hosted", "model", "gpu", "gpus", "precision", "months", "currency", "usd_per_unit", "skills"
)  # fmt: skip
"""Of the options that stand before the settings of the same name."""


def instead(settings: PlanSettings, said: Mapping[str, object]) -> PlanSettings:
    """[plan], with what was said in its place; None and what is empty leaves it."""
    return settings.model_copy(update={name: said[name] for name in NAMES if said.get(name) not in (None, (), [], "")})


def settled(settings: PlanSettings, order: Order) -> PlanSettings:
    """[plan], with an order in its place."""
    made = instead(settings, msgspec.structs.asdict(order))
    return made.model_copy(update={"assumptions": {**made.assumptions, **order.assumptions}})


def check(order: Order) -> None:
    """Raises PlanError, UnknownShape, UnknownGpu or BadAssumption for what no plan can be made of.

    Models are public names alone: an order comes over the management API, which opens no path for anybody.
    """
    try:
        date.fromisoformat(order.day)
    except ValueError:
        raise PlanError(f"{order.day!r} is no day, YYYY-MM-DD", param="day") from None
    if order.since is not None and order.since >= order.until:
        raise PlanError("the traffic would end before it begins", param="since")
    if order.model:
        if order.model.startswith(_PLACE) or ".." in order.model:
            raise PlanError("a plan made here takes a public model's name, no path", param="model")
        shapes.named(order.model)
    if order.gpu:
        gpu_of(order.gpu)
    if order.label:
        parse_label(order.label)
    assumptions(order.assumptions, order.day)
