"""`freehold gap`: how far owned and open models are behind rented ones, since when not, and what waiting costs."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.commands import Verb
from freehold.cli.output import emit_json, json_option, say, table
from freehold.cli.place import Place
from freehold.core.errors import NotRunning

if TYPE_CHECKING:
    from freehold.planner.gap import Dated, Gap

_COLUMNS = (
    ("task", "task"),
    ("rented", "best rented"),
    ("open", "best owned or open"),
    ("gap", "gap, points"),
    ("closed", "closed since"),
    ("choice", "cheapest that is good enough"),
    ("waiting", "waiting costs a month"),
)
_STEPS = (("day", "day"), ("rented", "best rented"), ("open", "best owned or open"), ("gap", "gap, points"))
_DAYS = 30.4375


@click.command(cls=Verb)
@click.argument("task", required=False)
@click.option("--scores", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CSV of dated scores.")
@click.option("--public", is_flag=True, help="Public rows alone; no instance is asked.")
@click.option(
    "--margin", type=click.FloatRange(0, 1), default=0.03, show_default=True, help="Quality that may be lost."
)
@click.option("--date", "day", help="Day to look from, YYYY-MM-DD; today without it.")
@json_option
@click.pass_obj
def gap(place: Place, /, task: str | None, *, as_json: bool, **given: Any) -> None:
    """Show the gap between the best rented and the best owned or open model, by workflow and public task.

    From scorecards and dated rows only; nothing is extrapolated. With TASK, how it came about.
    """
    import msgspec

    from freehold.cli.plan import day_of
    from freehold.planner.gap import gaps, public

    rows: tuple[Dated, ...] = public(given["scores"])
    calls: dict[str, float] = {}
    if not given["public"]:
        try:
            mine, calls = _instance(place)
            rows = (*mine, *rows)
        except NotRunning as error:
            say(f"public rows alone: {error.message}")
    found = [one for one in gaps(rows, given["margin"], day_of(given["day"]), calls) if task in (None, one.task)]
    if not found:
        raise click.UsageError("no scorecard and no dated row is about that")
    if as_json:
        emit_json(msgspec.to_builtins(found))
    elif task is None:
        table([_row(one) for one in found], _COLUMNS)
    else:
        _history(found[0])


def _instance(place: Place) -> tuple[tuple[Dated, ...], dict[str, float]]:
    """Scorecards of the instance, and its calls a month by workflow."""
    import msgspec

    from freehold.planner.gap import measured
    from freehold.planner.observed import Observed

    client = place.client()
    workflows = msgspec.convert(client.get("/api/plans/sources")["workflows"], tuple[Observed, ...])
    costs: dict[str, float] = {}
    calls: dict[str, float] = {}
    for one in client.get("/api/usage", by=["workflow"]):
        if not one["own"] and one["calls"]:
            costs[one["names"][0]] = float(Decimal(one["cost"]) / one["calls"])
    for workflow in workflows:
        if workflow.facts.days:
            calls[workflow.name] = workflow.calls * _DAYS / max(workflow.facts.days, 1.0)
    return measured(workflows, costs), calls


def _row(one: Gap) -> dict[str, Any]:
    last = one.steps[-1] if one.steps else None
    return {
        "task": one.task,
        "rented": _side(last.rented, last.rented_model) if last else "-",
        "open": _side(last.open, last.open_model) if last else "-",
        "gap": "-" if one.gap is None else f"{one.gap * 100:+.1f}",
        "closed": one.closed_on or ("open" if one.gap is not None else "not measured"),
        "choice": one.open_choice,
        "waiting": "-" if one.waiting is None else f"{one.waiting:,.0f}",
    }


def _side(quality: float | None, model: str) -> str:
    return "-" if quality is None else f"{quality:.1%} {model}"


def _history(one: Gap) -> None:
    rows = [
        {
            "day": step.day,
            "rented": _side(step.rented, step.rented_model),
            "open": _side(step.open, step.open_model),
            "gap": "-" if step.rented is None or step.open is None else f"{(step.rented - step.open) * 100:+.1f}",
        }
        for step in one.steps
    ]
    table(rows, _STEPS)
    if one.rented_cost is not None and one.open_cost is not None:
        click.echo(f"{one.unit}: rented {one.rented_cost:.4g}, {one.open_choice} {one.open_cost:.4g}")
    if one.waited is not None:
        click.echo(f"waiting since {one.closed_on} has cost {one.waited:,.0f} US dollars at today's volume and prices")
