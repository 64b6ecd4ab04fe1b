"""The report for who pays: five options with ranges, what drives them, cash, break-even, what must be true. Pure."""

from __future__ import annotations

from freehold.planner.decide import EVEN
from freehold.planner.money import Outcome
from freehold.planner.plan import Plan, Planned
from freehold.planner.report.front import foot, front
from freehold.planner.report.parts import Bar, Bars, Line, Lines, Report, Section, Table
from freehold.planner.report.words import (
    OPTION_WORDS,
    UNSTATED,
    amount,
    chance,
    gain,
    paybacks,
    running,
    share,
    spread,
    work,
)

_ALL_IN = (
    "A month, all in, is everything over the horizon: tokens and machines, people, and the move itself.",
    "A model with lower prices may be dearer all in, where there is little traffic to save on.",
)


def cfo(plan: Plan, digest: str) -> Report:
    """The whole report."""
    sections = [front(plan), _options(plan, plan.together)]
    if len(plan.workflows) > 1:
        sections += [_options(plan, one) for one in plan.workflows]
    for one in plan.workflows:
        if not one.rests.enough:
            continue
        best = best_of(one)
        sections += [_cash(plan, one.name, best), _tornado(plan, one.name, best), _crossing(plan, one)]
    sections += [_parts(plan), _must(plan), _assumptions(plan)]
    return Report(
        title="What to own, in money",
        reader="For the CFO: five options, their ranges, and what they hang on.",
        sections=tuple(sections),
        foot=foot(plan, digest),
    )


def best_of(one: Planned) -> Outcome:
    """What the advice is about; else the option with the greatest median net present value."""
    option = one.decision.option if one.decision is not None else "nothing"
    found = [choice.best for choice in one.options]
    chosen = next(each for each in found if each.option == option)
    if option != "nothing":
        return chosen
    return max((each for each in found if each.option != "nothing"), key=lambda each: each.npv.p50)


def _options(plan: Plan, one: Planned) -> Section:
    currency = plan.inputs.contract.currency
    outcomes = [choice.best for choice in one.options]
    bars = tuple(
        Bar(OPTION_WORDS[each.option].partition(":")[0], each.all_in.p10, each.all_in.p50, each.all_in.p90)
        for each in outcomes
    )
    heads = (
        "option",
        "best as",
        f"{currency} a month, all in",
        "net present value",
        "saves in",
        "paid back",
        "tokens and machines",
        "people and moving",
        "at the beginning",
        "per million tokens",
        "per passed task",
        "pass rate",
    )
    rows = tuple(
        (
            OPTION_WORDS[each.option].partition(":")[0],
            each.variant + ("" if each.meets else f" - would not do: {each.why}"),
            spread(each.all_in),
            "-" if each.option == "nothing" else gain(each),
            "-" if each.option == "nothing" else chance(each),
            _payback(each),
            running(each, plan.inputs.months),
            work(each, plan.inputs.months),
            spread(each.upfront),
            spread(each.per_million),
            spread(each.per_passed),
            share(each.passed.p50),
        )
        for each in outcomes
    )
    return Section(
        heading=f"Five options: {one.name}",
        text=_ALL_IN if one is plan.together else (),
        red=() if one.rests.enough else (f"{one.rests.words}: no saving is stated",),
        chart=Bars(label=f"Monthly cost of five options, {one.name}", unit=f"{currency} a month", bars=bars),
        table=Table(heads, rows),
    )


def _payback(one: Outcome) -> str:
    if one.option == "nothing":
        return "-"
    return paybacks(one.payback_months) if one.stated else UNSTATED


def _cash(plan: Plan, name: str, best: Outcome) -> Section:
    months = tuple(float(at) for at in range(len(best.cash)))
    low, middle, high = (tuple(one[at] for one in best.cash) for at in range(3))
    every = [at for at in range(len(months)) if at % 6 == 0 or at == len(months) - 1]
    return Section(
        heading=f"Cash flow: {name}, {OPTION_WORDS[best.option]}",
        text=("Cumulative discounted saving against doing nothing; below zero it has not paid back.",),
        chart=Lines(
            label=f"Cumulative discounted saving of {name}",
            x_name="months",
            y_name=plan.inputs.contract.currency,
            x=months,
            lines=(Line("median, with P10 to P90", middle, low, high),),
        ),
        table=Table(
            ("month", "P10", "P50", "P90"),
            tuple((f"{at}", *(amount(one) for one in best.cash[at])) for at in every),
        ),
    )


