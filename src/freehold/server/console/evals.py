"""Evaluations: candidates on recorded calls, their scorecards with intervals, and answers side by side."""

from __future__ import annotations

from typing import Any

from freehold.server.console import charts
from freehold.server.console.ask import named
from freehold.server.console.charts import Bar
from freehold.server.console.page import Action, Done, Drawn, File, Page, View
from freehold.server.console.words import NONE, money, percent, seconds

JUDGE = "evals.judge"
WHICH = (
    ("differ", "different scores"),
    ("worse", "candidate worse"),
    ("better", "candidate better"),
    ("failed", "failed"),
    ("ungraded", "not graded"),
    ("all", "all"),
)
STATES = {"done": "good", "failed": "bad", "stopped": "warn"}
GRADERS = (
    ("", "chosen from the answers"),
    *((one, one) for one in ("label", "json_fields", "tool_call", "number", "edit_distance", "embedding")),
)
REFERENCES = (("incumbent", "what was recorded"), ("annotations", "what people said is right"))
STARTED_BY = ("budget", "embedder", "grader", "incumbent", "limit", "reference", "target", "workflow")
MOST_SLICES = 24
PAGE_SIZE = 5


async def index(view: View) -> Drawn:
    """Evaluations, newest first."""
    workflow = view.query.get("workflow", "")
    found = await view.ask.looks(known="/api/workflows", targets="/api/targets")
    runs = await view.ask.look("/api/evals", workflow=workflow, limit=100)
    flows = [(one["workflow"]["id"], one["workflow"]["name"]) for one in found["known"].data or []]
    data = {
        **found,
        "runs": runs,
        "workflow": workflow,
        "flows": flows,
        "names": dict(flows),
        "states": STATES,
        "target_names": sorted(one["name"] for one in found["targets"].data or []),
        "graders": GRADERS,
        "references": REFERENCES,
        "may_write": view.may("evals:write"),
    }
    return Drawn("evals.html", "Evaluations", data, ("freehold evals list",))


async def show(view: View) -> Drawn:
    """One evaluation with its scorecard."""
    shown = await view.ask.get(named("/api/evals/{}", view.names["run"]))
    run, card = shown["run"], shown["scorecard"]
    page = f"/api/evals/{run['id']}"
    found = await view.ask.looks(
        answers=f"{page}/answers?limit=1",
        flow=named("/api/workflows/{}", run["plan"]["workflow"]),
        targets="/api/targets",
        jobs="/api/jobs?limit=200",
        queue=f"/api/annotations/queue?kind=score&limit=1&run={run['id']}",
    )
    data = {
        **shown,
        **found,
        "card": card,
        "states": STATES,
        "rows": figures(card) if card else [],
        "chart": slices_chart(card) if card else None,
        "which": WHICH,
        "judged": judged(found["jobs"].data or [], run["id"]),
        "judges": sorted(one["name"] for one in found["targets"].data or [] if one["name"] != run["plan"]["target"]),
        "may_write": view.may("evals:write"),
    }
    return Drawn("eval.html", f"Evaluation of {run['plan']['target']}", data, (f"freehold evals show {run['id']}",))


async def answers(view: View) -> Drawn:
    """Both sides of some calls of a run."""
    run = view.names["run"]
    which = view.query.get("which", "differ")
    told = await view.ask.get(
        named("/api/evals/{}/answers", run), which=which, after=view.query.get("after", ""), limit=PAGE_SIZE
    )
    data = {"told": told, "which": which, "kinds": WHICH, "may_write": view.may("evals:write")}
    command = f"freehold evals answers {told['run']} --which {which}"
    return Drawn("answers.html", f"Answers of {told['target']}", data, (command,))


async def start(view: View) -> Done:
    """Start one."""
    form = view.form
    body = {name: form[name] for name in STARTED_BY if form.get(name)}
    made = await view.ask.post("/api/evals", body)
    return Done(f"/evals/{made['run']['id']}", "It is queued; every call goes through the gateway.")


async def resume(view: View) -> Done:
    """Go on with one that stopped."""
    run = view.names["run"]
    body = {"budget": view.form["budget"]} if view.form.get("budget") else {}
    await view.ask.post(named("/api/evals/{}/resume", run), body)
    return Done(f"/evals/{run}", "It goes on; nothing that was graded is asked again.")


async def judge(view: View) -> Done:
    """Put a judge to work."""
    run = view.names["run"]
    body: dict[str, Any] = {"judge": view.form.get("judge", ""), "rubric": view.form.get("rubric", "")}
    if view.form.get("limit"):
        body["limit"] = view.form["limit"]
    await view.ask.post(named("/api/evals/{}/judge", run), body)
    return Done(f"/evals/{run}#judges", "The judge is queued: first it is measured against people, then it counts.")


def figures(card: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, candidate and incumbent of every figure of a scorecard."""
    noise, differs = card["noise"], "not measured"
    if noise is not None:
        differs = f"{percent(noise['mean'])} ({percent(noise['low'])} to {percent(noise['high'])})"
    return [
        ("mean score", percent(card["quality"]), percent(card["incumbent_quality"])),
        (f"tasks passed (score from {card['passes']:g})", percent(card["passed"]), NONE),
        ("latency, median", seconds(card["latency_p50"]), seconds(card["incumbent_p50"])),
        ("latency, 95th percentile", seconds(card["latency_p95"]), seconds(card["incumbent_p95"])),
        ("cost of a call", money(card["cost_call"]), NONE),
        ("cost of a passed task", money(card["cost_passed"]), NONE),
        ("calls whose scores differ", percent(card["discordance"]), NONE),
        ("differs from its own earlier answers", NONE, differs),
    ]


def slices_chart(card: dict[str, Any]) -> Any:
    """All calls and each part of them: difference with its interval, in points."""
    every = [("all calls", card["difference"])]
    every += [(f"{one['by']}: {one['name']}", one["difference"]) for one in card["slices"][:MOST_SLICES]]
    bars = [
        Bar(name, 100 * one["mean"], f"{100 * one['mean']:+.1f}", 100 * one["low"], 100 * one["high"])
        for name, one in every
    ]
    return charts.intervals("Candidate minus incumbent, points, with intervals", bars)


def judged(jobs: list[dict[str, Any]], run: str) -> list[dict[str, Any]]:
    """What judges said of a run, newest first."""
    return [one for one in jobs if one["kind"] == JUDGE and one["payload"].get("run") == run]


PAGES = (Page("/evals", index), Page("/evals/{run}", show), Page("/evals/{run}/answers", answers))
ACTIONS = (
    Action("/evals", start),
    Action("/evals/{run}/judge", judge),
    Action("/evals/{run}/resume", resume),
)
FILES = (File("/evals/{run}/scorecard.html", "/api/evals/{run}/page"),)
