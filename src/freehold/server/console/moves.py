"""Moves: one workflow each on its way from rented to owned, the evidence against its thresholds, and what people do."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator
from typing import Any

from freehold.identity.roles import permissions
from freehold.server.access import roles_for
from freehold.server.console import charts
from freehold.server.console.ask import named
from freehold.server.console.charts import Bar, Limit, Line
from freehold.server.console.page import BASE, Action, Done, Drawn, Event, File, Live, Page, Part, View
from freehold.server.console.stages import ENDED, WAY, next_of_move, place
from freehold.server.console.telling import told
from freehold.server.console.ticking import ticking

WHICH = (("all", "all"), ("worse", "worse"), ("better", "better"), ("differ", "different"), ("invalid", "unusable"))
PAGE_SIZE = 25
LIVE = ("shadow", "canary", "owned")
EVERY_SECONDS = 2.0
DONE = (
    ("approve", "Approved: the step is taken with the next look at it."),
    ("hold", "Held: what serves goes on serving, no step is taken."),
    ("promote", "The step is taken, by hand and without proof; the dossier says so."),
    ("resume", "It goes on."),
    ("rollback", "Given back: the incumbent answers every call again."),
)


async def index(view: View) -> Drawn:
    """Every move, those that wait for somebody first."""
    got = await view.ask.look("/api/moves")
    may = view.may("moves:write")
    rows = [{**one, "place": place(one), "step": next_of_move(one, may=may)} for one in got.data or []]
    rows.sort(key=lambda one: (not (one["waiting"] or one["held"]), one["stage"] in ENDED))
    data = {
        "moves": got,
        "rows": rows,
        "way": WAY,
        "chart": differences_chart([one for one in rows if one["measured"]["pairs"] and one["stage"] not in ENDED]),
    }
    return Drawn("moves.html", "Moves", data, ("freehold moves list",))


async def show(view: View) -> Drawn:
    """One move."""
    name = view.names["name"]
    move = await view.ask.get(named("/api/moves/{}", name))
    page = f"/api/moves/{move['id']}"
    which = view.query.get("which", "all")
    before = view.query.get("before", "")
    found = await view.ask.looks(
        events=f"{page}/events",
        growth=f"{page}/trajectory",
        wanted=f"{page}/wanted",
        pairs=f"{page}/pairs?limit={PAGE_SIZE}&which={which}" + (f"&before={before}" if before.isdigit() else ""),
    )
    events = found["events"].data or []
    may = view.may("moves:write")
    data = {
        **found,
        "move": move,
        "rule": move["rule"],
        "place": place(move),
        "way": WAY,
        "next": next_of_move(move, may=may),
        "ended": move["stage"] in ENDED,
        "live": f"{BASE}/moves/{move['id']}/live" if move["stage"] in LIVE else "",
        "timeline": [told(one) for one in events],
        "hold": held(move, events),
        "cards": [one["content"] for one in events if one["kind"] == "scorecard"],
        **evidence(move, found["growth"].data or []),
        "which": which,
        "kinds": WHICH,
        "may": may,
        "movers": roles_for("moves:write"),
        "may_calls": "calls:read" in permissions(view.actor.role),
    }
    word = shlex.quote(move["name"])
    commands = (f"freehold moves status {word}", f"freehold moves pairs {word}", f"freehold moves dossier {word}")
    return Drawn("move.html", f"Move of {move['name']}", data, commands)


async def live(view: View, part: Part) -> AsyncIterator[Event]:
    """The evidence as it grows, and a word once the move has moved on."""
    path = named("/api/moves/{}", view.names["name"])
    pairs, stands = -1, None
    async for _ in ticking(EVERY_SECONDS):
        got = await view.ask.look(path)
        view.ask.asked.clear()
        move = got.data
        if not move:
            return
        now = (move["stage"], move["share"], move["held"], move["waiting"])
        if stands not in (None, now):
            yield Event("moved", part("move_moved.html", move=move))
        if pairs in (-1, move["measured"]["pairs"]):
            yield Event("quiet", "")
        else:
            growth = await view.ask.look(f"{path}/trajectory")
            yield Event("figures", part("move_figures.html", move=move))
            yield Event("evidence", part("move_evidence.html", growth=growth, move=move, **evidence(move, growth.data)))
        pairs, stands = move["measured"]["pairs"], now


def evidence(move: dict[str, Any], points: list[dict[str, Any]]) -> dict[str, Any]:
    """Charts of the evidence, and some of its points."""
    return {
        "evidence_chart": evidence_chart(move, points),
        "difference_chart": differences_chart([move]) if move["measured"]["pairs"] else None,
        "points": thinned(points),
    }


async def approve(view: View) -> Done:
    """Let the step that waits happen."""
    return await act(view, "approve", "approve")


async def hold(view: View) -> Done:
    """Keep it where it is."""
    return await act(view, "hold", "hold")


async def resume(view: View) -> Done:
    """Let a held move go on."""
    return await act(view, "promote", "resume")


async def promote(view: View) -> Done:
    """Take the next step whatever the evidence says."""
    return await act(view, "promote", "promote")


async def rollback(view: View) -> Done:
    """Give the traffic back."""
    return await act(view, "rollback", "rollback")


async def act(view: View, verb: str, done: str) -> Done:
    """One of the verbs of the API, with the reason that was given."""
    body = {"why": view.form.get("why", ""), "without_proof": done == "promote"}
    name = view.names["name"]
    made = await view.ask.post(named("/api/moves/{}/{}", name, verb), body)
    return Done(f"/moves/{made['id']}", dict(DONE)[done])


def held(move: dict[str, Any], events: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What holds it: metric, value and bound, where a metric does."""
    if not move["held"]:
        return None
    return next((one for one in reversed(events) if one["kind"] == "held"), None)


