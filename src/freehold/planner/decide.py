"""From measured facts and money to one word of advice, by a rule that is written here and nowhere else. Pure.

Invariant: a fact that is missing never counts in favour of moving; what would decide is named instead.
"""

from __future__ import annotations

import msgspec

from freehold.planner.money import Outcome
from freehold.planner.options import Choice
from freehold.planner.rests import DAY_SECONDS, Rests, lasting, rests
from freehold.planner.types import OPTIONS, Advice, OptionKind
from freehold.planner.work import Vendor, Work

SURE = 0.8
"""Chance of saving that is enough to act on."""
EVEN = 0.5
"""Below it, more measuring would not be worth its cost."""
MARGIN = 0.03
"""Quality that may be lost, as in a move's rule."""
LEAST_DAYS = 7.0
"""Of traffic, so that a weekend is in it."""
REFUSALS = 0.01
RULE = (
    "0. Under 100 calls, or half an hour: `not_yet`, and no saving is stated; nothing moves on less than a day.",
    "1. Where no rented target may take the workflow's label, it is owned, whatever it costs, or waits for that.",
    "2. An option counts that keeps the SLO and saves, quality counted, with a chance of at least 80 %.",
    "3. Of those, the one with the greatest median net present value is looked at first.",
    "4. It needs proof on the workflow's own calls, quality not worse by {points} points; and papers for its label.",
    "5. Owning also needs seven days of traffic, a settled task, and people who can run models.",
    "6. What is missing of 4 and 5 makes it `not_yet`, with what would tell; what speaks against leads to the next.",
    "7. Where nothing counts: `stay`; or `not_yet` where an option saves in at least half of the draws.",
)
_ADVICE: dict[OptionKind, Advice] = {
    "nothing": "stay",
    "closed": "stay",
    "hosted_open": "hosted_open",
    "self_hosted": "own",
    "hybrid": "hybrid",
}
_OWNED = ("self_hosted", "hybrid")


class Factor(msgspec.Struct, frozen=True, kw_only=True):
    """One thing the rule looks at."""

    name: str
    value: str
    says: str
    """`for` moving, `against` it, `open` where nobody knows, `-` where it decides nothing."""
    measure: str = ""
    """What would tell, where it is open."""
    override: str = ""
    """Setting that states it."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The advice for one workflow, and all that led to it."""

    advice: Advice
    option: OptionKind
    """What the advice is about: for `not_yet` the option that waits."""
    reason: str
    factors: tuple[Factor, ...]
    decides: tuple[str, ...] = ()
    """Measurements that are missing, the most telling first."""


class _Missing(msgspec.Struct, frozen=True):
    against: str
    unknown: tuple[str, ...]


def rule(margin: float = MARGIN) -> tuple[str, ...]:
    """The rule in words, where so much quality may be lost."""
    points = f"{margin * 100:g}"
    return tuple(one.replace("{points}", points) for one in RULE)


def decide(work: Work, choices: tuple[Choice, ...], margin: float = MARGIN) -> Decision:
    """The rule, in the order in which it is written."""
    outcomes = {option: choice.best for option, choice in zip(OPTIONS, choices, strict=True)}
    factors = _factors(work, outcomes)
    under = rests(work.demand)
    if not under.enough:
        return _too_little(work, under, factors)
    if work.facts.rented_allowed is False:
        return _confined(work, outcomes["self_hosted"], factors, margin)
    moving = [one for option, one in outcomes.items() if option != "nothing" and one.meets]
    sure = sorted((one for one in moving if one.saves >= SURE), key=lambda one: (-one.npv.p50, one.option))
    refused = []
    for one in sure:
        missing = _missing(work, one, margin)
        if missing.against:
            refused.append(f"{_named(one)}: {missing.against}")
            continue
        if missing.unknown:
            return Decision(
                advice="not_yet",
                option=one.option,
                reason=f"{_saving(one)}, but {missing.unknown[0]}",
                factors=factors,
                decides=missing.unknown,
            )
        advice = _ADVICE[one.option]
        reason = f"{one.variant} would do: {_saving(one)}" if advice == "stay" else _saving(one)
        return Decision(advice=advice, option=one.option, reason=reason, factors=factors)
    return _nothing(moving, refused, factors)


