"""`freehold vault`: the keys that stand-ins are drawn with."""

from __future__ import annotations

import click

from freehold.cli.client import segment
from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, json_option, say, table
from freehold.cli.place import Place

_COLUMNS = (("tenant", "tenant"), ("made_at", "made"))


@click.group(cls=Noun)
def vault() -> None:
    """Keys of the pseudonym vault: one a tenant, made when its first text goes out with stand-ins."""


@vault.command("list")
@json_option
@click.pass_obj
def list_(place: Place, *, as_json: bool) -> None:
    """List the tenants that have a key."""
    found = place.client().get("/api/vault")
    if as_json:
        emit_json(found)
    else:
        table(found, _COLUMNS)


@vault.command()
@click.argument("tenant")
@click.option("--why", required=True, help="Reason; kept in the audit.")
@json_option
@click.pass_obj
def erase(place: Place, tenant: str, why: str, *, as_json: bool) -> None:
    """Destroy a tenant's key: nobody can lead its stand-ins back any more. The next call makes a new one."""
    erased = place.client().post(f"/api/vault/{segment(tenant)}/erase", {"why": why})
    if as_json:
        emit_json(erased)
    else:
        click.echo(erased["tenant"])
        say("its key is destroyed; gateways have noticed already")
