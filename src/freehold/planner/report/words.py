"""Figures as people read them, the same in every report."""

from __future__ import annotations

from freehold.planner.money import Outcome
from freehold.planner.types import Advice, OptionKind, Range

OPTION_WORDS: dict[OptionKind, str] = {
    "nothing": "do nothing",
    "closed": "another closed model",
    "hosted_open": "hosted open model",
    "self_hosted": "self-hosted open model",
    "hybrid": "hybrid: own the base, overflow to an API",
}
ADVICE_WORDS: dict[Advice, str] = {
    "stay": "stay",
    "hosted_open": "hosted open",
    "own": "own",
    "hybrid": "hybrid",
    "not_yet": "not yet",
}

UNSTATED = "not stated"
WORK = ("people", "training again")
"""Parts of running costs that are people's, not the traffic's."""


def amount(value: float) -> str:
    """Money with as many digits as its size needs."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 1:
        return f"{value:,.2f}"
    return f"{value:.3g}"


def spread(one: Range) -> str:
    """Median, and the range that holds eight in ten draws."""
    if one.p10 == one.p90:
        return amount(one.p50)
    return f"{amount(one.p50)} ({amount(one.p10)} to {amount(one.p90)})"


def share(value: float) -> str:
    """A share in percent."""
    return f"{value:.0%}" if abs(value) >= 0.1 or value == 0 else f"{value:.1%}"


def counted(number: float, noun: str) -> str:
    """A whole number of things: one month, but two months."""
    said = f"{number:.0f}"
    return f"{said} {noun}" if said == "1" else f"{said} {noun}s"


def months(value: float | None) -> str:
    """A payback."""
    return "not within the horizon" if value is None else counted(value, "month")


def paybacks(found: tuple[float | None, float | None, float | None]) -> str:
    """Median, and the range, which is left out where it is none."""
    low, middle, high = found
    if middle is None:
        return "never" if low is None else f"never in the median; {counted(low, 'month')} at best"
    said = [("never" if one is None else f"{one:.0f}") for one in (low, high)]
    if said[0] == said[1] == f"{middle:.0f}":
        return counted(middle, "month")
    return f"{counted(middle, 'month')} ({said[0]} to {said[1]})"


def gain(one: Outcome) -> str:
    """Net present value, where it is stated."""
    return spread(one.npv) if one.stated else UNSTATED


def chance(one: Outcome) -> str:
    """That it saves, where it is stated."""
    return share(one.saves) if one.stated else UNSTATED


def running(one: Outcome, months: int) -> str:
    """Tokens, machines and what else grows with use, of a month: medians, without people; what is bought is spread."""
    bought = sum(part.monthly for part in one.once if part.what == "hardware")
    return amount(sum(part.monthly for part in one.parts if part.what not in WORK) + bought / months)


def work(one: Outcome, months: int) -> str:
    """People and the move itself, of a month: medians spread over the horizon."""
    once = sum(part.monthly for part in one.once if part.what != "hardware")
    return amount(sum(part.monthly for part in one.parts if part.what in WORK) + once / months)
