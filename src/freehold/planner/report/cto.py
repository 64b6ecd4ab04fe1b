"""The report for who runs it: fleets over time, SLO, bill of materials, what binds, what a probe would narrow. Pure."""

from __future__ import annotations

import msgspec

from freehold.planner.plan import Plan
from freehold.planner.report.front import foot, front
from freehold.planner.report.parts import Line, Lines, Report, Section, Table
from freehold.planner.report.words import UNSTATED, amount, share, spread
from freehold.planner.rests import lasting
from freehold.planner.work import Staircase, Work

_ROWS = 12
_WAYS = {
    "apart": "a fleet each",
    "adapters": "adapters on one base",
    "together": "several models on one machine",
}


def cto(plan: Plan, digest: str) -> Report:
    """The whole report."""
    sections = [front(plan), _traffic(plan), _materials(plan), _rents(plan), *_packings(plan)]
    for work in plan.inputs.works:
        sections += [_over_time(work, stairs) for stairs in work.staircases if stairs.timeline]
        sections.append(_slo(work))
        sections.append(_stairs(work))
    sections += [_binding(plan), _narrow(plan)]
    return Report(
        title="What to own, on which machines",
        reader="For the CTO: fleets from a simulation of the traffic itself, and what they owe callers.",
        sections=tuple(sections),
        foot=foot(plan, digest),
    )


def _traffic(plan: Plan) -> Section:
    rows = tuple(
        (
            one.name,
            f"{one.demand.requests:,.0f}",
            f"{one.demand.input / 1e6:,.1f}",
            f"{one.demand.output / 1e6:,.1f}",
            share(one.demand.cached / max(one.demand.input, 1e-9)),
            f"{planned.rests.calls:,} in {lasting(planned.rests.span_seconds)}",
            one.demand.trace,
        )
        for planned, one in zip(plan.workflows, plan.inputs.works, strict=True)
    )
    heads = ("workflow", "calls a month", "million in", "million out", "cached", "rests on", "trace")
    return Section(heading="Traffic", table=Table(heads, rows))


def _materials(plan: Plan) -> Section:
    rows = []
    works = list(plan.inputs.works)
    if plan.inputs.shared:
        works.append(msgspec.structs.replace(works[0], name="all, sharing", staircases=plan.inputs.shared))
    for work in works:
        for stairs in work.staircases:
            now = next((one for one in stairs.stairs if one.volume == 1.0), stairs.stairs[-1])
            rows.append(
                (
                    work.name,
                    stairs.kind,
                    f"{work.owned.model}, {work.owned.precision}",
                    f"{now.replicas} x {stairs.gpus_per_replica} {work.owned.gpu}",
                    f"{now.hours * stairs.gpus_per_replica:,.0f}",
                    f"{spread(work.owned.hour.usd)} USD",
                )
            )
    heads = ("workflow", "fleet", "model", "machines at the peak", "GPU-hours a month", "a GPU-hour")
    return Section(
        heading="Bill of materials",
        text=(
            "Spare replicas and maintenance are in these figures.",
            "Sharing: one fleet for all workflows, each with an adapter of its own on one base model.",
        ),
        table=Table(heads, tuple(rows)),
    )


def _rents(plan: Plan) -> Section:
    known = {work.owned.gpu: work.owned.hour for work in plan.inputs.works}
    rows = tuple(
        (gpu, one.provider, one.region, one.sku, f"{one.usd_per_gpu_hour:.2f}", one.kind, f"{one.source}, {one.as_of}")
        for gpu, hour in sorted(known.items())
        for one in hour.rows
    )
    return Section(
        heading="What machines rent for",
        text=("US dollars for an hour of one accelerator; the range of a plan is from the least to the most of them.",),
        table=Table(("accelerator", "provider", "region", "offer", "USD", "kind", "from"), rows),
        red=tuple(f"{gpu}: {hour.usd.source}" for gpu, hour in sorted(known.items()) if hour.assumed),
    )


def _packings(plan: Plan) -> list[Section]:
    """Where there are several workflows: how they may share machines."""
    rows = tuple(
        (
            _WAYS.get(one.way, one.way),
            "; ".join(f"{names}: {count}" for names, count in one.groups) or "-",
            f"{one.gpu_hours:,.0f}" if one.meets else "-",
            "yes" if one.meets else f"no: {one.why}",
        )
        for one in plan.inputs.packings
    )
    if not rows:
        return []
    text = ("Static fleets, simulated. Several small workflows keep spare machines once instead of each.",)
    heads = ("way", "replicas at the peak", "GPU-hours a month", "keeps the SLO")
    return [Section(heading="Sharing machines", text=text, table=Table(heads, rows))]


