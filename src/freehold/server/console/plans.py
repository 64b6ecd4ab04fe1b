"""Plan: those that are kept, one to be made, and one opened up: five options, what drives them, levers to pull."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from freehold.core.errors import BadRequest
from freehold.server.console import plan_levers
from freehold.server.console.ask import Got, Refused, Trouble, named
from freehold.server.console.page import BASE, Action, Done, Drawn, Event, File, Live, Page, Part, View
from freehold.server.console.plan_parts import FEW, UNSTATED, advised, parts, ranged, shorts, spread
from freehold.server.console.words import NONE

LOOK_SECONDS = 1.0
QUIET_SECONDS = 15.0
RECENT_SECONDS = 3600.0
"""How long one that failed is told of."""
READERS = (("cfo", "For the CFO: money"), ("cto", "For the CTO: machines"), ("ciso", "For the CISO: who sees what"))
PRECISIONS = (("", "as [plan] says"), "bf16", "fp8", "int8", "int4", "fp4")
SKILLS = (("", "as [plan] says"), ("yes", "yes"), ("no", "no"))
_MAKE = "plans.make"
_TEXTS = ("now", "model", "gpu", "currency", "label")


async def index(view: View) -> Drawn:
    """Plans that are kept, those being made, and the form for another."""
    return await _index(view)


async def _index(view: View, trouble: Trouble | None = None) -> Drawn:
    kept = await view.ask.look("/api/plans")
    making = await _making(view)
    data = {
        "kept": kept,
        "rows": [_row(one) for one in kept.data or ()],
        "making": making,
        "live": f"{BASE}/plans/live" if any(one["open"] for one in making) else "",
        "may_make": view.may("plans:write"),
        "trouble": trouble,
        "given": view.form if trouble else {},
        "precisions": PRECISIONS,
        "skills": SKILLS,
    }
    return Drawn(
        "plans.html", "Plan", data, ("freehold plan list", "freehold plan --keep"), trouble.status if trouble else 200
    )


async def show(view: View) -> Drawn:
    """One plan; with levers in the query, what it says with those pulled."""
    plan = view.names["plan"]
    shown = await view.ask.get(named("/api/plans/{}", plan))
    answer, pulled, trouble = await _answered(view, shown)
    made = shown["plan"] if answer is None else answer["plan"]
    inputs = made["inputs"]
    data = {
        "card": shown["card"],
        "row": _row(shown["card"]),
        "parts": parts(made, view.query.get("workflow", "")),
        "shorts": shorts(made),
        "chosen": view.query.get("workflow", ""),
        "few": FEW,
        "with_levers": plan_levers.query(shown["levers"], pulled),
        "sliders": plan_levers.sliders(shown["levers"], pulled),
        "command": plan_levers.command(plan, pulled),
        "trouble": trouble,
        "draws": answer["draws"] if answer else inputs["draws"],
        "changes": plan_levers.changes(shown["plan"], made) if answer else (),
        "rule": made["rule"],
        "red": made["red"],
        "whole": made["advised"],
        "moves": _moves(one["decision"] or {} for one in made["workflows"]),
        "value": ranged(made["advised"]["npv"]),
        "month": ranged(made["advised"]["all_in"]),
        "currency": inputs["contract"]["currency"],
        "assumptions": inputs["assumptions"],
        "packings": inputs["packings"],
        "readers": READERS,
        "may_make": view.may("plans:write"),
        "may_workflows": view.may("workflows:read"),
    }
    return Drawn("plan.html", f"Plan {plan.removeprefix('plan_')[:8]}", data, (f"freehold plan show {plan}",))


async def make(view: View) -> Done | Drawn:
    """Have one made of the traffic seen here."""
    try:
        await view.ask.post("/api/plans", order(view.form))
    except Refused as refused:
        return await _index(view, refused.trouble)
    return Done("/plans", "The plan is being made of the traffic; it appears here when it is done.")


async def keep(view: View) -> Done:
    """Keep a plan with levers pulled as a plan of its own."""
    plan = view.names["plan"]
    shown = await view.ask.get(named("/api/plans/{}", plan))
    await view.ask.post(named("/api/plans/{}/keep", plan), {"levers": plan_levers.said(shown["levers"], view.form)})
    return Done("/plans", "It is being decided on all its draws and kept; it appears here when it is done.")


async def live(view: View, part: Part) -> AsyncIterator[Event]:
    """How far plans have come that are being made."""
    waited, before = 0.0, ""
    while True:
        making = await _making(view)
        view.ask.asked.clear()
        text = part("plans_making.html", making=making)
        if text != before:
            before, waited = text, 0.0
            yield Event("making", text)
        waited += LOOK_SECONDS
        if waited >= QUIET_SECONDS:
            waited = 0.0
            yield Event("quiet", "")
        await asyncio.sleep(LOOK_SECONDS)


def order(form: Mapping[str, str]) -> dict[str, Any]:
    """What the form asks for, as the API takes it. Raises BadRequest for what is no number."""
    told: dict[str, Any] = {name: form[name] for name in _TEXTS if form.get(name)}
    told["recorded"] = form.get("traffic") == "recorded"
    for name in ("closed", "hosted"):
        if form.get(name):
            told[name] = [one.strip() for one in form[name].split(",") if one.strip()]
    for name in ("gpus", "months"):
        if form.get(name):
            told[name] = int(_number(name, form[name]))
    for name in ("precision", "day"):
        if form.get(name):
            told[name] = form[name]
    if form.get("skills"):
        told["skills"] = form["skills"] == "yes"
    if form.get("usd_per_unit"):
        told["usd_per_unit"] = [_number("usd_per_unit", form["usd_per_unit"])] * 3
    growth = [form.get(f"growth_{name}", "") for name in ("low", "base", "high")]
    if any(growth):
        told["assumptions"] = {"traffic_growth": [_number("growth", one) / 100.0 for one in growth]}
    return told


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadRequest(f"{name.replace('_', ' ')}: {text[:40]!r} is no number", param=name) from None


async def _answered(
    view: View, shown: Mapping[str, Any]
) -> tuple[dict[str, Any] | None, dict[str, float], Trouble | None]:
    pulled = plan_levers.said(shown["levers"], view.query)
    if not pulled:
        return None, {}, None
    path = named("/api/plans/{}/solve", shown["card"]["id"])
    try:
        answer = await view.ask.post(path, {"levers": pulled})
    except Refused as refused:
        return None, pulled, refused.trouble
    view.ask.asked[f"POST {path}"] = Got(path, answer)
    return answer, pulled, None


async def _making(view: View) -> list[dict[str, Any]]:
    """Jobs that make plans: those under way, and those that failed lately."""
    found = await view.ask.look("/api/jobs", limit=50)
    told = []
    for one in found.data or ():
        if one["kind"] != _MAKE:
            continue
        why = one["result"].get("why", "") or (one["error"] if one["state"] == "failed" else "")
        under_way = one["state"] in ("ready", "running")
        if under_way or view.now - (one["ended_at"] or view.now) < RECENT_SECONDS:
            told.append(
                {
                    "id": one["id"],
                    "open": under_way,
                    "state": "waits for the trainer" if one["state"] == "ready" else one["state"],
                    "done": one["result"].get("done", 0.0) if under_way else 1.0,
                    "words": one["result"].get("words", ""),
                    "why": why,
                    "hint": one["result"].get("hint", ""),
                    "plan": one["result"].get("plan", ""),
                }
            )
    return told


def _moves(advice: Iterable[Mapping[str, Any]]) -> bool:
    """Whether anything is advised but staying as one is, or waiting."""
    return any(one.get("option") not in ("nothing", None) and one["advice"] != "not_yet" for one in advice)


def _row(card: Mapping[str, Any]) -> dict[str, Any]:
    """A card in words. Of staying as one is there is no saving to tell."""
    moves = any(
        one["advice"] not in ("stay", "not_yet", None) or one["option"] == "closed" for one in card["workflows"]
    )
    value = UNSTATED if not card["stated"] else f"{spread(card['npv'])} {card['currency']}" if moves else NONE
    found = [(one["name"], advised(one["advice"], one["option"])) for one in card["workflows"]]
    return {**card, "value": value, "advice": [(name, *(said or (NONE, "plain"))) for name, said in found]}


PAGES = (Page("/plans", index), Page("/plans/{plan}", show))
ACTIONS = (Action("/plans", make), Action("/plans/{plan}/keep", keep))
LIVES = (Live("/plans/live", live),)
FILES = (
    File("/plans/{plan}/file", "/api/plans/{plan}/file", name="{plan}.json"),
    File("/plans/{plan}/report/{reader}.html", "/api/plans/{plan}/report/{reader}.html"),
    File("/plans/{plan}/report/{reader}.md", "/api/plans/{plan}/report/{reader}.md", name="{plan}-{reader}.md"),
)
