"""The sliders of a plan: levers of the management API as fields of a form, shares in percent. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from freehold.core.errors import BadRequest
from freehold.server.console.plan_parts import advised, amount
from freehold.server.console.words import NONE

_SHARE = "share"
_LONG = 90


class Slider(msgspec.Struct, frozen=True, kw_only=True):
    """One range input; figures as they stand in the page."""

    name: str
    words: str
    unit: str
    low: str
    high: str
    step: str
    value: str
    planned: str
    """What the plan has."""
    moved: bool
    source: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What pulling levers did to one workflow."""

    name: str
    advice: tuple[str, str] | None
    before: tuple[str, str] | None
    value: str
    value_before: str


def sliders(levers: Sequence[Mapping[str, Any]], said: Mapping[str, float]) -> tuple[Slider, ...]:
    """Every lever, where it was pulled to."""
    found = []
    for one in levers:
        times = _times(one)
        unit = one["unit"].replace(_SHARE, "%", 1) if times != 1 else one["unit"]
        found.append(
            Slider(
                name=one["name"],
                words=one["words"],
                unit=unit,
                low=_text(one["low"] * times),
                high=_text(one["high"] * times),
                step=_text(one["step"] * times),
                value=_text(said.get(one["name"], one["value"]) * times),
                planned=f"{_text(one['value'] * times)} {unit}",
                moved=one["name"] in said,
                source=_first(one["source"]),
            )
        )
    return tuple(found)


def said(levers: Sequence[Mapping[str, Any]], fields: Mapping[str, str]) -> dict[str, float]:
    """What was pulled elsewhere than the plan has it; within half a step is where it was. Raises BadRequest."""
    found = {}
    for one in levers:
        text = fields.get(one["name"], "")
        if not text:
            continue
        try:
            value = float(text) / _times(one)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise BadRequest(f"{one['words']} is {text[:40]!r}, no number", param=one["name"])
        if abs(value - one["value"]) > one["step"] * 0.501:
            found[one["name"]] = value
    return found


def query(levers: Sequence[Mapping[str, Any]], pulled: Mapping[str, float]) -> str:
    """What was pulled, as the page's address has it."""
    return urlencode({one["name"]: _text(pulled[one["name"]] * _times(one)) for one in levers if one["name"] in pulled})


def command(plan: str, pulled: Mapping[str, float]) -> str:
    """The same on the command line."""
    sets = "".join(f" --set {name}={_text(value)}" for name, value in sorted(pulled.items()))
    return f"freehold plan solve {plan}{sets}"


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Advice and value of each workflow, before and after."""
    return tuple(_change(one, other) for one, other in zip(before["workflows"], after["workflows"], strict=True))


def _change(one: Mapping[str, Any], other: Mapping[str, Any]) -> Change:
    return Change(
        name=one["name"],
        advice=_advice(other),
        before=_advice(one),
        value=_value(other),
        value_before=_value(one),
    )


def _advice(one: Mapping[str, Any]) -> tuple[str, str] | None:
    decision = one["decision"] or {}
    return advised(decision.get("advice"), decision.get("option"))


def _value(one: Mapping[str, Any]) -> str:
    """Of what the advice is about; of doing nothing there is none."""
    option = (one["decision"] or {}).get("option")
    best = next((choice["best"] for choice in one["options"] if choice["best"]["option"] == option), None)
    if best is None or option == "nothing":
        return NONE
    return amount(best["npv"]["p50"]) if best["stated"] else "not stated"


def _first(source: str) -> str:
    """The first of several, and how many more there are."""
    first, *more = source.split("; ")
    return f"{first} and {len(more)} more" if len(source) > _LONG else source


def _times(one: Mapping[str, Any]) -> float:
    return 100.0 if one["unit"].startswith(_SHARE) else 1.0


def _text(value: float) -> str:
    return f"{round(value, 6):.12g}"