def _tornado(plan: Plan, name: str, best: Outcome) -> Section:
    bars = tuple(Bar(one.factor, min(one.low, one.high), best.npv.p50, max(one.low, one.high)) for one in best.drivers)
    rows = tuple((one.factor, f"{one.correlation:+.2f}", amount(one.low), amount(one.high)) for one in best.drivers)
    return Section(
        heading=f"What it hangs on: {name}, {OPTION_WORDS[best.option]}",
        text=(
            "Median net present value where a factor is in its lowest and in its highest tenth; by rank correlation.",
        ),
        chart=Bars(label=f"Tornado of {name}", unit=plan.inputs.contract.currency, bars=bars, tornado=True)
        if bars
        else None,
        table=Table(("factor", "correlation", "where low", "where high"), rows),
    )


def _crossing(plan: Plan, one: Planned) -> Section:
    found = one.break_even
    assert found is not None, "every single workflow has one"
    text = [
        f"Owning stays the cheapest from {found.owned_from:.2g} times the traffic of the trace on."
        if found.owned_from is not None
        else "Owning is never the cheapest for good, up to 20 times the traffic of the trace."
    ]
    if found.crossings:
        text.append(
            "The cheapest option changes at: "
            + "; ".join(
                f"{volume:.2g} times, from {OPTION_WORDS[before]} to {OPTION_WORDS[after]}"
                for volume, before, after in found.crossings
            )
        )
    else:
        text.append("The cheapest option is the same at every volume that was looked at.")
    names = [name for name in OPTION_WORDS if name in found.monthly]
    lines = tuple(
        Line(OPTION_WORDS[name], found.monthly[name], steps=name in ("self_hosted", "hybrid")) for name in names
    )
    every = range(0, len(found.volumes), 4)
    rows = tuple((f"{found.volumes[at]:.2g}", *(amount(found.monthly[name][at]) for name in names)) for at in every)
    return Section(
        heading=f"Break-even: {one.name}",
        text=tuple(text),
        chart=Lines(
            label=f"Monthly cost over volume, {one.name}",
            x_name="times the traffic of the trace",
            y_name=f"{plan.inputs.contract.currency} a month, all in",
            x=found.volumes,
            lines=lines,
            log_x=True,
            log_y=True,
        ),
        table=Table(("volume", *(OPTION_WORDS[name] for name in names)), rows),
    )


def _parts(plan: Plan) -> Section:
    rows = []
    for choice in plan.together.options:
        best = choice.best
        rows += [(OPTION_WORDS[best.option], one.what, amount(one.monthly), "a month") for one in best.parts]
        rows += [(OPTION_WORDS[best.option], one.what, amount(one.monthly), "once") for one in best.once]
    return Section(
        heading="What each option is made of",
        text=("Medians, all workflows together. Medians of parts do not add up to the median of their sum.",),
        table=Table(("option", "part", plan.inputs.contract.currency, ""), tuple(rows)),
    )


def _must(plan: Plan) -> Section:
    """For what is advised: the strongest factors, and the side on which they must fall."""
    rows = []
    for one in plan.workflows:
        if not one.rests.enough:
            rows.append((one.name, "the traffic", "be seen for longer", f"nothing is stated: {one.rests.words}"))
            continue
        best = best_of(one)
        if best.saves < EVEN:
            rows.append((one.name, "nothing: no option is likely to save", "-", "-"))
            continue
        for driver in best.drivers[:5]:
            side = "high" if driver.correlation > 0 else "low"
            worst = min(driver.low, driver.high)
            verdict = "still saves" if worst > 0 else "no longer saves"
            rows.append((one.name, driver.factor, f"not fall on the wrong side ({side} is good)", f"{verdict} there"))
    return Section(
        heading="What must be true",
        text=("The saving rests on these; where one falls into its worst tenth, this is what becomes of it.",),
        table=Table(("workflow", "factor", "must", "in its worst tenth it"), tuple(rows)),
        red=plan.red,
    )


def _assumptions(plan: Plan) -> Section:
    rows = tuple(
        (one.name, one.unit, f"{one.low:g}", f"{one.base:g}", f"{one.high:g}", one.source, one.as_of)
        for one in plan.inputs.assumptions
    )
    return Section(
        heading="Assumptions",
        text=("Each can be set in [plan] assumptions of freehold.toml.",),
        table=Table(("name", "unit", "low", "base", "high", "source", "as of"), rows),
    )
