"""What each option costs month by month, in each draw: the five streams of a workflow. Pure.

Costs are positive. Invariant: every option has at least one stream, whatever is unknown; what is unknown is wide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import msgspec
import numpy as np

from freehold.planner.contract import Committed
from freehold.planner.draws import Array
from freehold.planner.prices import Quote
from freehold.planner.rents import plain
from freehold.planner.staircase import hours, overflow, replicas
from freehold.planner.types import OptionKind
from freehold.planner.work import MONTH_HOURS, Demand, Staircase, Work

WEEKS_A_YEAR = 46.0
"""That a person works."""
MILLION = 1e6


class Stream(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One way to serve a workflow. Arrays by draw, and by month where they have two dimensions; US dollars."""

    option: OptionKind
    variant: str
    parts: dict[str, Array]
    """Draws x months, by what is paid for; their sum is the monthly cost."""
    once: dict[str, Array]
    """At the beginning."""
    end: Array
    """At the horizon: leaving, less what hardware is still worth."""
    passed: Array
    """Share of tasks that pass."""
    spent: dict[str, Array]
    """What goes to each rented provider; part of `parts`. For commitments."""
    meets: bool = True
    why: str = ""

    @property
    def monthly(self) -> Array:
        """Draws x months."""
        return reduce(np.add, self.parts.values())

    @property
    def upfront(self) -> Array:
        """By draw."""
        found: Array = np.sum([*self.once.values()], axis=0) if self.once else np.zeros(len(self.end))
        return found


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What every stream of a plan is made under."""

    months: int
    commitments: tuple[Committed, ...] = ()
    spending: dict[str, float] = {}
    """US dollars a month that all workflows together pay each provider now."""


class Scene(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A workflow with its draws."""

    work: Work
    factors: Mapping[str, Array]
    terms: Terms
    at: float = 1.0
    """Multiple of the trace's volume at the beginning."""

    @property
    def count(self) -> int:
        """Of draws."""
        return len(self.factors["traffic_growth"])

    def years(self) -> Array:
        """Middle of each month, in years from the beginning."""
        return (np.arange(self.terms.months, dtype=np.float64) + 0.5) / 12.0

    def grown(self, name: str) -> Array:
        """(1 + yearly rate) ** years, draws x months."""
        found: Array = np.power(1.0 + self.factors[name][:, None], self.years()[None, :])
        return found

    def volume(self) -> Array:
        """Multiples of the trace's volume, draws x months."""
        return self.at * self.grown("traffic_growth")

    def weeks(self, name: str) -> Array:
        """What so many person-weeks cost."""
        return self.factors[name] * self.factors["fte_cost"] / WEEKS_A_YEAR


def streams(scene: Scene) -> list[Stream]:
    """All variants of all five options."""
    work = scene.work
    found = [_rented(scene, "nothing", work.now)]
    found += [_rented(scene, "closed", one) for one in work.closed or (work.now,)]
    found += [_rented(scene, "hosted_open", one) for one in work.hosted]
    for stairs in work.staircases:
        found += _owned(scene, stairs)
    return [_committed(scene, one) for one in found]


def shared(scene: Scene) -> list[Stream]:
    """Variants that serve several workflows on one fleet. `scene` is of all of them."""
    found = [one for stairs in scene.work.staircases for one in _owned(scene, stairs)]
    named = [msgspec.structs.replace(one, variant=f"shared {one.variant}") for one in found]
    return [_committed(scene, one) for one in named]


def _tokens(scene: Scene, quote: Quote, ratio: Array) -> Array:
    """A month of the trace's own volume at a quote, by draw."""
    demand, factors = scene.work.demand, scene.factors
    price = {side: factors[f"price/{quote.model}/{side}"] for side in ("input", "output", "cached")}
    plain_input = (demand.input - demand.cached) * price["input"] * _tier(quote, "input", demand.tiered)
    cached = demand.cached * price["cached"] * _tier(quote, "cached", demand.tiered)
    output = demand.output * ratio * price["output"] * _tier(quote, "output", demand.tiered)
    found: Array = (plain_input + cached + output) / MILLION
    return found


def _tier(quote: Quote, side: str, share: float) -> float:
    """What the price tier of long prompts adds, as a factor on the base price."""
    steps = quote.tiers.get(side)
    base: float = getattr(quote, side).p50
    return 1.0 + share * (steps[0].price / base - 1.0) if steps and base > 0 else 1.0