def _too_little(work: Work, under: Rests, factors: tuple[Factor, ...]) -> Decision:
    """Rule 0: nothing that was computed from it decides."""
    option: OptionKind = "self_hosted" if work.facts.rented_allowed is False else "nothing"
    reason = f"{under.words}: too little to decide on, and no saving is stated"
    return Decision(advice="not_yet", option=option, reason=reason, factors=factors, decides=(under.measure,))


def _confined(work: Work, owned: Outcome, factors: tuple[Factor, ...], margin: float) -> Decision:
    told = f"no rented target may take {work.facts.label or 'its label'}"
    missing = _missing(work, owned, margin)
    stops = missing.against or (owned.why if not owned.meets else "")
    if stops or missing.unknown:
        decides = missing.unknown or (stops,)
        reason = f"{told}; {stops or missing.unknown[0]}"
        return Decision(advice="not_yet", option="self_hosted", reason=reason, factors=factors, decides=decides)
    return Decision(advice="own", option="self_hosted", reason=told, factors=factors)


def _nothing(moving: list[Outcome], refused: list[str], factors: tuple[Factor, ...]) -> Decision:
    best = max(moving, key=lambda one: (one.saves, one.npv.p50), default=None)
    if refused:
        return Decision(advice="stay", option="nothing", reason="; ".join(refused), factors=factors)
    if best is not None and best.saves >= EVEN:
        decides = tuple(measurement(one.factor) for one in best.drivers[:3])
        reason = f"{_named(best)} saves in {best.saves:.0%} of draws: too few to act on"
        return Decision(
            advice="not_yet", option=best.option, reason=reason, factors=factors, decides=tuple(dict.fromkeys(decides))
        )
    if best is None:
        return Decision(advice="stay", option="nothing", reason="no other option keeps the SLO", factors=factors)
    reason = f"nothing saves surely enough: {_named(best)}, the likeliest, does in {best.saves:.0%} of draws"
    return Decision(advice="stay", option="nothing", reason=reason, factors=factors)


def _named(one: Outcome) -> str:
    return one.option.replace("_", " ")


def _saving(one: Outcome) -> str:
    return f"{_named(one)} saves in {one.saves:.0%} of draws, {one.npv.p50:,.0f} in the median (net present value)"


def _missing(work: Work, one: Outcome, margin: float) -> _Missing:
    """What rules 4 and 5 still ask of an option."""
    facts = work.facts
    leaving = _leaving(work, one)
    wanted: list[str] = []
    against = leaving.against
    proof = next((each for each in work.evidence if _about(each.option, one.option)), None)
    if proof is None:
        wanted.append(f"no quality was measured: freehold evals run {work.name or 'WORKFLOW'} --target CANDIDATE")
    elif proof.difference_low < -margin:
        against = against or f"quality may be worse by {-proof.difference_low * 100:.1f} points ({proof.source})"
    if one.option not in _OWNED and work.demand.span_seconds < DAY_SECONDS:
        seen = lasting(work.demand.span_seconds)
        wanted.append(f"the traffic covers {seen}: let calls be recorded for {LEAST_DAYS:g} days")
    if one.option in _OWNED:
        if facts.stable is False:
            against = against or "the task is not settled: what is moved now may not be what is asked next month"
        if facts.skills is False:
            against = against or "there are no people who can run models"
        if facts.fine_tuning and proof is None:
            wanted.append("an open model needs fine-tuning here: freehold moves start")
        if facts.days is None or facts.days < LEAST_DAYS:
            seen = "an unknown time" if facts.days is None else f"{facts.days:.1f} days"
            wanted.append(f"the traffic covers {seen}: let calls be recorded for {LEAST_DAYS:g} days")
        if facts.stable is None:
            wanted.append("nobody knows whether the task is settled: freehold workflows discover")
        if facts.skills is None:
            wanted.append("nobody said whether there are people who can run models: [plan] skills")
    return _Missing(against, (*wanted, *leaving.unknown))


def lent(work: Work, one: Outcome) -> Vendor | None:
    """Who takes a workflow's content in an option; None where nobody does, or no label is known."""
    if one.option == "self_hosted" or not work.facts.label:
        return None
    model = (*work.hosted, work.now)[0].model if one.option == "hybrid" else one.variant
    return next((vendor for vendor in work.vendors if vendor.model == model), None)


