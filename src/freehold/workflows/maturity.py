"""Maturity: is a workflow settled enough to be moved? Every term of the formula is kept and shown. Pure."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from freehold.workflows.drift import Week
from freehold.workflows.grouping import Found
from freehold.workflows.records import UNTIMED
from freehold.workflows.types import Maturity, Shape, Term

STABLE = 0.77
IMMATURE = 0.28
"""Weekly template likeness of settled workflows, and of one whose prompt is rewritten every few days, as measured."""
ENOUGH_CALLS = 200
ENOUGH_DAYS = 7.0
LEAST_STABILITY = 0.4
"""Under it the verdict is `immature`: a likeness of about a half from week to week."""
_GRADABLE = (
    ("label", 1.0),
    ("tool", 1.0),
    ("json", 0.95),
    ("number", 1.0),
    ("short", 0.8),
    ("text", 0.6),
    ("none", 0.0),
)
_MOST_ERRORS = 0.2


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What the terms are made from."""

    calls: int
    days: float
    likeness: float | None
    """Median weekly likeness; None where there are no two weeks to compare, or no template."""
    regularity: float
    """Share of the commonest kind of answer."""
    agreement: float | None
    """Share of pairs of calls asked the same that were answered the same; None where there are too few."""
    errors: float
    kind: str
    chat: bool


def measure(found: Found, group: int, shape: Shape, weeks: tuple[Week, ...]) -> Measured:
    """Read the terms off a group."""
    mine = np.flatnonzero(found.label == group)
    at = found.mined.at[mine]
    at = at[at >= UNTIMED]
    likes = sorted(one.likeness for one in weeks if one.likeness is not None)
    return Measured(
        calls=len(mine),
        days=float(at.max() - at.min()) / 86400 if len(at) else 0.0,
        likeness=likes[len(likes) // 2] if likes else None,
        regularity=shape.share,
        agreement=agreement(found, mine),
        errors=float(found.mined.failed[mine].mean()) if len(mine) else 0.0,
        kind=shape.kind,
        chat=found.loose[group],
    )


def agreement(found: Found, mine: np.ndarray[tuple[int], np.dtype[np.int64]], least: int = 20) -> float | None:
    """How often two calls that asked the same were answered the same; None where fewer than `least` asked again."""
    answered = found.mined.answered[mine]
    there = answered != 0
    asked, answered = found.mined.asked[mine][there], answered[there]
    order = np.lexsort((answered, asked))
    asked, answered = asked[order], answered[order]
    again = asked[1:] == asked[:-1]
    if int(again.sum()) < least:
        return None
    return float((answered[1:] == answered[:-1])[again].mean())


def judge(measured: Measured) -> Maturity:
    """The verdict. The score is the product of the terms, each in [0, 1]."""
    terms = _terms(measured)
    score = math.prod(one.value for one in terms)
    by_name = {one.name: one for one in terms}
    reasons = []
    if measured.chat:
        reasons.append("free text under no template: there is no task to move, only people trying things")
    elif measured.likeness is not None and by_name["stability"].value < LEAST_STABILITY:
        reasons.append(
            f"its prompt keeps changing: from week to week {measured.likeness:.2f} of the template stays, "
            f"settled workflows keep {STABLE}"
        )
    verdict = "exploratory" if measured.chat else "immature" if reasons else "mature"
    if not reasons:
        if measured.days < ENOUGH_DAYS:
            reasons.append(f"seen for {measured.days:.1f} days of the {ENOUGH_DAYS:.0f} it takes to compare weeks")
        if measured.calls < ENOUGH_CALLS:
            reasons.append(f"{measured.calls} calls of the {ENOUGH_CALLS} that a comparison takes")
        if by_name["errors"].value == 0:
            reasons.append(f"{measured.errors:.0%} of its calls fail")
        verdict = "young" if reasons else verdict
    if not reasons:
        stays = f"{measured.likeness:.2f}" if measured.likeness is not None else "all"
        reasons.append(f"{stays} of its template stays from week to week, over {measured.days:.0f} days")
    return Maturity(verdict=verdict, score=round(score, 4), terms=terms, reasons=tuple(reasons))


def _terms(of: Measured) -> tuple[Term, ...]:
    stability = 1.0 if of.likeness is None else _clip((of.likeness - IMMATURE) / (STABLE - IMMATURE))
    agreed = 1.0 if of.agreement is None else 0.5 + 0.5 * of.agreement
    gradable = 0.0 if of.chat else dict(_GRADABLE).get(of.kind, 0.0)
    return (
        Term(
            name="stability", value=round(stability, 4), measured=of.likeness, unit="median weekly likeness",
            rule=f"(x - {IMMATURE}) / ({STABLE} - {IMMATURE}), between 0 and 1; 1 where there is nothing to compare",
        ),
        Term(
            name="volume", value=round(_clip(of.calls / ENOUGH_CALLS), 4), measured=of.calls, unit="calls",
            rule=f"x / {ENOUGH_CALLS}, at most 1",
        ),
        Term(
            name="age", value=round(_clip(of.days / ENOUGH_DAYS), 4), measured=round(of.days, 2), unit="days",
            rule=f"x / {ENOUGH_DAYS:.0f}, at most 1",
        ),
        Term(
            name="regularity", value=round(of.regularity, 4), measured=of.regularity, unit="share of one answer shape",
            rule="x",
        ),
        Term(
            name="agreement", value=round(agreed, 4), measured=of.agreement, unit="same answer to the same question",
            rule="(1 + x) / 2; 1 where hardly anything was asked twice",
        ),
        Term(
            name="errors", value=round(_clip(1 - of.errors / _MOST_ERRORS), 4), measured=of.errors, unit="failed calls",
            rule=f"1 - x / {_MOST_ERRORS}, at least 0",
        ),
        Term(
            name="gradability", value=gradable, measured=gradable, unit=f"answers are {of.kind}",
            rule=", ".join(f"{name} {value}" for name, value in _GRADABLE) + "; 0 for chat",
        ),
    )  # fmt: skip


def _clip(value: float) -> float:
    return min(max(value, 0.0), 1.0)