def evidence_chart(move: dict[str, Any], points: list[dict[str, Any]]) -> Any:
    """The e-processes over the pairs, against their thresholds, by powers of ten."""
    if len(points) < 2:
        return None
    rule = move["rule"]
    at = [float(one["pairs"]) for one in points]
    bounds = {"evidence": 1 / rule["alpha"], "futility": 1 / rule["futility"], "alarm": rule["patience"]}
    # The alarm only counts while the candidate serves.
    names = [name for name in bounds if name != "alarm" or any(one["alarm"] for one in points)]
    series = [Line(name, tuple(_shown(one[name]) for one in points)) for name in names]
    words = {"evidence": "proven", "futility": "refused", "alarm": "rolled back"}
    limits = [Limit(bounds[name], f"{name}: {words[name]} at {bounds[name]:g}") for name in names]
    if bounds["evidence"] == bounds["futility"]:
        limits[:2] = [Limit(bounds["evidence"], f"evidence: proven, futility: refused at {bounds['evidence']:g}")]
    title = f"Evidence, futility and alarm over {points[-1]['pairs']:,} pairs, by powers of ten"
    return charts.lines(title, at, series, limits, log=True)


def _shown(value: float) -> float:
    # Far below 1 nothing happens, and a long way down would flatten what matters.
    return max(value, 1e-3)


def differences_chart(moves: list[dict[str, Any]]) -> Any:
    """Candidate minus incumbent with its interval, and the loss that is allowed where it is the same for all."""
    bars = [
        Bar(
            one["name"],
            100 * one["measured"]["difference"],
            f"{100 * one['measured']['difference']:+.1f}",
            100 * one["measured"]["low"],
            100 * one["measured"]["high"],
        )
        for one in moves
    ]
    margins = {one["rule"]["margin"] for one in moves}
    limits = (Limit(-100 * margins.pop(), "allowed loss"),) if len(margins) == 1 else ()
    return charts.intervals("Candidate minus incumbent, points, with its interval", bars, limits) if bars else None


def thinned(points: list[dict[str, Any]], most: int = 12) -> list[dict[str, Any]]:
    """Some of the points, and the last."""
    found = points[:: max(len(points) // most, 1)]
    return found if not points or found[-1] == points[-1] else [*found, points[-1]]


PAGES = (Page("/moves", index), Page("/moves/{name}", show))
ACTIONS = (
    Action("/moves/{name}/approve", approve),
    Action("/moves/{name}/hold", hold),
    Action("/moves/{name}/promote", promote),
    Action("/moves/{name}/resume", resume),
    Action("/moves/{name}/rollback", rollback),
)
LIVES = (Live("/moves/{name}/live", live),)
FILES = (
    File("/moves/{name}/dossier", "/api/moves/{name}/dossier", name="dossier-{name}.json"),
    File("/moves/{name}/dossier.html", "/api/moves/{name}/dossier.html"),
)
