"""`freehold evals`: candidates measured on recorded calls."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.client import segment
from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, fields, json_option, say, table
from freehold.cli.place import Place

if TYPE_CHECKING:
    from freehold.cli.client import Client

POLL_SECONDS = 1.0
GATE_NOT_PASSED = 4
_ENDED = ("done", "failed", "stopped")
_COLUMNS = (
    ("id", "evaluation"),
    ("at", "started"),
    ("workflow", "workflow"),
    ("target", "target"),
    ("grader", "grader"),
    ("state", "state"),
    ("error", "why"),
)
_FOUND = (
    ("policy", "policy"),
    ("kept", "kept"),
    ("delta", "difference"),
    ("proven", "proven to"),
    ("pairs", "pairs"),
    ("cost", "cost a call"),
    ("latency", "95 % within"),
    ("verdict", ""),
)
_WHICH = ("all", "better", "differ", "failed", "ungraded", "worse")
_ANSWERS = (
    ("record", "record"),
    ("score", "candidate's score"),
    ("reference_score", "incumbent's"),
    ("recorded", "recorded"),
    ("candidate", "candidate"),
)
_MOST_SAID = 60
_SHOWN = 12


@click.group(cls=Noun)
def evals() -> None:
    """Evaluations: a candidate answers recorded calls, and its answers are graded beside the incumbent's."""


@evals.command()
@click.argument("workflow")
@click.option("--target", required=True, help="Target or composite to evaluate.")
@click.option("--grader", default="", help="Grader; chosen from the shape of the answers without it.")
@click.option("--options", default="{}", help="The grader's options, as JSON.")
@click.option("--reference", type=click.Choice(("incumbent", "annotations")), help="What answers are graded against.")
@click.option("--since", type=float, help="Unix seconds: only calls from then on.")
@click.option("--until", type=float, help="Unix seconds: only calls before.")
@click.option("--limit", type=click.IntRange(1), help="Most calls, the latest ones; 1000 without it.")
@click.option("--incumbent", default="", help="Target asked once more about some calls, to measure its own noise.")
@click.option("--noise", type=click.IntRange(0), help="How many calls those are; 100 without it.")
@click.option("--timeout", type=float, help="Seconds until an answer counts as none; 120 without it.")
@click.option("--budget", help="US dollars it may spend.")
@click.option("--embedder", default="", help="Target that embeds, for the grader embedding.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Stay until it ends, and print the scorecard.")
@json_option
@click.pass_obj
def run(place: Place, /, workflow: str, *, wait: bool, as_json: bool, **given: Any) -> None:
    """Evaluate a target on a workflow's recorded calls. The worker does it; every call goes through the gateway."""
    try:
        given["options"] = json.loads(given["options"])
    except ValueError:
        raise click.BadParameter("not a JSON object", param_hint="--options") from None
    client = place.client()
    body = {name: value for name, value in given.items() if value not in (None, "", {})}
    started = client.post("/api/evals", {"workflow": workflow, **body})
    _end(client, started, wait=wait, as_json=as_json)


@evals.command()
@click.argument("evaluation")
@click.option("--budget", help="US dollars it may spend in all; as before without it.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Stay until it ends, and print the scorecard.")
@json_option
@click.pass_obj
def resume(place: Place, evaluation: str, budget: str | None, *, wait: bool, as_json: bool) -> None:
    """Go on with one that stopped or failed; nothing that was graded is asked again."""
    client = place.client()
    body = {} if budget is None else {"budget": budget}
    _end(client, client.post(f"/api/evals/{segment(evaluation)}/resume", body), wait=wait, as_json=as_json)


@evals.command()
@click.argument("evaluation")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Also write the scorecard as a page.")
@json_option
@click.pass_obj
def show(place: Place, evaluation: str, html: Path | None, *, as_json: bool) -> None:
    """Print one evaluation with its scorecard."""
    client = place.client()
    found = client.get(f"/api/evals/{segment(evaluation)}")
    if html is not None:
        html.write_bytes(b"".join(client.lines(f"/api/evals/{segment(evaluation)}/page")))
        say(f"written to {html}")
    _show(found, as_json=as_json)


