"""Workflows: the tasks found in the traffic, how settled each is, and where it is on its way to being owned."""

from __future__ import annotations

import shlex
from typing import Any

from freehold.server.console import charts
from freehold.server.console.ask import Ask, Got, named
from freehold.server.console.charts import Bar, Limit, Line
from freehold.server.console.page import Action, Done, Drawn, Page, View
from freehold.server.console.stages import ENDED, WAY, newest, next_of_workflow, place

DISCOVER = "workflows.discover"
SAMPLES = 5
VERDICTS = {"mature": "good", "young": "info", "immature": "warn", "exploratory": "warn"}
RECIPES = (
    ("auto", "found from the answers"),
    ("classifier", "classifier: answers are labels"),
    ("lora", "LoRA: an adapter on an open model"),
    ("prompt", "prompt: another model, its prompt optimised"),
    ("none", "none: the candidate as it is"),
)
REFERENCES = (("", "as [moves] says"), ("incumbent", "what the incumbent said"), ("annotations", "what people said"))
APPROVALS = ("shadow", "canary", "owned")
SETTLED = 0.77
"""Weekly likeness of settled workflows, as the rule of the term `stability` has it."""


async def index(view: View) -> Drawn:
    """Every workflow, the dearest first, with its place on the way and its next step."""
    found = await view.ask.looks(known="/api/workflows", moves="/api/moves", jobs="/api/jobs?limit=100")
    may_move = view.may("moves:write")
    current = newest(found["moves"].data or [])
    rows = [
        {
            **one,
            "move": current.get(one["workflow"]["id"]),
            "place": place(current.get(one["workflow"]["id"])),
            "next": next_of_workflow(one, current.get(one["workflow"]["id"]), may=may_move),
        }
        for one in found["known"].data or []
    ]
    data = {
        **found,
        "rows": rows,
        "way": WAY,
        "verdicts": VERDICTS,
        "discovery": discovery(found["jobs"]),
        "may_write": view.may("workflows:write"),
        "chart": spend(rows),
    }
    return Drawn("workflows.html", "Workflows", data, ("freehold workflows list", "freehold workflows discover"))


async def show(view: View) -> Drawn:
    """One workflow: what it is, whether it is settled, where it stands."""
    shown = await view.ask.get(named("/api/workflows/{}", view.names["name"]))
    workflow = shown["workflow"]
    name = workflow["id"]
    found = await view.ask.looks(
        known="/api/workflows", runs=f"/api/evals?workflow={name}&limit=10", targets="/api/targets"
    )
    move = await newest_move(view.ask, name)
    samples = Got("")
    if view.query.get("samples") and view.may("bodies:read"):
        samples = await view.ask.look(named("/api/workflows/{}/samples", name), limit=SAMPLES)
    data = {
        **shown,
        **found,
        "move": move,
        "place": place(move),
        "way": WAY,
        "next": next_of_workflow(shown, move, may=view.may("moves:write")),
        "verdicts": VERDICTS,
        "maturity_chart": maturity_chart(workflow),
        "weeks_chart": weeks_chart(workflow),
        "samples": samples,
        "may_read": view.may("bodies:read"),
        "may_write": view.may("workflows:write"),
        "may_start": view.may("moves:write") and (move is None or move["stage"] in ENDED),
        "others": [
            (one["workflow"]["id"], one["workflow"]["name"])
            for one in found["known"].data or []
            if one["workflow"]["id"] != name
        ],
        "target_names": sorted(one["name"] for one in found["targets"].data or []),
        "recipes": RECIPES,
        "references": REFERENCES,
        "approvals": APPROVALS,
    }
    word = shlex.quote(workflow["name"])
    commands = (f"freehold workflows show {word}", f"freehold workflows samples {word}")
    return Drawn("workflow.html", f"Workflow {workflow['name']}", data, commands)


async def discover(view: View) -> Done:
    """Have the trainer look."""
    queued = await view.ask.post("/api/workflows/discover")
    return Done("/workflows#discover", f"Discovery is queued as {queued['job']}; this page shows how it ends.")


async def rename(view: View) -> Done:
    """Give it a name."""
    made = await view.ask.post(named("/api/workflows/{}/rename", view.names["name"]), {"name": view.form.get("to", "")})
    return Done(f"/workflows/{made['id']}", f"It is named {made['name']} now; its old name leads here too.")


async def merge(view: View) -> Done:
    """Make it part of another."""
    made = await view.ask.post(
        named("/api/workflows/{}/merge", view.names["name"]), {"into": view.form.get("into", "")}
    )
    return Done(f"/workflows/{made['id']}", f"Merged into {made['name']}, now and after every discovery to come.")


