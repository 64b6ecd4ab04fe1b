"""`freehold providers`: who serves models."""

from __future__ import annotations

from typing import Any

import click

from freehold.cli.client import segment
from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, json_option, mark, table
from freehold.cli.place import Place


@click.group(cls=Noun)
def providers() -> None:
    """Providers: vendors' APIs and engines of your own."""


@providers.command("list")
@click.option("--known", is_flag=True, help="List the vendors Freehold knows by name instead.")
@json_option
@click.pass_obj
def list_(place: Place, *, known: bool, as_json: bool) -> None:
    """List the providers in use."""
    names: tuple[str, ...]
    if known:
        from freehold.gateway.providers.vendors import VENDORS

        names = ("name", "base_url", "driver", "region", "key_env", "batches", "as_of")
        told = [(one, {"batches": one.batching.form if one.batching else ""}) for one in VENDORS]
        rows: list[dict[str, Any]] = [
            {name: more.get(name) if name in more else getattr(one, name) for name in names} for one, more in told
        ]
    else:
        names = ("name", "address", "driver", "owned", "regions", "targets", "key", "api_key")
        rows = place.client().get("/api/providers")
    if as_json:
        emit_json(rows)
    else:
        table(rows, [(name, name) for name in names])


@providers.command()
@click.argument("names", nargs=-1)
@json_option
@click.pass_context
def check(ctx: click.Context, names: tuple[str, ...], *, as_json: bool) -> None:
    """Ask providers (all, without a name) for their models, with your key and without content."""
    client = ctx.find_object(Place).client()  # type: ignore[union-attr]  # the group always sets it
    wanted = names or tuple(one["name"] for one in client.get("/api/providers"))
    found = [one for name in wanted for one in client.post(f"/api/providers/{segment(name)}/check")]
    if as_json:
        emit_json(found)
    else:
        for one in found:
            word = mark("ok", "green") if one["good"] else mark("fail", "red")
            click.echo(f"{word} {one['provider']} {one['address']}: {one['message']} ({one['seconds'] * 1000:.0f} ms)")
    if not all(one["good"] for one in found):
        ctx.exit(4)