def _leaving(work: Work, one: Outcome) -> _Missing:
    """What stands against content going to another party than now."""
    vendor = lent(work, one)
    if vendor is not None:
        return _Missing(f"its label may not go there: {vendor.lacks[0]}" if vendor.lacks else "", ())
    same = one.variant.partition("/")[0] == work.now.model.partition("/")[0]
    if one.option == "self_hosted" or same or work.facts.rented_allowed:
        return _Missing("", ())
    return _Missing("", (f"nobody said how sensitive it is: label of {work.name or 'the workflow'} in [plan]",))


def _about(measured: OptionKind, option: OptionKind) -> bool:
    """What was measured of an owned model holds for a hybrid of it."""
    return measured == option or (measured == "self_hosted" and option == "hybrid")


_MEASURES = (
    ("passed/", "freehold evals run WORKFLOW --target CANDIDATE"),
    ("relative_pass_rate", "freehold evals run WORKFLOW --target CANDIDATE"),
    ("incumbent_pass_rate", "freehold evals run WORKFLOW --target INCUMBENT --reference annotations"),
    ("output_ratio", "tokens a task of the candidate: freehold evals run WORKFLOW --target CANDIDATE"),
    ("speed", "one or two points on the machine itself: freehold probe URL"),
    ("rent", "a quote for the machines: [plan] rents"),
    ("price/", "a quote from the vendor: [plan] prices"),
    ("platform_fte", "how many people would run it: [plan] assumptions"),
    ("fte_cost", "what a person costs: [plan] assumptions"),
    ("traffic_growth", "your forecast of the traffic: [plan] assumptions"),
)


def measurement(factor: str) -> str:
    """What narrows a factor."""
    told = next((what for start, what in _MEASURES if factor.startswith(start)), f"{factor}: [plan] assumptions")
    return told if factor in told else f"{factor} - {told}"


def _factors(work: Work, outcomes: dict[OptionKind, Outcome]) -> tuple[Factor, ...]:
    facts = work.facts
    nothing = outcomes["nothing"]
    best = max((one for option, one in outcomes.items() if option != "nothing"), key=lambda one: one.saves)
    owned = outcomes["self_hosted"]
    proofs = ", ".join(f"{one.option.replace('_', ' ')} {one.passed.p50:.0%} ({one.source})" for one in work.evidence)
    return (
        _volume(work, nothing, best),
        _said("label", facts.label, _not(facts.rented_allowed), "freehold policy table", "label"),
        _said(
            "stability",
            None if facts.stable is None else ("settled" if facts.stable else "still changing"),
            facts.stable,
            "freehold workflows discover",
            "stable",
        ),
        _said(
            "days seen",
            None if facts.days is None else f"{facts.days:.1f}",
            None if facts.days is None else facts.days >= LEAST_DAYS,
            "let calls be recorded",
            "days",
        ),
        Factor(
            name="quality evidence",
            value=proofs or "none",
            says="open" if not proofs else "for",
            measure="" if proofs else "freehold evals run WORKFLOW --target CANDIDATE",
            override="evidence",
        ),
        Factor(
            name="latency",
            value=f"self-hosted keeps the SLO ({work.slo.ttft_seconds:g} s, {work.slo.tpot_seconds:g} s a token)"
            if owned.meets
            else owned.why,
            says="for" if owned.meets else "against",
        ),
        _said("skills", None if facts.skills is None else _yes(facts.skills), facts.skills, "say so", "skills"),
        _said(
            "fine-tuning need",
            None if facts.fine_tuning is None else _yes(facts.fine_tuning),
            _not(facts.fine_tuning),
            "freehold evals run WORKFLOW --target CANDIDATE",
            "fine_tuning",
        ),
        _said(
            "refusals by the incumbent",
            None if facts.refusals is None else f"{facts.refusals:.1%}",
            None if facts.refusals is None else facts.refusals > REFUSALS,
            "freehold usage",
            "refusals",
        ),
    )


def _volume(work: Work, nothing: Outcome, best: Outcome) -> Factor:
    under = rests(work.demand)
    if not under.enough:
        return Factor(name="volume", value=under.words, says="open", measure=under.measure, override="trace")
    value = f"{work.demand.requests:,.0f} calls a month; doing nothing costs {nothing.monthly.p50:,.0f}"
    return Factor(name="volume", value=value, says="for" if best.saves >= SURE else "against")


def _said(name: str, value: str | None, favours: bool | None, measure: str, field: str) -> Factor:
    if value is None:
        return Factor(name=name, value="unknown", says="open", measure=measure, override=field)
    says = "-" if favours is None else ("for" if favours else "against")
    return Factor(name=name, value=value, says=says, override=field)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value