def _rented(scene: Scene, option: OptionKind, quote: Quote) -> Stream:
    factors, work = scene.factors, scene.work
    ones = np.ones(scene.count)
    stays = option == "nothing" or quote.model == work.now.model
    ratio = ones if stays else factors["output_ratio_closed" if option == "closed" else "output_ratio_open"]
    cost = _tokens(scene, quote, ratio)[:, None] * scene.volume() * scene.grown("api_price_drift")
    parts = {"tokens": cost, "failed tasks": _failed(scene, factors[f"passed/{option}"])}
    once: dict[str, Array] = {}
    if not stays:
        parts["people"] = _flat(_people(scene, "hosted_fte"), scene.terms.months)
        once = _migration(scene)
        once["traffic paid twice"] = factors["shadow_share"] * factors["parallel_months"] * cost[:, 0]
    short = "" if stays else too_short(quote.context, work.demand)
    return Stream(
        option=option,
        variant=quote.model,
        parts=parts,
        once=once,
        end=np.zeros(scene.count),
        passed=factors["passed/nothing" if stays else f"passed/{option}"],
        spent={quote.model.partition("/")[0]: cost},
        meets=not short,
        why=short,
    )


def too_short(context: int, demand: Demand) -> str:
    """Why calls do not fit into a model's context, in words; empty where they do, or where nobody says how long it is.

    One call in a hundred may be longer, as the SLO lets one in a hundred go.
    """
    if not context or demand.longest <= context:
        return ""
    return f"one call in a hundred holds over {demand.longest:,.0f} tokens, and its context is {context:,}"


def _owned(scene: Scene, stairs: Staircase) -> list[Stream]:
    """Rented by the hour; where the fleet stands still also for a year, and bought where a price is known."""
    work, factors = scene.work, scene.factors
    option: OptionKind = "hybrid" if stairs.kind == "hybrid" else "self_hosted"
    volume = scene.volume() * (factors["output_ratio_open"] / factors["speed"])[:, None]
    gpu_hours = hours(stairs, volume) * stairs.gpus_per_replica
    rent = factors["rent"]
    machine = {"by the hour": {"GPUs": gpu_hours * rent[:, None] * scene.grown("rent_drift")}}
    if stairs.kind != "autoscaled":
        kept = 1.0 - factors["commitment_discount"]
        machine["one-year terms"] = {"GPUs": gpu_hours * (rent * kept)[:, None] * _yearly(scene.grown("rent_drift"))}
    found = [_of(scene, option, stairs, name, parts) for name, parts in machine.items()]
    if stairs.kind != "autoscaled" and f"capex/{plain(work.owned.gpu)}" in factors:
        found.append(_bought(scene, option, stairs, replicas(stairs, volume) * stairs.gpus_per_replica))
    return found


