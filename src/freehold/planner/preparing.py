"""From settings and traffic to the inputs of a plan: prices are looked up, fleets simulated, facts put beside.

Invariant: what has no price or no row gets a stand-in that says so; only what serves the traffic now must be known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import msgspec
import numpy as np

from freehold.jobs.pool import InProcess, Pool
from freehold.planner import book
from freehold.planner.assumptions import assumptions
from freehold.planner.contract import Committed, Contract, Discount, OwnPrice
from freehold.planner.errors import PlanError, Unpriced
from freehold.planner.machines import Rate, owning, packing_of, sharing_machines, slo_of
from freehold.planner.observed import Observed
from freehold.planner.packing import Tenant
from freehold.planner.plan import Inputs, Tell
from freehold.planner.prices import Quote, market, quote
from freehold.planner.probing import Probe
from freehold.planner.settings import OwnPriceSettings, PlanSettings, PlanWorkflowSettings
from freehold.planner.simulating import Site, fleets
from freehold.planner.terms import vendors
from freehold.planner.traffic import Arrivals, Trace
from freehold.planner.types import OPTIONS, Range, Speed
from freehold.planner.work import MONTH_SECONDS, Demand, Evidence, Facts, Work
from freehold.policy.vendors import Fact

MARKET = ("Llama-3.1-8B", "Llama-3.1-70B", "Qwen3-32B", "gpt-oss-120b")
"""Open models whose hosts stand in where one has no price."""
CLOSED = ("openai/gpt-5-mini", "openai/gpt-5-nano", "anthropic/claude-haiku-4-5", "google/gemini-2.5-flash")
"""Closed models that stand in where one has no price."""


class Seen(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One workflow as it was found: its traffic, and what the instance knows about it."""

    name: str
    trace: Trace
    now: str = ""
    """`provider/model`."""
    facts: Facts = Facts()
    evidence: tuple[Evidence, ...] = ()
    papers: tuple[Fact, ...] = ()
    """What is known of vendors: public rows and contracts."""


class Traffic(msgspec.Struct, frozen=True, eq=False):
    """What a plan is about: the workflows, and the traffic of all at once, for fleets that they share."""

    seen: Sequence[Seen]
    whole: Trace | None = None


def split(trace: Trace, papers: tuple[Fact, ...] = ()) -> list[Seen]:
    """A trace by its workflows; the whole is called `all` where it names none."""
    return [Seen(name=name or "all", trace=trace.of(name), papers=papers) for name in trace.workflows]


def joined(trace: Trace, known: Sequence[Observed], papers: tuple[Fact, ...]) -> list[Seen]:
    """A trace by its workflows, each with what an instance knows of it."""
    by_name = {one.name: one for one in known}
    found = []
    for one in split(trace, papers):
        mine = by_name.get(one.name)
        if mine is not None:
            one = msgspec.structs.replace(one, now=mine.now, facts=mine.facts, evidence=mine.evidence)
        found.append(one)
    return found


def with_prices(settings: PlanSettings, prices: Sequence[OwnPrice]) -> PlanSettings:
    """The settings with prices of an instance's targets; those of [plan] stand before them."""
    mine = {one.model for one in settings.prices}
    more = tuple(
        OwnPriceSettings(
            model=one.model,
            input=Decimal(str(one.input)),
            output=Decimal(str(one.output)),
            cached=None if one.cached is None else Decimal(str(one.cached)),
            source=one.source,
            as_of=date.fromisoformat(one.as_of),
        )
        for one in prices
        if one.model not in mine
    )
    return settings.model_copy(update={"prices": (*settings.prices, *more)})


