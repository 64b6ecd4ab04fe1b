"""`freehold routes`: what clients may name in `model`, and why a call would go where."""

from __future__ import annotations

from typing import Any

import click

from freehold.cli.client import segment
from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, fields, json_option, table
from freehold.cli.place import Place


@click.group(cls=Noun)
def routes() -> None:
    """Routes: names that lead to targets."""


@routes.command("list")
@click.option("--targets", is_flag=True, help="List the targets instead.")
@json_option
@click.pass_obj
def list_(place: Place, *, targets: bool, as_json: bool) -> None:
    """List every route with its steps."""
    client = place.client()
    found = client.get("/api/targets" if targets else "/api/routes")
    if as_json:
        emit_json(found)
    elif targets:
        names = ("name", "provider", "model", "owned", "region", "clearance", "price")
        table([{**one, "price": _price(one["price"])} for one in found], [(name, name) for name in names])
    else:
        rows = [{**one, "steps": _steps(one["steps"])} for one in found]
        table(rows, [(name, name) for name in ("name", "steps", "aliases", "baseline", "label", "budgets")])


@routes.command()
@click.argument("route")
@json_option
@click.pass_obj
def show(place: Place, route: str, *, as_json: bool) -> None:
    """Print one route, by name or alias."""
    found = place.client().get(f"/api/routes/{segment(route)}")
    if as_json:
        emit_json(found)
    else:
        fields((name, value) for name, value in {**found, "steps": _steps(found["steps"])}.items())


@routes.command()
@click.argument("route")
@click.option("--label", default="", help="Label of the content, such as restricted or confidential:GDPR.")
@click.option("--key", default="", help="Name of the key that would call; its label and scope count.")
@click.option("--conversation", default="", help="A conversation's name, to see where it sticks.")
@json_option
@click.pass_obj
def explain(place: Place, route: str, label: str, key: str, conversation: str, *, as_json: bool) -> None:
    """Say why a call would go where. Sends nothing. Without label and key the content counts as top secret."""
    found = place.client().get(f"/api/routes/{segment(route)}/explain", label=label, key=key, conversation=conversation)
    if as_json:
        emit_json(found)
        return
    chosen = found["chosen"] or "nowhere: no target may take it"
    click.echo(f"{found['route']} for {found['label']} content: {chosen}")
    rows = [{**one, "order": one["order"] or "never", "share": f"{one['share']:.0%}"} for one in found["considered"]]
    table(rows, [("order", "tried"), ("target", "target"), ("tier", "step"), ("share", "share"), ("reason", "why")])
    moved = [{**one, "share": f"{one['share']:.0%}", "drawn": _drawn(one)} for one in found["overlays"]]
    if moved:
        click.echo("calls of these workflows go elsewhere first:")
        columns = (("workflow", "workflow"), ("target", "target"), ("share", "share"), ("drawn", "this conversation"))
        table(moved, [*columns, ("reason", "why")])
    click.echo(f"policy version {found['policy_version']}, routes version {found['routes_version']}")


def _drawn(overlay: dict[str, Any]) -> str:
    if not overlay["allowed"]:
        return "never"
    return "-" if overlay["drawn"] is None else "yes" if overlay["drawn"] else "no"


def _steps(steps: list[list[dict[str, Any]]]) -> str:
    def arms(step: list[dict[str, Any]]) -> str:
        if len(step) == 1:
            return str(step[0]["target"])
        return " | ".join(f"{one['target']} ({one.get('weight', 1.0):g})" for one in step)

    return ", then ".join(arms(step) for step in steps)


def _price(price: dict[str, Any]) -> str:
    if price["source"] == "not set":
        return "-"
    return f"${price['input']} in, ${price.get('output', '0')} out ({price['source']}, {price['as_of']})"