def _yearly(drift: Array) -> Array:
    """A price that is fixed for each year as its first month finds it."""
    found: Array = drift[:, (np.arange(drift.shape[1]) // 12) * 12]
    return found


def _of(scene: Scene, option: OptionKind, stairs: Staircase, name: str, machine: dict[str, Array]) -> Stream:
    """A fleet on machines that are paid as `machine` says, with people, training, and an API for what overflows."""
    factors, work = scene.factors, scene.work
    months = scene.terms.months
    first = machine["GPUs"][:, 0]
    per_gpu = stairs.gpus_per_replica * replicas(stairs, np.ones(1))[0]
    again = factors["retrains_per_year"] / 12.0
    training = factors["fine_tune_gpu_hours"] * factors["rent"]
    flat = {
        "people": _people(scene, "platform_fte"),
        "storage and egress": (factors["storage_cost"] + factors["egress_cost"]) * work.share,
        "licences": factors["licence_cost"] * per_gpu / 12.0,
        "training again": again * (training + 0.25 * scene.weeks("evaluation_weeks") * work.share),
    }
    parts = machine | {what: _flat(cost, months) for what, cost in flat.items()}
    parts["failed tasks"] = _failed(scene, factors[f"passed/{option}"])
    spent: dict[str, Array] = {}
    if stairs.kind == "hybrid":
        api = (*work.hosted, work.now)[0]
        spent[api.model.partition("/")[0]] = parts["overflow to an API"] = _overflow(scene, stairs, api)
    once = _migration(scene) | {"fine-tuning": training}
    once["traffic paid twice"] = factors["parallel_months"] * first
    good = [one for one in stairs.stairs if one.volume == 1.0]
    short = too_short(work.owned.context, work.demand) or ("" if work.owned.fits else "the model does not fit")
    return Stream(
        option=option,
        variant=f"{stairs.kind} fleet, {name}",
        parts=parts,
        once=once,
        end=scene.weeks("exit_weeks") * work.share,
        passed=factors[f"passed/{option}"],
        spent=spent,
        meets=not short and all(one.meets for one in good),
        why=next((one.why for one in good if not one.meets), short),
    )


def _bought(scene: Scene, option: OptionKind, stairs: Staircase, gpus: Array) -> Stream:
    """Machines of one's own: bought when they are needed, powered, and worth something at the end."""
    factors = scene.factors
    gpu = plain(scene.work.owned.gpu)
    price = factors[f"capex/{gpu}"] * (1.0 + factors["server_uplift"])
    owned = np.maximum.accumulate(gpus, axis=1)
    new = np.diff(owned, axis=1, prepend=0.0)
    lasting = np.ceil(scene.terms.months / 12.0 / factors["life_years"])  # replaced when worn out
    power = factors.get(f"power_kw/{gpu}", np.full(scene.count, 1.0))
    energy = power * factors["pue"] * factors["electricity"] * MONTH_HOURS
    machine = {"GPUs": owned * energy[:, None]}
    made = _of(scene, option, stairs, "bought", machine)
    paid = new * price[:, None]
    years = (scene.terms.months - np.arange(scene.terms.months)) / 12.0
    worth = paid * np.power(factors["residual_36m"][:, None], years[None, :] / 3.0)
    later = paid.copy()
    later[:, 0] = 0.0
    return msgspec.structs.replace(
        made,
        parts={("power" if name == "GPUs" else name): cost for name, cost in made.parts.items()} | {"hardware": later},
        once=made.once | {"hardware": paid[:, 0] * lasting, "traffic paid twice": np.zeros(scene.count)},
        end=made.end - worth.sum(axis=1),
    )


def _overflow(scene: Scene, stairs: Staircase, api: Quote) -> Array:
    factors, demand = scene.factors, scene.work.demand
    volume = scene.volume()
    effective = volume * (factors["output_ratio_open"] / factors["speed"])[:, None]
    into, out = overflow(stairs, effective)
    ratio = np.ones(scene.count) if api.model == scene.work.now.model else factors["output_ratio_open"]
    cost_in = demand.input * factors[f"price/{api.model}/input"] / MILLION
    cost_out = demand.output * ratio * factors[f"price/{api.model}/output"] / MILLION
    found: Array = (into * cost_in[:, None] + out * cost_out[:, None]) * volume * scene.grown("api_price_drift")
    return found


def _people(scene: Scene, name: str) -> Array:
    return scene.factors[name] * scene.factors["fte_cost"] / 12.0 * scene.work.share


def _migration(scene: Scene) -> dict[str, Array]:
    return {
        "evaluation": scene.weeks("evaluation_weeks") * scene.work.share,
        "porting": scene.weeks("port_weeks") * scene.work.workflows,
    }


def _flat(cost: Array, months: int) -> Array:
    """The same in every month, without a copy for each."""
    return np.broadcast_to(cost[:, None], (len(cost), months))


def _failed(scene: Scene, passed: Array) -> Array:
    if not scene.factors["failed_task_cost"].any():
        return _flat(np.zeros(scene.count), scene.terms.months)
    cost = scene.factors["failed_task_cost"] * scene.work.demand.requests * (1.0 - passed)
    return cost[:, None] * scene.volume()


def _committed(scene: Scene, stream: Stream) -> Stream:
    """Adds what is owed to providers under commitments and not used: it is paid in every option."""
    owed: Sequence[Array] = [_unused(scene, one, stream.spent.get(one.provider)) for one in scene.terms.commitments]
    if not owed:
        return stream
    return msgspec.structs.replace(stream, parts=stream.parts | {"unused commitment": np.sum(owed, axis=0)})


def _unused(scene: Scene, one: Committed, spent: Array | None) -> Array:
    provider = scene.work.now.model.partition("/")[0]
    total = scene.terms.spending.get(one.provider, 0.0)
    own = float(np.median(_tokens(scene, scene.work.now, np.ones(scene.count)))) if provider == one.provider else 0.0
    share = own / total if total > 0 else 0.0
    running = (np.arange(scene.terms.months) < one.months).astype(np.float64) * one.monthly * share
    used = np.zeros((scene.count, scene.terms.months)) if spent is None else spent
    found: Array = np.maximum(running[None, :] - used, 0.0)
    return found
