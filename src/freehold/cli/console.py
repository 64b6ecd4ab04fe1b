"""`freehold console`: the way into the console, and the browsers that are signed in."""

from __future__ import annotations

import click

from freehold.cli.client import segment
from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, json_option, say, table
from freehold.cli.place import Place

_COLUMNS = (("id", "browser"), ("by", "by"), ("who", "who"), ("seen_at", "seen"), ("expires_at", "ends"))


@click.group(cls=Noun, invoke_without_command=True)
@click.option("--open", "opened", is_flag=True, help="Open it in a browser of this machine.")
@json_option
@click.pass_context
def console(ctx: click.Context, *, opened: bool, as_json: bool) -> None:
    """The console in a browser: print a link that signs one browser in as you, once, within fifteen minutes."""
    if ctx.invoked_subcommand is not None:
        return
    place = ctx.find_object(Place)
    assert place is not None
    client = place.client()
    made = client.post("/api/console/links", {})
    address = f"{client.address}{made['path']}"
    if as_json:
        emit_json({"address": address, "expires_at": made["expires_at"]})
    else:
        click.echo(address)
    if opened:
        import webbrowser

        webbrowser.open(address)


@console.command()
@json_option
@click.pass_obj
def sessions(place: Place, *, as_json: bool) -> None:
    """List browsers that are signed in."""
    found = place.client().get("/api/console/sessions")
    if as_json:
        emit_json(found)
    else:
        table(found, _COLUMNS)


@console.command()
@click.argument("browser")
@json_option
@click.pass_obj
def revoke(place: Place, browser: str, *, as_json: bool) -> None:
    """Sign a browser out."""
    told = place.client().post(f"/api/console/sessions/{segment(browser)}/revoke", {})
    if as_json:
        emit_json(told)
    else:
        say(f"{browser} is signed out")