def _over_time(work: Work, stairs: Staircase) -> Section:
    points = stairs.timeline
    hours = tuple(one[0] / 3600 for one in points)
    lines = [
        Line("replicas", tuple(float(one[1]) for one in points), steps=True),
        Line("load, in replicas", tuple(one[1] * one[2] for one in points)),
    ]
    every = range(0, len(points), max(len(points) // _ROWS, 1))
    rows = tuple((f"{hours[at]:.2f}", str(points[at][1]), share(points[at][2]), share(points[at][3])) for at in every)
    return Section(
        heading=f"The {stairs.kind} fleet over time: {work.name}",
        chart=Lines(
            label=f"Replicas and load, {work.name}, {stairs.kind}",
            x_name="hours of the trace",
            y_name="replicas",
            x=hours,
            lines=tuple(lines),
        ),
        table=Table(("hour", "replicas", "load", "overflowed"), rows),
    )


def _slo(work: Work) -> Section:
    rows = []
    for stairs in work.staircases:
        for one in stairs.stairs:
            if one.volume != 1.0:
                continue
            rows.append(
                (
                    stairs.kind,
                    share(one.attained) if one.meets else f"{share(one.attained)} - not kept: {one.why}",
                    " / ".join(f"{value:.2f}" for value in one.ttft),
                    " / ".join(f"{value * 1000:.0f}" for value in one.tpot),
                    share(one.utilisation),
                    share(one.overflow_output),
                )
            )
    slo = work.slo
    text = (
        f"Owed: {slo.share:.1%} of calls begin within {slo.ttft_seconds:g} s and go on within "
        f"{slo.tpot_seconds * 1000:g} ms a token."
    )
    heads = ("fleet", "within", "first token, s (P50/P95/P99)", "each token, ms", "busy", "overflow")
    return Section(heading=f"What callers get: {work.name}", text=(text,), table=Table(heads, tuple(rows)))


def _stairs(work: Work) -> Section:
    volumes = [one.volume for one in work.staircases[0].stairs] if work.staircases else []
    rows = tuple((f"{volume:g}", *(_replicas(stairs, volume) for stairs in work.staircases)) for volume in volumes)
    return Section(
        heading=f"Fleets over volume: {work.name}",
        text=("Peak replicas and replica-hours a month at multiples of the trace's traffic, each simulated.",),
        table=Table(("volume", *(stairs.kind for stairs in work.staircases)), rows),
    )


def _replicas(stairs: Staircase, volume: float) -> str:
    one = next((each for each in stairs.stairs if each.volume == volume), None)
    return "-" if one is None else f"{one.replicas} at the peak, {one.hours:,.0f} h"


def _binding(plan: Plan) -> Section:
    rows = []
    for work in plan.inputs.works:
        for stairs in work.staircases:
            why = next((one.why for one in stairs.stairs if one.why and one.volume == 1.0), "")
            now = next((one for one in stairs.stairs if one.volume == 1.0), None)
            if not why and now is not None:
                late = now.ttft[2] / work.slo.ttft_seconds
                slow = now.tpot[2] / work.slo.tpot_seconds
                what = "the first token" if late >= slow else "each further token"
                why = f"{what} is nearest to its limit: {max(late, slow):.0%} of it at P99"
            rows.append((work.name, stairs.kind, why))
    return Section(heading="What binds", table=Table(("workflow", "fleet", "bottleneck"), tuple(rows)))


def _narrow(plan: Plan) -> Section:
    """What is uncertain about the machines, and how far a measurement would bring it."""
    rows = []
    for planned, work in zip(plan.workflows, plan.inputs.works, strict=True):
        owned = next(one.best for one in planned.options if one.best.option == "self_hosted")
        speed = work.owned.speed
        driver = next((one for one in owned.drivers if one.factor == "speed"), None)
        weight = "little" if owned.stated else UNSTATED
        if driver is not None:
            weight = f"{driver.correlation:+.2f}; {amount(driver.low)} to {amount(driver.high)}"
        rows.append((work.name, f"{speed.p10:.2f} to {speed.p90:.2f} of the estimate", speed.source, weight))
    return Section(
        heading="What a probe would narrow",
        text=(
            "One or two measured points on the machine itself re-fit the estimate: freehold probe URL.",
            "Its weight: rank correlation with self-hosting's net present value, and that value at either end.",
        ),
        table=Table(("workflow", "speed", "from", "weight"), tuple(rows)),
    )
