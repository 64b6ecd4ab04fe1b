"""One plan as its page shows it: rows and charts out of what the management API said. Pure.

Invariant: a saving that the plan does not state is not shown; every chart has its figures in a table beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from markupsafe import Markup

from freehold.server.console import charts
from freehold.server.console.charts import Bar, Line
from freehold.server.console.words import NONE

OPTIONS = {
    "nothing": "Do nothing",
    "closed": "Another closed model",
    "hosted_open": "Hosted open model",
    "self_hosted": "Self-hosted",
    "hybrid": "Hybrid",
}
ADVICE = {
    "stay": ("Do not migrate", "info"),
    "hosted_open": ("Move to a hosted open model", "good"),
    "own": ("Own it", "good"),
    "hybrid": ("Own the base, overflow to an API", "good"),
    "not_yet": ("Not yet", "warn"),
}
UNSTATED = "not stated"
_OWNED = ("self_hosted", "hybrid")
_MOST_DRIVERS = 8
_ROWS = 12
_POINTS = 150
"""Of a chart over time, at most twice as many."""
FEW = 3
"""Workflows that one page shows whole."""


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One of the five, in words."""

    name: str
    variant: str
    month: tuple[str, str]
    """All in: P50, and P10 to P90; as are the next three, and `npv`."""
    upfront: tuple[str, str]
    million: tuple[str, str]
    task: tuple[str, str]
    passed: str
    npv: tuple[str, str]
    saves: str
    payback: str
    meets: bool
    why: str
    chosen: bool


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of fleet over the time of the trace, and over volumes."""

    kind: str
    chart: Markup | None
    moments: tuple[tuple[str, ...], ...]
    """Of the chart, a dozen."""
    stairs: tuple[tuple[str, ...], ...]
    main: bool
    """Whether it is the one the best variant has."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow, or all together."""

    name: str
    advice: tuple[str, str] | None
    reason: str
    decides: tuple[str, ...]
    rests: str
    options: tuple[Option, ...]
    costs: Markup
    values: Markup | None
    """Net present values; None where none is stated."""
    tornado: Markup | None
    tornado_of: str
    drivers: tuple[tuple[str, ...], ...]
    cash: Markup | None
    months: tuple[tuple[str, ...], ...]
    """Of the chart: month, P10, P50, P90."""
    factors: tuple[dict[str, str], ...]
    fleets: tuple[Fleet, ...]