def prepare(
    settings: PlanSettings,
    traffic: Traffic,
    when: date,
    tell: Tell = lambda _done, _words: None,
    probe: Probe | None = None,
    pool: Pool | None = None,
) -> Inputs:
    """The inputs of a plan; `probe` is what was measured on the machine, `pool` simulates the fleets.

    Raises PlanError for what nobody can stand in for, before anything is simulated.
    """
    contract, seen, whole = contract_of(settings), traffic.seen, traffic.whole
    known = assumptions(settings.assumptions, when.isoformat())
    rate = Rate(known["speed"], probe)
    works, sites = [], []
    for one in seen:
        work, speed = _work(settings, one, when, rate)
        works.append(work)
        sites.append(Site(one.name, one.trace, speed))
    tenants: list[Tenant] = []
    if whole is not None and len(seen) > 1 and not any(one.model for one in settings.workflows.values()):
        tenants, together = sharing_machines(settings, [(one.name, one.trace) for one in seen], whole, rate)
        sites.append(together)
    found = fleets(sites, slo_of(settings), pool or InProcess(), tell, tenants)
    return Inputs(
        made_on=when.isoformat(),
        months=settings.months,
        seed=settings.seed,
        draws=settings.draws,
        contract=contract,
        assumptions=tuple(known.values()),
        works=tuple(
            msgspec.structs.replace(work, staircases=stairs)
            for work, stairs in zip(works, found.stairs[: len(works)], strict=True)
        ),
        shared=found.stairs[-1] if tenants else (),
        packings=tuple(packing_of(one, together.trace.span_seconds) for one in found.packed),
    )


def contract_of(settings: PlanSettings) -> Contract:
    """What is in writing, as values."""
    low, base, high = settings.usd_per_unit
    return Contract(
        prices=tuple(
            OwnPrice(
                model=one.model,
                input=float(one.input),
                output=float(one.output),
                cached=None if one.cached is None else float(one.cached),
                source=one.source,
                as_of=one.as_of.isoformat(),
            )
            for one in settings.prices
        ),
        discounts=tuple(
            Discount(provider=one.provider, share=one.share, source=one.source, as_of=one.as_of.isoformat())
            for one in settings.discounts
        ),
        commitments=tuple(
            Committed(
                provider=one.provider,
                monthly=float(one.monthly),
                months=one.months,
                source=one.source,
                as_of=one.as_of.isoformat(),
            )
            for one in settings.commitments
        ),
        currency=settings.currency,
        usd_per_unit=Range(low, base, high, "freehold.toml"),
    )


def _work(settings: PlanSettings, seen: Seen, when: date, rate: Rate) -> tuple[Work, Speed]:
    """A workflow but for its fleets, and one replica of what would serve it."""
    own = settings.workflows.get(seen.name) or PlanWorkflowSettings()
    contract = contract_of(settings)
    serves = own.now or seen.now or settings.now
    if not serves:
        raise PlanError(
            f"nobody said what serves {seen.name} now",
            hint="name it: freehold plan --now openai/gpt-4o; or now in [plan]",
            param="now",
        )
    now = quote(serves, when, contract)
    closed = tuple(_or_market(one, when, contract, CLOSED) for one in own.closed or settings.closed if one != serves)
    model = own.model or settings.model
    owned, speed = owning(settings, model, rate)
    hosted = _hosted(own.hosted or settings.hosted, model, when, contract)
    facts = _facts(settings, own, seen)
    rented = vendors(facts.label or "", [one.model for one in (now, *closed, *hosted)], seen.papers, when.isoformat())
    if facts.label and facts.rented_allowed is None:
        facts = msgspec.structs.replace(facts, rented_allowed=any(not one.lacks for one in rented))
    work = Work(
        name=seen.name,
        demand=demand(seen.trace, now),
        now=now,
        closed=closed or (_market(CLOSED, when, "no other closed model was named"),),
        hosted=hosted,
        owned=owned,
        staircases=(),
        slo=slo_of(settings),
        evidence=_evidence(own, when) or seen.evidence,
        facts=facts,
        vendors=rented,
    )
    return work, speed


