"""`freehold keys`: virtual keys of the running instance."""

from __future__ import annotations

import time
from typing import Any

import click

from freehold.cli.client import segment
from freehold.cli.commands import Noun
from freehold.cli.door import known_at_the_door
from freehold.cli.duration import DURATION
from freehold.cli.output import emit_json, fields, json_option, say, table
from freehold.cli.place import Place

PERIODS = ("hour", "day", "week", "month", "total")
_COLUMNS = (
    ("name", "name"),
    ("prefix", "key"),
    ("state", "state"),
    ("team", "team"),
    ("role", "role"),
    ("label", "label"),
    ("rights", "rights"),
    ("routes", "routes"),
    ("expires_at", "expires"),
    ("budget", "budget"),
)


@click.group(cls=Noun)
def keys() -> None:
    """Virtual keys: what applications call with. A secret is shown once, when it is made."""


def _settings(function: Any) -> Any:
    options = (
        click.option("--team", help="Team whose budget and usage it counts to."),
        click.option("--role", help="What it may do on the management API; developer: nothing."),
        click.option("--route", "routes", multiple=True, help="Route it may name; repeat for more. All without it."),
        click.option("--label", help="Default label of what it sends, such as internal or confidential:GDPR."),
        click.option(
            "--right", "rights", multiple=True, help="Named right, such as declassify; repeat for more. Owners only."
        ),
        click.option("--expires", type=DURATION, help="Time until it expires, such as 90d."),
        click.option("--requests-per-minute", type=click.IntRange(1), help="Most requests a minute."),
        click.option("--tokens-per-minute", type=click.IntRange(1), help="Most tokens a minute."),
        click.option("--budget", help="Most US dollars a period."),
        click.option("--period", type=click.Choice(PERIODS), help="The budget's period; month without it."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@keys.command()
@click.argument("name")
@_settings
@json_option
@click.pass_obj
def create(place: Place, /, name: str, *, as_json: bool, **given: Any) -> None:
    """Make a key. Without --label its content counts as top secret: only owned models take it."""
    made = place.client().post("/api/keys", {"name": name, **_body(given)})
    known_at_the_door(place.home, made["secret"])
    _show_secret(made, as_json=as_json)


@keys.command("list")
@click.option("--all", "every", is_flag=True, help="Revoked ones too.")
@json_option
@click.pass_obj
def list_(place: Place, *, every: bool, as_json: bool) -> None:
    """List the keys, oldest first."""
    found = [one for one in place.client().get("/api/keys") if every or one["state"] != "revoked"]
    if as_json:
        emit_json(found)
    else:
        table(found, _COLUMNS)


@keys.command()
@click.argument("name")
@json_option
@click.pass_obj
def show(place: Place, name: str, *, as_json: bool) -> None:
    """Show one key, by name or id."""
    _show(place.client().get(f"/api/keys/{segment(name)}"), as_json=as_json)


@keys.command()
@click.argument("name")
@_settings
@click.option("--no-rights", is_flag=True, help="Take every named right away.")
@json_option
@click.pass_obj
def update(place: Place, /, name: str, *, no_rights: bool, as_json: bool, **given: Any) -> None:
    """Change a key; what is not named stays."""
    body = _body(given)
    if no_rights:
        body["rights"] = []
    if not body:
        raise click.UsageError("name what to change, such as --label internal")
    _show(place.client().patch(f"/api/keys/{segment(name)}", body), as_json=as_json)


@keys.command()
@click.argument("name")
@click.option("--grace", type=DURATION, default="24h", show_default=True, help="How long the old secret still counts.")
@json_option
@click.pass_obj
def rotate(place: Place, name: str, grace: float, *, as_json: bool) -> None:
    """Give a key a new secret."""
    made = place.client().post(f"/api/keys/{segment(name)}/rotate", {"grace_seconds": grace})
    known_at_the_door(place.home, made["secret"])
    _show_secret(made, as_json=as_json)


@keys.command()
@click.argument("name")
@json_option
@click.pass_obj
def revoke(place: Place, name: str, *, as_json: bool) -> None:
    """End a key at once."""
    _show(place.client().post(f"/api/keys/{segment(name)}/revoke"), as_json=as_json)


@keys.command()
@click.argument("name")
@click.option("--why", required=True, help="Reason; kept in the audit.")
@json_option
@click.pass_obj
def erase(place: Place, name: str, why: str, *, as_json: bool) -> None:
    """Erase every body kept of calls by this key; the key and what the calls cost stay."""
    queued = place.client().post(f"/api/keys/{segment(name)}/erase", {"why": why})
    if as_json:
        emit_json(queued)
    else:
        click.echo(queued["job"])
        say("queued; the worker erases them in the background")


def _body(given: dict[str, Any]) -> dict[str, Any]:
    body = {name: value for name, value in given.items() if value not in (None, ())}
    expires = body.pop("expires", None)
    if expires is not None:
        body["expires_at"] = time.time() + expires
    return body


def _show_secret(made: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit_json(made)
        return
    click.echo(made["secret"])
    say(f"the key {made['name']!r} (default label: {made['label']}); shown this once, kept nowhere")


def _show(key: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit_json(key)
    else:
        fields((name.replace("_", " "), value) for name, value in key.items())
