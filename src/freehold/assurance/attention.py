"""What needs a person: one list over moves, budgets, advisories, retirements, models and people. Pure.

Each thing says what it is about, by which value against which bound, until when, and the command that deals with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

import msgspec

from freehold.assurance.errata.types import Match
from freehold.assurance.lifecycle import Ending
from freehold.moves.outline import Outline
from freehold.policy.authority import Standing

Kind = Literal["approval", "hold", "budget", "advisory", "retirement", "review", "break-glass", "settings", "error"]
NEAR = Decimal("0.8")
"""The part of a budget from which on it is told."""
_OPEN = ("affected", "unknown")


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that waits for somebody."""

    kind: Kind
    subject: str
    told: str
    metric: str = ""
    value: float | None = None
    bound: float | None = None
    """What `value` is held against."""
    due: str = ""
    """ISO date or time; empty where nothing says when."""
    urgent: bool = False
    page: str
    """Where it is dealt with, below the console's address."""
    command: str


def of_moves(moves: Iterable[Outline]) -> list[Need]:
    """Steps that wait for approval, and moves that are held, with what they are held by."""
    found: list[Need] = []
    for one in moves:
        page = f"/moves/{one.id}"
        if one.waiting:
            found.append(
                Need(
                    kind="approval",
                    subject=one.name,
                    told=f"the step to {one.waiting} waits for a person",
                    metric="evidence that it is not worse",
                    value=one.measured.evidence,
                    bound=1 / one.rule["alpha"] if one.rule.get("alpha") else None,
                    page=page,
                    command=f"freehold moves approve {one.name}",
                )
            )
        if one.held:
            nearest = max(one.bounds, key=lambda bound: bound.value / bound.bound if bound.bound else 0.0, default=None)
            found.append(
                Need(
                    kind="hold",
                    subject=one.name,
                    told=f"held: {one.held}",
                    metric=nearest.metric if nearest else "",
                    value=nearest.value if nearest else None,
                    bound=nearest.bound if nearest else None,
                    urgent=True,
                    page=page,
                    command=f"freehold moves show {one.name}",
                )
            )
    return found


def of_budgets(standings: Iterable[tuple[Standing, str]]) -> list[Need]:
    """Budgets of which most is spent or lent, each with the time it begins anew, as text."""
    found = []
    for one, resets in standings:
        used = one.spent + one.held
        if one.limit <= 0 or used < one.limit * NEAR:
            continue
        found.append(
            Need(
                kind="budget",
                subject=one.budget,
                told=f"{used / one.limit:.0%} of this {one.period}'s budget is spent or lent",
                metric="dollars spent or lent",
                value=float(used),
                bound=float(one.limit),
                due=resets,
                urgent=one.available <= 0,
                page="/keys#budgets",
                command="freehold usage --budgets",
            )
        )
    return found


def of_advisories(matches: Iterable[Match]) -> list[Need]:
    """What is affected, or may be: one entry for each advisory."""
    found: dict[str, list[Match]] = {}
    for one in matches:
        if one.standing in _OPEN:
            found.setdefault(one.advisory, []).append(one)
    return [
        Need(
            kind="advisory",
            subject=name,
            told=f"{', '.join(sorted({one.what for one in mine}))}: {_worst(mine)}",
            urgent=_worst(mine) == "affected",
            page="/errata",
            command=f"freehold errata show {name}",
        )
        for name, mine in found.items()
    ]


def of_endings(endings: Iterable[Ending]) -> list[Need]:
    """Targets whose vendor has said when they end, where a route leads to them and time runs short."""
    return [
        Need(
            kind="retirement",
            subject=one.target,
            told=f"{one.model} ends on {one.ends_on}" if one.ends_on else f"{one.model} has ended",
            metric="days left",
            value=None if one.days_left is None else float(one.days_left),
            due=one.ends_on,
            urgent=one.days_left is not None and one.days_left <= 0,
            page="/models#retirements",
            command=f"freehold lifecycle move {one.target}",
        )
        for one in endings
        if one.late and one.routes
    ]


def of_held(names: Iterable[str]) -> list[Need]:
    """Models that the gate let in no further than to a person."""
    return [
        Need(
            kind="review",
            subject=one,
            told="a model waits for review",
            page="/models#held",
            command=f"freehold models review {one}",
        )
        for one in names
    ]


def of_break_glass(asked: Iterable[tuple[str, str, str]]) -> list[Need]:
    """Rights that were asked for and that another person must approve: id, right, who asked."""
    return [
        Need(
            kind="break-glass",
            subject=right,
            told=f"asked for by {who}",
            urgent=True,
            page="/config#people",
            command=f"freehold people break-glass approve {name}",
        )
        for name, right, who in asked
    ]


def of_settings(problems: int, restart: Iterable[str]) -> list[Need]:
    """A newer freehold.toml that was refused, or that counts after a restart only."""
    found, tables = [], ", ".join(f"[{one}]" for one in restart)
    if problems:
        told = f"it was changed and has {problems} problems: what was in force stays"
        subject, command = "freehold.toml", "freehold doctor"
        found.append(Need(kind="settings", subject=subject, told=told, urgent=True, page="/config", command=command))
    if tables:
        told = f"{tables} changed: counts after a restart"
        found.append(Need(kind="settings", subject="restart", told=told, page="/config", command="freehold up"))
    return found


def sorted_needs(needs: Iterable[Need]) -> tuple[Need, ...]:
    """The urgent first, then by their date; those without one last."""
    return tuple(sorted(needs, key=lambda one: (not one.urgent, one.due or "9999", one.kind, one.subject)))


def _worst(matches: Iterable[Match]) -> str:
    return next(name for name in _OPEN if name in {one.standing for one in matches})
