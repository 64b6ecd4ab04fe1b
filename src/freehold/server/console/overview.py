"""Overview: how much of our AI we own, what it costs, whether it is safe, and what needs us."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from freehold.server.console.charts import Bar, Line, intervals, lines, share
from freehold.server.console.page import BASE, Drawn, Event, Live, Page, Part, View
from freehold.server.console.ticking import ticking

STAGES = ("observed", "evaluated", "tuned", "shadow", "canary", "owned")
"""The way of a move; before it a workflow is `rented`."""
NEXT = {
    "": ("Start a move", "/workflows/{}"),
    "observed": ("Watch it being prepared", "/moves/{}"),
    "evaluated": ("Watch it being prepared", "/moves/{}"),
    "tuned": ("Watch it being prepared", "/moves/{}"),
    "shadow": ("See the evidence", "/moves/{}"),
    "canary": ("See the evidence", "/moves/{}"),
    "owned": ("See that it holds", "/moves/{}"),
    "refused": ("See why not", "/moves/{}"),
    "rolled_back": ("See what happened", "/moves/{}"),
}
MOST_WORKFLOWS = 12
LIVE_STAGES = ("shadow", "canary", "owned")
EVERY_SECONDS = 2.0


async def index(view: View) -> Drawn:
    """The first screen."""
    found = await view.ask.looks(
        look="/api/overview",
        needs="/api/overview/needs",
        known="/api/workflows",
        moves="/api/moves",
        door="/api/status",
    )
    told: dict[str, Any] = dict(found)
    look, moves = found["look"].data, found["moves"].data or []
    if look:
        told |= drawn(look) | {"sees_calls": view.may("calls:read")}
    told["quality"] = quality([one for one in moves if one["stage"] in LIVE_STAGES and one["measured"]["pairs"]])
    told["workflows"] = ranked(found["known"].data or [], moves)
    told["stages"] = ("rented", *STAGES)
    told["empty"] = bool(look) and not look["sums"]["calls"] and not told["workflows"]
    commands = ("freehold overview", "freehold overview --needs", "freehold usage --by workflow")
    return Drawn("overview.html", "Overview", told, commands)


async def live(view: View, part: Part) -> Any:
    """The figures and what needs somebody, whenever they change."""
    before = ""
    async for _ in ticking(EVERY_SECONDS):
        look = await view.ask.look("/api/overview")
        needs = await view.ask.look("/api/overview/needs")
        view.ask.asked.clear()
        if not look.data:
            return
        now = json.dumps([look.data["sums"], look.data["safety"], needs.data])
        if now == before:
            yield Event("quiet", "")
            continue
        before = now
        yield Event(
            "figures", part("overview_figures.html", look=look, sees_calls=view.may("calls:read"), **drawn(look.data))
        )
        yield Event("needs", part("overview_needs.html", needs=needs))


def drawn(look: dict[str, Any]) -> dict[str, Any]:
    """Charts and shares of one look."""
    sums, days = look["sums"], look["days"]
    at = [datetime.fromisoformat(one["day"]).replace(tzinfo=UTC).timestamp() for one in days]
    cost = Line("cost", tuple(float(one["cost"]) for one in days))
    rented = Line("at the rented baseline", tuple(_number(one["what_if"]) for one in days))
    shares = tuple(100 * one["owned_calls"] / one["calls"] if one["calls"] else None for one in days)
    owned = Line("share of calls on owned models, %", shares)
    calls, spent = sums["calls"], float(sums["cost"])
    return {
        "owned_calls": sums["owned_calls"] / calls if calls else None,
        "owned_cost": float(sums["owned_cost"]) / spent if spent else None,
        "errors": sums["errors"] / calls if calls else None,
        "saved": _saved(sums),
        "month": datetime.fromtimestamp(look["since"], UTC).strftime("%B %Y"),
        "money_chart": lines("Dollars a day", at, (cost, rented)) if len(at) > 1 else None,
        "owned_chart": lines("Owned share by day", at, (owned,)) if len(at) > 1 else None,
        "share_chart": share("Calls on owned and rented models", _shares(sums)) if calls else None,
        "plot": {
            "at": at,
            "series": [
                {"label": "cost, dollars", "values": cost.values},
                {"label": "rented baseline, dollars", "values": rented.values, "dash": True},
            ],
        },
    }


def quality(moves: list[dict[str, Any]]) -> dict[str, Any]:
    """The difference of each live move with its interval, against its margin."""
    bars = tuple(
        Bar(
            one["name"],
            100 * one["measured"]["difference"],
            f"{100 * one['measured']['difference']:+.1f}",
            100 * one["measured"]["low"],
            100 * one["measured"]["high"],
        )
        for one in moves
    )
    title = "Candidate minus incumbent, percentage points, with its anytime-valid interval"
    return {"moves": moves, "chart": intervals(title, bars) if bars else None}


def ranked(known: list[dict[str, Any]], moves: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Workflows by what they cost, each with where it stands on its way."""
    newest: dict[str, dict[str, Any]] = {}
    for one in moves:
        newest.setdefault(one["workflow"], one)
    found = []
    for one in known:
        name, figures = one["workflow"]["id"], one["figures"]
        move = newest.get(name)
        stage = move["stage"] if move else ""
        word, page = NEXT[stage]
        found.append(
            {
                "id": name,
                "name": one["workflow"]["name"],
                "calls": figures["calls"],
                "cost": figures["cost"],
                "unpriced": figures["unpriced"],
                "owned": figures["owned"],
                "stage": stage or "rented",
                "word": word,
                "page": page.format(move["id"] if move else name),
            }
        )
    found.sort(key=lambda one: -float(one["cost"]))
    return found[:MOST_WORKFLOWS]


def _shares(sums: dict[str, Any]) -> tuple[Bar, Bar]:
    owned, rest = sums["owned_calls"], sums["calls"] - sums["owned_calls"]
    return Bar("owned", owned, f"{owned:,} calls", kind=1), Bar("rented", rest, f"{rest:,} calls", kind=2)


def _saved(sums: dict[str, Any]) -> float | None:
    """What the calls that name a baseline would have cost there, less what they did cost."""
    return None if sums["what_if"] is None else float(sums["what_if"]) - float(sums["what_if_cost"])


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


PAGES = (Page("/", index),)
LIVES = (Live("/live", live),)
ADDRESS = f"{BASE}/live"