async def split(view: View) -> Done:
    """Make a workflow of some of its templates."""
    numbers = [int(one) for one in view.forms("template") if one.isdigit()]
    body = {"templates": numbers, "name": view.form.get("to", "")}
    made = await view.ask.post(named("/api/workflows/{}/split", view.names["name"]), body)
    return Done(f"/workflows/{made['id']}", f"{made['name']} is a workflow of its own; discovery moves its records.")


async def start(view: View) -> Done | Drawn:
    """Begin a move, or show what would be begun."""
    body = wish(view)
    if view.form.get("look"):
        plan = await view.ask.post("/api/moves", {**body, "dry_run": True})
        data = {"plan": plan, "sent": [pair for pair in view.sent.pairs if pair[0] not in ("form", "look")]}
        return Drawn("move_start.html", f"Before the move of {plan['name']}", data, (command(body),))
    made = await view.ask.post("/api/moves", body)
    return Done(f"/moves/{made['id']}", "The move has begun: its rule is written down and cannot be changed.")


def wish(view: View) -> dict[str, Any]:
    """A new move, as the form says it."""
    form = view.form
    body: dict[str, Any] = {"workflow": view.names["name"], "recipe": form.get("recipe", "auto")}
    body |= {name: form[name] for name in ("candidate", "incumbent") if form.get(name)}
    if form.get("escalate"):
        body["escalate"] = form["escalate"]
    rule: dict[str, Any] = {name: form[name] for name in ("reference", "budget") if form.get(name)}
    rule |= {name: number(form[name]) for name in ("margin", "harm") if form.get(name)}
    if view.forms("approve"):
        rule["approvals"] = [one for one in APPROVALS if one in view.forms("approve")]
    return {**body, "rule": rule, "despite_immaturity": form.get("despite") == "yes"}


def number(points: str) -> float | str:
    """Points as a share of one; what is no number is for the API to refuse."""
    try:
        return float(points) / 100
    except ValueError:
        return points


def command(body: dict[str, Any]) -> str:
    """The same as a command."""
    rule = body["rule"]
    words = ["freehold moves start", shlex.quote(body["workflow"]), f"--recipe {body['recipe']}"]
    words += [f"--{name} {shlex.quote(str(body[name]))}" for name in ("candidate", "incumbent") if body.get(name)]
    limits = [name for name in ("margin", "harm", "reference", "budget") if name in rule]
    words += [f"--{name} {shlex.quote(str(rule[name]))}" for name in limits]
    words += [f"--approve {one}" for one in rule.get("approvals", ())]
    return " ".join([*words, *(["--despite-immaturity"] if body["despite_immaturity"] else []), "--dry-run"])


async def newest_move(ask: Ask, workflow: str) -> dict[str, Any] | None:
    """The newest move of a workflow; None where it has none, or the role may not see moves."""
    got = await ask.look(named("/api/moves/{}", workflow))
    return None if got.trouble is not None else got.data


def discovery(jobs: Got) -> dict[str, Any] | None:
    """The newest discovery."""
    return next((one for one in jobs.data or [] if one["kind"] == DISCOVER), None)


def spend(rows: list[dict[str, Any]]) -> Any:
    """What each costs, as bars."""
    bars = [
        Bar(one["workflow"]["name"], float(one["figures"]["cost"]), f"${float(one['figures']['cost']):,.2f}")
        for one in rows[:12]
    ]
    return charts.bars("Cost of recorded calls by workflow, dollars", bars) if bars else None


def maturity_chart(workflow: dict[str, Any]) -> Any:
    """Each factor of the score, between 0 and 1."""
    maturity = workflow["maturity"]
    if not maturity:
        return None
    bars = [
        Bar(one["name"], one["value"], f"{one['value']:.2f}", kind=1 if one["value"] >= 0.5 else 2)
        for one in maturity["terms"]
    ]
    return charts.bars("Terms of the maturity; their product is the score", bars)


def weeks_chart(workflow: dict[str, Any]) -> Any:
    """How much of the template stays from week to week."""
    weeks = workflow["weeks"]
    if sum(one["likeness"] is not None for one in weeks) < 2:
        return None
    line = Line("likeness to the week before", tuple(one["likeness"] for one in weeks))
    at = [one["begins"] for one in weeks]
    return charts.lines("Weekly likeness of the templates", at, (line,), (Limit(SETTLED, "settled workflows"),))


PAGES = (Page("/workflows", index), Page("/workflows/{name:path}", show))
ACTIONS = (
    Action("/workflows/discover", discover),
    Action("/workflows/{name:path}/merge", merge),
    Action("/workflows/{name:path}/move", start),
    Action("/workflows/{name:path}/rename", rename),
    Action("/workflows/{name:path}/split", split),
)