class Short(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow in a line."""

    name: str
    advice: tuple[str, str] | None
    reason: str
    now: str
    """A month of doing nothing, median."""
    then: str
    """A month as advised, median."""
    value: str


def parts(plan: Mapping[str, Any], wanted: str = "") -> tuple[Part, ...]:
    """Every workflow, and all together where there are several; of many only the wanted one, or all together."""
    currency = plan["inputs"]["contract"]["currency"]
    every = [(one, work["staircases"]) for one, work in zip(plan["workflows"], plan["inputs"]["works"], strict=True)]
    if len(every) > 1:
        every.append((plan["together"], plan["inputs"]["shared"]))
    if wanted or len(every) > FEW + 1:
        chosen = [pair for pair in every if pair[0]["name"] == wanted]
        every = chosen or every[-1:]
    return tuple(_part(one, currency, staircases) for one, staircases in every)


def shorts(plan: Mapping[str, Any]) -> tuple[Short, ...]:
    """Every workflow in a line."""
    return tuple(_short(one) for one in plan["workflows"])


def _short(one: Mapping[str, Any]) -> Short:
    decision = one["decision"] or {}
    bests = {choice["best"]["option"]: choice["best"] for choice in one["options"]}
    option = "nothing" if decision.get("advice") == "not_yet" else decision.get("option", "nothing")
    best = bests[option]
    value = UNSTATED if not best["stated"] else NONE if option == "nothing" else amount(best["npv"]["p50"])
    return Short(
        name=one["name"],
        advice=advised(decision.get("advice"), decision.get("option")),
        reason=decision.get("reason", ""),
        now=amount(bests["nothing"]["all_in"]["p50"]),
        then=amount(best["all_in"]["p50"]),
        value=value,
    )


def amount(value: float) -> str:
    """Money with as many digits as its size needs."""
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:,.4g} M"
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:,.2f}" if size >= 1 else f"{value:.3g}"


def ranged(one: Mapping[str, float]) -> tuple[str, str]:
    """The median; and what holds eight in ten draws, empty where it is one figure."""
    same = one["p10"] == one["p90"]
    return amount(one["p50"]), "" if same else f"{amount(one['p10'])} to {amount(one['p90'])}"


def spread(one: Mapping[str, float]) -> str:
    """The same in one line."""
    middle, rest = ranged(one)
    return f"{middle} ({rest})" if rest else middle


def advised(advice: str | None, option: str | None) -> tuple[str, str] | None:
    """The advice in words, and the kind of its badge."""
    if advice is None:
        return None
    if advice == "stay" and option == "closed":
        return "Stay rented, with another closed model", "info"
    return ADVICE.get(advice, (advice, "plain"))


def _part(one: Mapping[str, Any], currency: str, staircases: Sequence[Mapping[str, Any]]) -> Part:
    decision = one["decision"] or {}
    bests = [choice["best"] for choice in one["options"]]
    wanted = decision.get("option")
    looked = _looked_at(bests, wanted)
    drivers = looked["drivers"][:_MOST_DRIVERS] if looked else []
    stated = [best for best in bests if best["stated"] and best["option"] != "nothing"]
    kind = str(looked["variant"]).partition(" ")[0] if looked and looked["option"] in _OWNED else ""
    return Part(
        name=one["name"],
        advice=advised(decision.get("advice"), wanted),
        reason=decision.get("reason", ""),
        decides=tuple(decision.get("decides", ())),
        rests=one["rests"]["words"],
        options=tuple(_option(best, wanted) for best in bests),
        costs=charts.intervals(
            f"A month of {one['name']}, all in, {currency}: P10, P50 and P90",
            [_bar(best, best["all_in"], wanted) for best in bests],
        ),
        values=charts.intervals(
            f"What moving {one['name']} is worth, {currency}: net present value against doing nothing",
            [_bar(best, best["npv"], wanted) for best in stated],
        )
        if stated
        else None,
        tornado=_tornado(looked, drivers, currency) if looked and drivers else None,
        tornado_of=OPTIONS.get(looked["option"], "").lower() if looked else "",
        drivers=tuple(
            (driver["factor"], f"{driver['correlation']:+.2f}", amount(driver["low"]), amount(driver["high"]))
            for driver in drivers
        ),
        cash=_cash(looked, currency) if looked and looked["cash"] else None,
        months=_months(looked["cash"]) if looked else (),
        factors=tuple(decision.get("factors", ())),
        fleets=tuple(_fleet(stairs, kind) for stairs in staircases),
    )


def _looked_at(bests: Sequence[Mapping[str, Any]], wanted: str | None) -> Mapping[str, Any] | None:
    """The option the advice is about; where that is doing nothing, the likeliest to save of those that would do."""
    stated = [best for best in bests if best["stated"] and best["option"] != "nothing"]
    found = next((best for best in stated if best["option"] == wanted), None)
    doing = [best for best in stated if best["meets"]] or stated
    return found or max(doing, key=lambda best: (best["saves"], best["npv"]["p50"]), default=None)


def _bar(best: Mapping[str, Any], value: Mapping[str, float], wanted: str | None) -> Bar:
    name = OPTIONS[best["option"]]
    kind = 1 if best["option"] == wanted else 3
    return Bar(name, value["p50"], amount(value["p50"]), value["p10"], value["p90"], kind)


def _option(best: Mapping[str, Any], wanted: str | None) -> Option:
    said = best["stated"] and best["option"] != "nothing"
    none = UNSTATED if not best["stated"] else NONE
    return Option(
        name=OPTIONS[best["option"]],
        variant=best["variant"],
        month=ranged(best["all_in"]),
        upfront=ranged(best["upfront"]),
        million=ranged(best["per_million"]),
        task=ranged(best["per_passed"]),
        passed=f"{best['passed']['p50']:.0%}",
        npv=ranged(best["npv"]) if said else (none, ""),
        saves=f"{best['saves']:.0%}" if said else none,
        payback=_payback(best["payback_months"]) if said else none,
        meets=best["meets"],
        why=best["why"],
        chosen=best["option"] == wanted,
    )


def _payback(found: Sequence[float | None]) -> str:
    low, middle, high = (("never" if one is None else f"{one:.0f}") for one in found)
    unit = " month" if middle == "1" else " months"
    told = middle if middle == "never" else middle + unit
    return told if low == high == middle else f"{told} ({low} to {high})"


def _tornado(best: Mapping[str, Any], drivers: Sequence[Mapping[str, Any]], currency: str) -> Markup:
    bars = []
    for driver in drivers:
        low, high = sorted((driver["low"], driver["high"]))
        name = driver["factor"].replace("_", " ")
        bars.append(Bar(name, best["npv"]["p50"], f"{driver['correlation']:+.2f}", low, high, 3))
    return charts.tornado(f"What the value of {OPTIONS[best['option']].lower()} hangs on, {currency}", bars)


def _cash(best: Mapping[str, Any], currency: str) -> Markup:
    rows = best["cash"]
    named = (("P50", 1), ("P10", 0), ("P90", 2))
    series = [Line(name, tuple(row[at] for row in rows)) for name, at in named]
    title = f"Saved so far by month, {OPTIONS[best['option']].lower()}, {currency}, discounted"
    return charts.lines(title, [float(at) for at in range(len(rows))], series)


def _months(rows: Sequence[Sequence[float]]) -> tuple[tuple[str, ...], ...]:
    """About a dozen of them, the last among them."""
    every = max(len(rows) // _ROWS, 1)
    at = sorted({*range(0, len(rows), every), len(rows) - 1} if rows else set())
    return tuple((str(one), *(amount(value) for value in rows[one])) for one in at)


def _fleet(stairs: Mapping[str, Any], kind: str) -> Fleet:
    rows = tuple(
        (
            f"{one['volume']:g} x",
            f"{one['replicas']:,}",
            f"{one['replicas'] * stairs['gpus_per_replica']:,}",
            f"{one['utilisation']:.0%}",
            f"{one['ttft'][2]:.2f} s",
            "yes" if one["meets"] else f"no: {one['why']}",
        )
        for one in stairs["stairs"]
    )
    points = stairs["timeline"]
    moments = tuple(
        (f"{at / 3600.0:.2f}", f"{count:,}", f"{use:.0%}", f"{over:.0%}")
        for at, count, use, over in points[:: max(len(points) // _ROWS, 1)]
    )
    return Fleet(
        kind=stairs["kind"], chart=_over_time(stairs), moments=moments, stairs=rows, main=stairs["kind"] == kind
    )


def _over_time(stairs: Mapping[str, Any]) -> Markup | None:
    """Replicas in steps, and the load in replicas."""
    every = stairs["timeline"]
    points = every[:: max(len(every) // _POINTS, 1)]
    if not points:
        return None
    at: list[float] = []
    replicas: list[float] = []
    load: list[float] = []
    for index, (moment, count, use, _over) in enumerate(points):
        if index and points[index - 1][1] != count:
            at.append(moment / 3600.0)
            replicas.append(float(points[index - 1][1]))
            load.append(points[index - 1][1] * points[index - 1][2])
        at.append(moment / 3600.0)
        replicas.append(float(count))
        load.append(count * use)
    title = f"The {stairs['kind']} fleet over the trace's {points[-1][0] / 3600.0:.1f} hours: replicas"
    return charts.lines(title, at, [Line("replicas", tuple(replicas)), Line("load, in replicas", tuple(load))])
