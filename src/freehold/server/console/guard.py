"""Guardrails: what calls are scanned for, what was found in them, and a text to try a profile on."""

from __future__ import annotations

import shlex
from typing import Any

from freehold.server.console.charts import Line, lines
from freehold.server.console.marking import marked
from freehold.server.console.page import Action, Drawn, Page, View

_DAY = 86400.0
SPANS = (("1", "last 24 hours"), ("7", "last 7 days"), ("30", "last 30 days"), ("90", "last 90 days"))
KINDS = {"block": "bad", "redact": "warn", "pseudonymise": "warn", "raise": "warn", "ask": "warn", "flag": "info"}
SOURCES = (("", "whoever usually does"), "system", "user", "assistant", "tool", "document")
_MOST_LINES = 4


async def index(view: View) -> Drawn:
    """What was found, and by which rules."""
    span = view.query.get("days", "7")
    days = float(span) if span in dict(SPANS) else 7.0
    route = view.query.get("route", "")
    found = await view.ask.looks(guard="/api/guard", routes="/api/routes")
    told = await view.ask.look("/api/guard/findings", since=view.now - days * _DAY, route=route)
    data = {
        **found,
        "told": told,
        "sums": _sums(told.data) if told.data else {},
        "drawn": _drawn(told.data) if told.data else None,
        "points": _points(told.data) if told.data else [],
        "rows": sorted((told.data or {}).get("found", ()), key=lambda one: -one["findings"]),
        "spans": SPANS,
        "days": f"{days:g}",
        "route": route,
        "route_names": [one["name"] for one in found["routes"].data or ()],
        "action_kinds": KINDS,
        "sees_calls": view.may("calls:read"),
        **_form(found["guard"].data),
    }
    command = f"freehold guard findings --since {days * 24:g}h" + (f" --route {shlex.quote(route)}" if route else "")
    return Drawn("guard.html", "Guardrails", data, (command, "freehold guard profiles"))


async def calls(view: View) -> Drawn:
    """The newest calls that hold a finding of a kind."""
    which = {name: view.query.get(name, "") for name in ("detector", "kind", "side")}
    found = await view.ask.get("/api/guard/findings/calls", **which, limit=50)
    title = f"Calls with {which['detector']}/{which['kind']}"
    commands = tuple(f"freehold calls show {one['call']}" for one in found["calls"][:1])
    return Drawn("guard_calls.html", title, {**which, "found": found}, commands)


async def try_(view: View) -> Drawn:
    """A profile tried on a text; both come back on the page, and are kept nowhere."""
    form = view.form
    text = view.sent.every("text")[-1] if view.sent.every("text") else ""
    body = {"profile": form.get("profile", "watch"), "text": text, "side": form.get("side", "request")}
    source = form.get("source", "")
    found = await view.ask.post("/api/guard/try", {**body, **({"source": source} if source else {})})
    guard = await view.ask.look("/api/guard")
    told = {**body, "source": source}
    out = " --out" if body["side"] == "answer" else ""
    command = f"freehold guard test --profile {shlex.quote(body['profile'])}{out} -f text.txt"
    data = {
        "seen": found,
        "marked": marked(text, [one for one in found["findings"] if not _whole(one, text)]),
        "wholes": [one for one in found["findings"] if _whole(one, text)],
        "action_kinds": KINDS,
        "sees_calls": view.may("calls:read"),
        **_form(guard.data, told),
    }
    return Drawn("guard_try.html", "A text tried", data, (command,))


def _whole(found: dict[str, Any], text: str) -> bool:
    """Was the text judged as one? To mark all of it would hide the places in it."""
    return bool(found["start"] == 0 and found["end"] >= len(text))


def _form(guard: Any, told: dict[str, str] | None = None) -> dict[str, object]:
    profiles = (guard or {}).get("profiles", ())
    used = [one["name"] for one in profiles if one["in_use"]]
    given = {"profile": used[0] if used else "watch", "text": "", "side": "request", "source": ""}
    return {"profile_names": [one["name"] for one in profiles], "sources": SOURCES, "tried": told or given}


def _sums(told: Any) -> dict[str, int]:
    asked = [one for one in told["looked"] if one["side"] == "request"]
    return {
        "calls": sum(one["calls"] for one in asked),
        "findings": sum(one["findings"] for one in told["looked"]),
        "refused": sum(one["refused"] for one in told["looked"]),
        "failed": sum(one["failed"] for one in told["looked"]),
    }


def _points(told: Any) -> list[dict[str, Any]]:
    """One row for each step of the window that has calls, with findings by detector."""
    rows: dict[float, dict[str, Any]] = {}
    for one in told["over"]:
        row = rows.setdefault(one["at"], {"at": one["at"], "calls": 0, "found": {}})
        if one["detector"]:
            row["found"][one["detector"]] = one["count"]
        else:
            row["calls"] = one["count"]
    return [rows[at] for at in sorted(rows)]


def _drawn(told: Any) -> Any:
    """Findings by detector, the most frequent ones, over every step of the window."""
    step = told["step_seconds"]
    first, end = int(told["since"] // step), int(-(-told["until"] // step))
    at = [float(number * step) for number in range(first, end)]
    counts = {(one["detector"], one["at"]): one["count"] for one in told["over"] if one["detector"]}
    totals: dict[str, int] = {}
    for (detector, _), count in counts.items():
        totals[detector] = totals.get(detector, 0) + count
    if not totals or len(at) < 2:
        return None
    most = sorted(totals, key=lambda name: -totals[name])[:_MOST_LINES]
    series = [Line(name, tuple(float(counts.get((name, moment), 0)) for moment in at)) for name in most]
    return lines("Findings by detector", at, series)


PAGES = (Page("/guard", index), Page("/guard/calls", calls), Page("/guard/try", index))
ACTIONS = (Action("/guard/try", try_),)
