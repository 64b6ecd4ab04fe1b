"""What all three reports begin with: one screen with a recommendation for each workflow, and its reason. Pure."""

from __future__ import annotations

from freehold.planner.plan import Plan, Planned
from freehold.planner.report.parts import Section, Table
from freehold.planner.report.words import ADVICE_WORDS, amount, counted, share, spread


def front(plan: Plan) -> Section:
    """The first screen."""
    rows = []
    for one in plan.workflows:
        decision = one.decision
        assert decision is not None
        rows.append((one.name, ADVICE_WORDS[decision.advice], decision.reason))
    return Section(
        heading="Recommendation",
        text=_money(plan) if plan.advised.stated else _too_little(plan),
        table=Table(("workflow", "advice", "reason"), tuple(rows)),
        red=tuple(f"{one.name}: {one.rests.words}" for one in plan.workflows if not one.rests.enough),
    )


def _too_little(plan: Plan) -> tuple[str, ...]:
    found = plan.together.rests
    return (
        f"Nothing can be decided yet: {found.words}. No saving is stated, and the costs further down are no forecast.",
        f"What would decide: {found.measure}.",
    )


def _money(plan: Plan) -> tuple[str, ...]:
    advised, currency = plan.advised, plan.inputs.contract.currency
    nothing = plan.together.options[0].best
    found = plan.together.rests.words
    rest = f"{found[:1].upper()}{found[1:]}."
    now = (
        f"Doing nothing costs {spread(nothing.all_in)} {currency} a month, all in, "
        f"over {counted(plan.inputs.months, 'month')}. "
    )
    if not any(_changes(one) for one in plan.workflows):
        return (f"{now}The advice is to change nothing now.", rest)
    costs = (
        f"{now}"
        f"Following the advice costs {spread(advised.all_in)} a month, all in; "
        f"{amount(advised.upfront.p50)} is paid at the beginning."
    )
    gains = (
        f"Its net present value against doing nothing is {spread(advised.npv)} {currency}; "
        f"it saves in {share(advised.saves)} of draws."
    )
    return (costs, gains, rest)


def _changes(one: Planned) -> bool:
    decision = one.decision
    return decision is not None and decision.advice != "not_yet" and decision.option != "nothing"


def foot(plan: Plan, digest: str) -> str:
    """The last line."""
    return (
        f"Plan {digest[:16]} of {plan.inputs.made_on}; {plan.inputs.draws:,} draws with seed {plan.inputs.seed}. "
        "Ranges are P10 to P90. To check it: freehold plan show FILE"
    )
