"""`freehold overview`: how much of your AI you own, what it costs, whether it is safe, and what needs you."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import click

from freehold.cli.commands import Verb
from freehold.cli.output import emit_json, fields, json_option, say, table
from freehold.cli.place import Place
from freehold.core.money import usd

_COLUMNS = (("kind", "kind"), ("subject", "about"), ("told", "what"), ("due", "due"), ("command", "deal with it"))


@click.command(cls=Verb)
@click.option("--needs", is_flag=True, help="Show only what waits for a person.")
@json_option
@click.pass_obj
def overview(place: Place, *, needs: bool, as_json: bool) -> None:
    """Show this month at a glance: shares and spend of owned models, the rented baseline, and what needs somebody."""
    client = place.client()
    waiting = client.get("/api/overview/needs")["needs"]
    look = None if needs else client.get("/api/overview")
    if as_json:
        emit_json({"needs": waiting} if look is None else {**look, "needs": waiting})
        return
    if look is not None:
        _show(look)
        click.echo()
    if waiting:
        table(waiting, _COLUMNS)
    else:
        say("nothing needs you")


def _show(look: dict[str, Any]) -> None:
    sums, safety = look["sums"], look["safety"]
    calls = sums["calls"]
    since = datetime.fromtimestamp(look["since"], UTC).date().isoformat()
    share = f"{sums['owned_calls'] / calls:.1%} of {calls:,}" if calls else "no call yet"
    baseline = None
    if sums["what_if"] is not None:
        told = f"{_money(sums['what_if'])} for {sums['what_if_calls']:,} calls that did cost"
        baseline = f"{told} {_money(sums['what_if_cost'])}"
    fields(
        [
            ("since", f"{since} (source: {look['source']})"),
            ("calls on owned models", share),
            ("spend", f"{_money(sums['cost'])}, of it owned {_money(sums['owned_cost'])}"),
            ("rented baseline", baseline),
            ("p50, p95", f"{sums['p50']:.3f} s, {sums['p95']:.3f} s"),
            ("errors", sums["errors"]),
            ("found by guards", f"{safety['findings']} in {safety['looked_at']} calls, {safety['stopped']} stopped"),
            ("refused", ", ".join(f"{count} {code}" for code, count in safety["refused"].items()) or "0"),
        ]
    )


def _money(text: str) -> str:
    return usd(Decimal(text))