@evals.command("list")
@click.option("--workflow", default="", help="Only of this workflow.")
@json_option
@click.pass_obj
def list_(place: Place, workflow: str, *, as_json: bool) -> None:
    """List the evaluations, newest first."""
    client = place.client()
    found = client.get("/api/evals", workflow=workflow)
    if as_json:
        emit_json(found)
        return
    names = {one["workflow"]["id"]: one["workflow"]["name"] for one in client.get("/api/workflows")}
    rows = [
        {
            **one,
            "at": f"{datetime.fromtimestamp(one['at'], UTC):%Y-%m-%d %H:%M}",
            "workflow": names.get(one["plan"]["workflow"], one["plan"]["workflow"]),
            "target": one["plan"]["target"],
            "grader": one["plan"]["grader"]["kind"],
        }
        for one in found
    ]
    table(rows, _COLUMNS)


@evals.command()
@click.argument("evaluation")
@click.option("--which", type=click.Choice(_WHICH), default="differ", show_default=True, help="Which of them.")
@click.option("--after", default="", help="Record to go on from, as the end of the list before says.")
@click.option("--limit", type=click.IntRange(1, 20), default=10, show_default=True, help="How many.")
@json_option
@click.pass_obj
def answers(place: Place, /, evaluation: str, *, as_json: bool, **wanted: Any) -> None:
    """Print recorded and candidate's answers side by side; words only for who may read bodies."""
    found = place.client().get(f"/api/evals/{segment(evaluation)}/answers", **wanted)
    if as_json:
        emit_json(found)
        return
    rows = [{**one, **{side: _said(one[side]) for side in ("recorded", "candidate")}} for one in found["found"]]
    table(rows, _ANSWERS)
    if found["next"]:
        say(f"and more; see them with: --after {found['next']}")


@evals.command()
@click.argument("evaluation")
@click.option("--judge", "who", required=True, help="Target that judges; not the candidate.")
@click.option("--rubric", default="", help="What it judges by; correctness and form without it.")
@click.option("--limit", type=click.IntRange(30, 10_000), default=500, show_default=True, help="Most answers judged.")
@json_option
@click.pass_obj
def judge(place: Place, evaluation: str, who: str, rubric: str, limit: int, *, as_json: bool) -> None:
    """Have a model score the candidate's answers, measured against people first; exit code 4 where it is refused.

    At least 30 of the answers must have scores of people: freehold annotations import.
    """
    client = place.client()
    body = {"judge": who, "rubric": rubric, "limit": limit}
    job = client.post(f"/api/evals/{segment(evaluation)}/judge", body)["job"]
    found = client.get(f"/api/jobs/{segment(job)}")
    while found["state"] not in _ENDED:
        time.sleep(POLL_SECONDS)
        found = client.get(f"/api/jobs/{segment(job)}")
    if as_json:
        emit_json(found)
    else:
        _judged(found)
    if found["state"] != "done" or "refused" in found["result"]:
        click.get_current_context().exit(GATE_NOT_PASSED)


@evals.command()
@click.argument("workflow")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(("single", "agreement", "confidence")),
    help="What to try; singles and agreeing pairs without it. Repeat for more.",
)
@click.option("--margin", type=float, default=0.03, show_default=True, help="Greatest acceptable loss of mean score.")
@click.option("--alpha", type=float, default=0.05, show_default=True, help="Error rate of the whole search.")
@click.option("--cost", type=float, help="US dollars a call may cost on average.")
@click.option("--latency", type=float, help="Seconds within which 95 % of calls must end.")
@json_option
@click.pass_obj
def search(place: Place, /, workflow: str, *, kinds: tuple[str, ...], as_json: bool, **bounds: Any) -> None:
    """Find the best single model or pair among the evaluated candidates. Asks nobody; exit code 4 where none is proven.

    Every policy tried is paid for: the error rate is split over all of them.
    """
    given = {name: value for name, value in bounds.items() if value is not None}
    body = {"workflow": workflow, **given, **({"kinds": kinds} if kinds else {})}
    found = place.client().post("/api/evals/search", body)
    if as_json:
        emit_json(found)
    else:
        _searched(found)
    if found["best"] is None:
        click.get_current_context().exit(GATE_NOT_PASSED)


