"""The report for who answers for safety: label, where each workflow may run and why, terms, residual risk. Pure."""

from __future__ import annotations

from freehold.planner.decide import lent
from freehold.planner.money import Outcome
from freehold.planner.plan import Plan, Planned
from freehold.planner.report.front import foot, front
from freehold.planner.report.parts import Report, Section, Table
from freehold.planner.report.words import ADVICE_WORDS, OPTION_WORDS
from freehold.planner.work import Work

_RISKS = {
    "nothing": "content goes on leaving to the vendor; the vendor may retire the model or change its terms",
    "closed": "content leaves to a vendor; its terms must cover the label",
    "hosted_open": "content leaves to another party, whose papers must be read; the weights can be had elsewhere",
    "self_hosted": "content stays; weights, engine and people's access are yours to answer for",
    "hybrid": "content stays but for what overflows: that leaves to an API, under its terms",
}


def ciso(plan: Plan, digest: str) -> Report:
    """The whole report."""
    works = plan.inputs.works
    return Report(
        title="What to own, and where it may run",
        reader="For the CISO: labels, where each workflow may run and why, vendors' terms, and the risk that stays.",
        sections=(front(plan), _labels(plan), _places(works, plan), _terms(works), _risks(plan)),
        foot=foot(plan, digest),
    )


def _labels(plan: Plan) -> Section:
    rows = []
    for planned, work in zip(plan.workflows, plan.inputs.works, strict=True):
        rented = {None: "not known", True: "yes", False: "no"}[work.facts.rented_allowed]
        decision = planned.decision
        advice = ADVICE_WORDS[decision.advice] if decision is not None else "-"
        rows.append((work.name, work.facts.label or "unknown: counts as the top level", rented, advice))
    unknown = tuple(f"{one.name}: nobody said how sensitive it is" for one in plan.inputs.works if not one.facts.label)
    return Section(
        heading="Labels",
        table=Table(("workflow", "label", "may a rented target take it", "advice"), tuple(rows)),
        red=unknown,
    )


def _places(works: tuple[Work, ...], plan: Plan) -> Section:
    rows = [
        (work.name, OPTION_WORDS[choice.best.option], *_place(work, choice.best))
        for work, planned in zip(works, plan.workflows, strict=True)
        for choice in planned.options
    ]
    return Section(
        heading="Where each may run, and why",
        text=("To see it target by target: freehold policy table. To see one decision: freehold policy explain.",),
        table=Table(("workflow", "option", "may run there", "because"), tuple(rows)),
    )


def _place(work: Work, best: Outcome) -> tuple[str, str]:
    if best.option == "self_hosted":
        return "yes", "it runs on machines of your own"
    if work.facts.rented_allowed is False:
        return "no", "no rented target may take the label"
    vendor = lent(work, best)
    if vendor is None and work.facts.label:
        return "not known", "nothing was looked up of who serves it"
    if vendor is None:
        return "not known", "nobody said how sensitive it is: label of the workflow in [plan]"
    return ("no", "; ".join(vendor.lacks)) if vendor.lacks else ("yes", "nothing the label needs is lacking")


def _terms(works: tuple[Work, ...]) -> Section:
    rows = [
        (
            work.name,
            one.model,
            one.offering or "-",
            one.attribute,
            one.need or "-",
            one.value or "unknown",
            {True: "covered", False: "NOT covered", None: "-"}[one.covered],
            one.source,
        )
        for work in works
        for vendor in work.vendors
        for one in vendor.terms
    ]
    return Section(
        heading="Vendors' terms against the need",
        text=(
            "A contract stands before what is public: contracts in [policy] of freehold.toml. This is no legal advice.",
            "What is not known counts as not allowed.",
        ),
        table=Table(("workflow", "model", "offering", "attribute", "need", "known", "", "from"), tuple(rows)),
    )


def _risks(plan: Plan) -> Section:
    rows = [_risk(planned, work) for planned, work in zip(plan.workflows, plan.inputs.works, strict=True)]
    return Section(heading="Risk that stays", table=Table(("workflow", "where it would run", "risk"), tuple(rows)))


def _risk(planned: Planned, work: Work) -> tuple[str, str, str]:
    option = planned.decision.option if planned.decision is not None else "nothing"
    if planned.decision is not None and planned.decision.advice == "not_yet":
        option = "nothing"
    best = next(one.best for one in planned.options if one.best.option == option)
    vendor = lent(work, best)
    more = f"; {'; '.join(vendor.lacks)}" if vendor is not None and vendor.lacks else ""
    return (work.name, OPTION_WORDS[option], _RISKS[option] + ("" if option == "self_hosted" else more))