def _or_market(model: str, when: date, contract: Contract, others: tuple[str, ...]) -> Quote:
    try:
        return quote(model, when, contract)
    except Unpriced:
        return _market(others, when, f"no price is known for {model}: the market stands in")


def _market(models: tuple[str, ...], when: date, note: str) -> Quote:
    return market(models, when, note)


def _hosted(named: Sequence[str], model: str, when: date, contract: Contract) -> tuple[Quote, ...]:
    """Quotes of open models at hosts; the market's range where there is none."""
    stand_in = tuple(name for one in MARKET for name in book.hosts_of(one, when, 8))
    if named:
        return tuple(_or_market(one, when, contract, stand_in) for one in named)
    known = tuple(quote(name, when, contract) for name in book.hosts_of(model.rsplit("/", 1)[-1], when))
    return known or (_market(stand_in, when, f"no host lists {model}: the market of open models stands in"),)


def demand(trace: Trace, now: Quote) -> Demand:
    """A month of a trace. Raises PlanError where no call of it has a token: nothing can be priced by it."""
    if trace.input_tokens + trace.output_tokens <= 0:
        raise PlanError(f"{trace.source}: no call has a token, in or out", param="input_tokens")
    scale = MONTH_SECONDS / trace.span_seconds
    return Demand(
        requests=trace.requests * scale,
        input=trace.input_tokens * scale,
        cached=trace.cached_tokens * scale,
        output=trace.output_tokens * scale,
        tiered=_tiered(trace, now),
        span_seconds=trace.span_seconds,
        trace=trace.source,
        digest=trace.digest(),
        repeated=_repeated(trace),
        longest=_longest(trace),
        silent_seconds=_silent(trace),
    )


def _repeated(trace: Trace) -> float:
    """A log that was written twice has every row twice."""
    if not isinstance(trace, Arrivals):
        return 0.0
    rows = np.stack([trace.t, trace.input, trace.output, trace.cached, trace.workflow], axis=1)
    return 1.0 - len(np.unique(rows, axis=0)) / trace.requests


def _longest(trace: Trace) -> float:
    if isinstance(trace, Arrivals):
        return float(np.quantile(trace.input + trace.output, 0.99))
    return float(np.quantile(trace.lengths.input, 0.99) + trace.lengths.output.mean())


def _silent(trace: Trace) -> float:
    if not isinstance(trace, Arrivals):
        return 0.0
    return float(np.max(np.diff(trace.t), initial=0.0))


def _tiered(trace: Trace, now: Quote) -> float:
    """Share of the input in prompts that are long enough for the incumbent's higher price."""
    steps = now.tiers.get("input")
    if not steps or not isinstance(trace, Arrivals):
        return 0.0
    long = trace.input >= steps[0].start
    return float(np.sum(trace.input[long]) / max(trace.input_tokens, 1))


def _evidence(own: PlanWorkflowSettings, when: date) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            option=option,
            passed=Range(*own.pass_rates[option], "freehold.toml", when.isoformat()),
            pairs=0,
            difference_low=0.0 if own.difference_low is None else own.difference_low,
            source="freehold.toml",
            as_of=when.isoformat(),
        )
        for option in OPTIONS
        if option in own.pass_rates
    )


def _facts(settings: PlanSettings, own: PlanWorkflowSettings, seen: Seen) -> Facts:
    """What the settings say before what was seen."""
    said: Mapping[str, object] = {
        "label": own.label or None,
        "rented_allowed": own.rented_allowed,
        "stable": own.stable,
        "days": own.days,
        "skills": settings.skills if own.skills is None else own.skills,
        "fine_tuning": own.fine_tuning,
        "refusals": own.refusals,
    }
    found = msgspec.structs.replace(seen.facts, **{name: value for name, value in said.items() if value is not None})
    if found.days is None:
        found = msgspec.structs.replace(found, days=seen.trace.span_seconds / 86400.0)
    return found