def _said(one: dict[str, Any] | None) -> str:
    """An answer in one line."""
    if one is None:
        return "-"
    if one["text"] is None:
        return f"{one['characters']} characters"
    calls = [f"{name}({arguments})" for name, arguments in one["tool_calls"]]
    return " ".join(" ".join([one["text"], *calls]).split())[:_MOST_SAID]


def _searched(found: dict[str, Any]) -> None:
    rows = [
        {
            "policy": _policy(one["policy"]),
            "kept": f"{one['kept']:.1%}",
            "delta": f"{100 * one['delta']:+.2f}",
            "proven": f"{-100 * one['proven_margin']:+.2f}",
            "pairs": one["pairs"],
            "cost": _dollars(one["cost"]),
            "latency": "-" if one["latency"] is None else f"{one['latency']:.2f} s",
            "verdict": "proven" if one["accepted"] else "not proven",
        }
        for one in found["found"][:_SHOWN]
    ]
    table(rows, _FOUND)
    if len(found["found"]) > _SHOWN:
        say(f"and {len(found['found']) - _SHOWN} more; see them all with --json")
    best, crossfit = found["best"], found["delta_crossfit"]
    crossed = "-" if crossfit is None else f"{100 * crossfit:+.2f} points on calls that did not choose it"
    fields(
        [
            ("best", _policy(best["policy"]) if best else f"none is proven within {100 * found['margin']:g} points"),
            ("cross-fitted", crossed),
            ("tried", f"{found['considered']} policies, each tested at {found['alpha']:.2g}"),
        ]
    )


def _dollars(cost: float | None) -> str:
    if cost is None:
        return "-"
    return f"${cost:.6f}" if cost else "$0"


def _judged(found: dict[str, Any]) -> None:
    result = found["result"]
    if "powered" not in result:
        fields([("refused", result.get("refused", found["error"]))])
        return
    powered = result["powered"]
    fields(
        [
            ("people would say", f"{powered['mean']:.3f} ({powered['low']:.3f} to {powered['high']:.3f})"),
            ("the judge alone says", f"{powered['judge_alone']:.3f}; never for a decision"),
            ("correlation with people", f"{powered['correlation']:.2f} on {result['labels']} answers"),
            ("judged", f"{result['judged']}, silent on {result['silent']}"),
        ]
    )


def _policy(one: dict[str, Any]) -> str:
    members = one["members"]
    if one["kind"] == "confidence":
        return f"{members[0]} at confidence {one['threshold']:g}"
    return " + ".join(members)


def _end(client: Client, started: dict[str, Any], *, wait: bool, as_json: bool) -> None:
    """Wait for the end of a run, telling how far it is."""
    number = started["run"]["id"]
    if not wait:
        if as_json:
            emit_json(started)
        else:
            click.echo(number)
            say(f"queued; see it with: freehold evals show {number}")
        return
    told = -1
    while True:
        found = client.get(f"/api/evals/{segment(number)}")
        total = found["run"]["examples"]
        tenth = 10 * found["graded"] // total if total else 0
        if tenth > told:
            told = tenth
            say(f"{datetime.now(UTC):%H:%M:%S}  {found['graded']} of {total or '?'} graded")
        if found["run"]["state"] in _ENDED:
            break
        time.sleep(POLL_SECONDS)
    _show(found, as_json=as_json)
    if found["run"]["state"] != "done":
        click.get_current_context().exit(1)


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit_json(found)
        return
    one = found["run"]
    if found["scorecard"] is None:
        plan = one["plan"]
        pairs = [("evaluation", one["id"]), ("workflow", plan["workflow"]), ("target", plan["target"])]
        graded = f"{found['graded']} of {one['examples'] or '?'}"
        fields(
            [
                *pairs,
                ("grader", plan["grader"]["kind"]),
                ("state", one["state"]),
                ("graded", graded),
                ("why", one["error"]),
            ]
        )
        return
    import msgspec
    from rich.console import Console

    from freehold.evals.drawing import terminal
    from freehold.evals.scorecards import Scorecard

    Console().print(terminal(msgspec.convert(found["scorecard"], Scorecard)))
