"""`freehold usage`: tokens, money and time in groups."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import click

from freehold.cli.commands import Verb
from freehold.cli.output import emit_json, json_option, table
from freehold.cli.place import Place
from freehold.cli.wanted import query, wanted_options
from freehold.core.money import usd

GROUPS = ("day", "key", "route", "target", "team", "workflow")


@click.command(cls=Verb)
@click.option("--by", default="target", show_default=True, help=f"Groups, by commas, of: {', '.join(GROUPS)}.")
@click.option("--budgets", is_flag=True, help="Show how the budgets stand instead.")
@wanted_options
@json_option
@click.pass_obj
def usage(place: Place, /, by: str, *, budgets: bool, as_json: bool, **given: Any) -> None:
    """Print what was used and what it cost, beside what the same tokens would have cost rented.

    Freehold's own calls (evaluations, shadows, judges) stand apart from callers'.
    """
    client = place.client()
    if budgets:
        standings = client.get("/api/budgets")
        if as_json:
            emit_json(standings)
        else:
            amounts = ("limit", "spent", "held", "available")
            rows = [{**one, **{name: usd(Decimal(one[name])) for name in amounts}} for one in standings]
            table(rows, [(name, name) for name in ("budget", "period", *amounts)])
        return
    names = [one.strip() for one in by.split(",") if one.strip()]
    unknown = [one for one in names if one not in GROUPS]
    if unknown:
        raise click.UsageError(f"cannot group by {', '.join(unknown)}: use some of {', '.join(GROUPS)}")
    found = client.get("/api/usage", by=names, **query(given))
    if as_json:
        emit_json(found)
        return
    columns = [*((name, name) for name in names), *_COLUMNS]
    callers = [one for one in found if not one["own"]]
    own = [one for one in found if one["own"]]
    table([_row(names, one) for one in callers], columns)
    if own:
        click.echo("\nFreehold's own calls: evaluations, shadows and judges")
        table([_row(names, one) for one in own], columns)


_COLUMNS = (
    ("calls", "calls"),
    ("errors", "errors"),
    ("input", "input"),
    ("cached", "cached"),
    ("output", "output"),
    ("cost", "cost"),
    ("rented", "rented price"),
    ("p50", "p50"),
    ("p95", "p95"),
)


def _row(names: list[str], one: dict[str, Any]) -> dict[str, Any]:
    counts = one["usage"]
    return {
        **{name: value or "-" for name, value in zip(names, one["names"], strict=True)},
        "calls": one["calls"],
        "errors": one["errors"],
        "input": counts.get("input", 0),
        "cached": counts.get("cached", 0),
        "output": counts.get("output", 0),
        "cost": usd(Decimal(one["cost"])),
        "rented": _rented(one),
        "p50": f"{one['p50']:.2f} s",
        "p95": f"{one['p95']:.2f} s",
    }


def _rented(one: dict[str, Any]) -> str:
    """Known only of calls on routes with a baseline: where those are not all, how many, and what they did cost."""
    if one["what_if"] is None:
        return "-"
    rented = usd(Decimal(one["what_if"]))
    if one["what_if_calls"] == one["calls"]:
        return rented
    return (
        f"{rented} ({one['what_if_calls']} of {one['calls']} calls, at a cost of {usd(Decimal(one['what_if_cost']))})"
    )
