"""`freehold prices`: what rented models cost here, with source and date. Asks no network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.commands import Verb
from freehold.cli.output import emit_json, fields, json_option, say, table
from freehold.cli.place import Place

if TYPE_CHECKING:
    from datetime import date

    from freehold.planner.contract import Contract
    from freehold.planner.prices import Quote
    from freehold.planner.types import Range

_COLUMNS = (
    ("model", "model"),
    ("input", "input"),
    ("output", "output"),
    ("cached", "cached"),
    ("tiers", "tiers"),
    ("since", "since"),
)
_CURVE = (("loss", "quality lost, at most"), ("saving", "saving"), ("monthly", "USD a month"), ("moved", "moved"))


@click.command(cls=Verb)
@click.argument("model", required=False)
@click.option("--explain", is_flag=True, help="Say where each figure of MODEL comes from, and since when.")
@click.option("--date", "day", help="Day whose prices count, YYYY-MM-DD; today without it.")
@click.option("--batch", is_flag=True, help="Prices for batches, where the book has them.")
@click.option("--provider", default="", help="List only this provider's models.")
@click.option(
    "--seed", is_flag=True, help="Closed and open list prices side by side: medians, or with --weights yours."
)
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CSV of usage by model.")
@click.option(
    "--curve",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV of measured targets by workflow: the saving over the quality that may be lost.",
)
@json_option
@click.pass_obj
def prices(place: Place, /, model: str | None, *, as_json: bool, **given: Any) -> None:
    """List what rented models cost, in US dollars per million tokens; with MODEL (provider/model) that one.

    Contracts of [plan] in freehold.toml stand before list prices. Where two sources differ by more than 1 %, the price
    is a range.
    """
    from freehold.cli.plan import day_of

    when = day_of(given["day"])
    if given["curve"] is not None:
        _curve(given["curve"], as_json=as_json)
    elif given["seed"] or given["weights"] is not None:
        _seed(given["weights"], when, as_json=as_json)
    elif model is None:
        _list(when, given["provider"], as_json=as_json)
    else:
        _one(place, model, when, given, as_json=as_json)


def _list(when: date, provider: str, *, as_json: bool) -> None:
    import msgspec

    from freehold.planner.book import everything

    found = [one for one in everything(when) if not provider or one.provider == provider]
    if as_json:
        emit_json(msgspec.to_builtins(found))
        return
    rows = [
        {
            "model": f"{one.provider}/{one.model}",
            "input": one.input,
            "output": one.output,
            "cached": one.cached,
            "tiers": f"from {min(step.start for steps in one.tiers.values() for step in steps)}" if one.tiers else "",
            "since": one.since,
        }
        for one in found
    ]
    table(rows, _COLUMNS)
    if found:
        say(f"US dollars per million tokens; {found[0].source}, as of {found[0].as_of}")


def _one(place: Place, model: str, when: date, given: dict[str, Any], *, as_json: bool) -> None:
    import msgspec

    from freehold.planner.book import history
    from freehold.planner.prices import quote

    found = quote(model, when, _contract(place), batch=given["batch"])
    provider, _, name = model.partition("/")
    changed = history(provider, name)
    if as_json:
        emit_json({**msgspec.to_builtins(found), "changed_on": changed})
        return
    fields([("model", found.model), ("input", _range(found.input)), ("output", _range(found.output))])
    fields([("cached", _range(found.cached)), ("discount", f"{found.discount:.0%}" if found.discount else "")])
    fields([("note", found.note)])
    if given["explain"]:
        _explain(found, changed)


def _explain(found: Quote, changed: tuple[str, ...]) -> None:
    rows = [
        {
            "what": one.what,
            "input": one.input,
            "output": one.output,
            "cached": one.cached,
            "since": one.since,
            "source": one.source,
            "as of": one.as_of,
        }
        for one in found.sources
    ]
    names = ("what", "input", "output", "cached", "since", "source", "as of")
    table(rows, [(name, name) for name in names])
    for side, steps in found.tiers.items():
        for step in steps:
            click.echo(f"{side}: {step.price:g} for all tokens of a call with {step.start:,} tokens of prompt or more")
    if changed:
        click.echo(f"changed on {', '.join(changed)}")


def _range(one: Range) -> str:
    return f"{one.p50:g}" if one.p10 == one.p90 else f"{one.p50:g} ({one.p10:g} to {one.p90:g})"


def _contract(place: Place) -> Contract:
    from freehold.planner.preparing import contract_of
    from freehold.settings.load import load

    return contract_of(load(place.config, place.home_option).settings.plan)


def _seed(weights: Path | None, when: date, *, as_json: bool) -> None:
    import msgspec

    from freehold.planner.seed import read_weights, unweighted, weighted

    found = unweighted(when) if weights is None else weighted(read_weights(weights), when, str(weights))
    if as_json:
        emit_json(msgspec.to_builtins(found))
        return
    fields(
        [
            ("closed", f"{found.closed:.2f} US dollars per million tokens, {found.models_closed} models"),
            ("open", f"{found.open:.2f} US dollars per million tokens, {found.models_open} models"),
            ("lower by", f"{found.lower_by:.0%}"),
            ("as of", f"{found.as_of}, {found.source}"),
        ]
    )
    say(f"what this is: {found.what}")


def _curve(path: Path, *, as_json: bool) -> None:
    import msgspec

    from freehold.planner.seed import read_measured, reallocation

    found = reallocation(read_measured(path))
    if as_json:
        emit_json(msgspec.to_builtins(found))
        return
    rows = [
        {
            "loss": f"{one.loss * 100:g} points",
            "saving": f"{one.saving:.1%}",
            "monthly": f"{one.monthly:,.0f}",
            "moved": one.moved,
        }
        for one in found
    ]
    table(rows, _CURVE)
    say("each workflow at its cheapest target that is good enough, as measured; moving itself is not in it")
