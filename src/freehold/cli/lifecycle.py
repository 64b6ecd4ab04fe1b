"""`freehold lifecycle`: which routes lead to models whose end is announced, and the move away from them."""

from __future__ import annotations

from typing import Any

import click

from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, json_option, say, table
from freehold.cli.place import Place
from freehold.core.errors import NotFound

LEAD = 90
_QUIET = ("open", "own")


@click.group(cls=Noun)
def lifecycle() -> None:
    """Retirements of rented models: dates with their source, what they serve here, and what could replace them."""


@lifecycle.command("list")
@click.option("--all", "everything", is_flag=True, help="Also targets that nobody announced the end of, and your own.")
@click.option("--lead", type=click.IntRange(0, 3650), default=LEAD, show_default=True, help="Days a move is given.")
@json_option
@click.pass_context
def list_(ctx: click.Context, *, everything: bool, lead: int, as_json: bool) -> None:
    """List every target at risk: when it ends, how many days are left, which routes and workflows it serves.

    A model that no row names is `unknown`: ask its vendor. Exit 4 where one has ended or ends within the lead.
    """
    place = ctx.find_object(Place)
    assert place is not None
    found = place.client().get("/api/lifecycle", lead_days=lead)
    shown = [one for one in found if everything or one["state"] not in _QUIET]
    if as_json:
        emit_json(shown)
    else:
        _print(shown)
    if any(one["late"] for one in shown):
        ctx.exit(4)


@lifecycle.command()
@click.argument("target")
@click.option("--start", is_flag=True, help="Begin the moves; without it they are only shown.")
@json_option
@click.pass_obj
def move(place: Place, target: str, *, start: bool, as_json: bool) -> None:
    """Open a move for each workflow TARGET served lately: to what was measured best, else to what can be trained."""
    client = place.client()
    one = next((one for one in client.get("/api/lifecycle", lead_days=LEAD) if one["target"] == target), None)
    if one is None:
        raise NotFound(f"there is no target {target!r}", hint="see them: freehold lifecycle list --all")
    if not one["workflows"]:
        raise NotFound(f"{target} served no workflow lately", hint="find them first: freehold workflows discover")
    measured = {each["workflow"]: each["target"] for each in one["evaluated"] if each["owned"]}
    begun = []
    for workflow in one["workflows"]:
        wish: dict[str, Any] = {"workflow": workflow, "incumbent": target, "dry_run": not start}
        if workflow in measured:
            wish |= {"candidate": measured[workflow], "recipe": "none"}
        begun.append(client.post("/api/moves", wish))
    if as_json:
        emit_json(begun)
        return
    for each in begun:
        click.echo(f"{each['name']}: {'begun' if start else 'would begin'}, {each['stage']}")
    if not start:
        say("begin them: freehold lifecycle move TARGET --start")


def _print(found: list[dict[str, Any]]) -> None:
    if not found:
        say("no target's end is announced")
        return
    rows = [
        {
            "target": one["target"],
            "model": one["model"],
            "state": one["state"],
            "ends": one["ends_on"],
            "days": "" if one["days_left"] is None else one["days_left"],
            "routes": ", ".join(one["routes"]),
            "workflows": len(one["workflows"]) or "",
            "replacement": one["replacement"],
            "measured": ", ".join(f"{each['target']} ({each['low']:+.1%} at worst)" for each in one["evaluated"]),
        }
        for one in found
    ]
    table(rows, [(name, name) for name in rows[0]])
    for source in sorted({f"{one['source']} ({one['as_of']})" for one in found if one["source"]}):
        say(f"  {source}")
