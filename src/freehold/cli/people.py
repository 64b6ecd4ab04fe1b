"""`freehold people`: who signed in, their roles and sessions, and break-glass."""

from __future__ import annotations

from typing import Any

import click

from freehold.cli.client import segment
from freehold.cli.commands import Noun
from freehold.cli.duration import DURATION
from freehold.cli.output import emit_json, fields, json_option, say, table
from freehold.cli.place import Place

_COLUMNS = (
    ("name", "name"),
    ("state", "state"),
    ("role", "role"),
    ("role_from", "from"),
    ("groups", "groups"),
    ("sessions", "sessions"),
    ("signed_in_at", "signed in"),
)
_GLASS = (
    ("id", "id"),
    ("state", "state"),
    ("right", "right"),
    ("key", "key"),
    ("asked_by", "asked by"),
    ("approved_by", "approved by"),
    ("until", "until"),
    ("why", "why"),
)


@click.group(cls=Noun)
def people() -> None:
    """People who sign in: their roles and sessions; and break-glass, which takes two of them."""


@people.command("list")
@json_option
@click.pass_obj
def list_(place: Place, *, as_json: bool) -> None:
    """List everybody who signed in or is known to the directory."""
    found = place.client().get("/api/people")
    if as_json:
        emit_json(found)
    else:
        table(found, _COLUMNS)


@people.command()
@click.argument("name")
@json_option
@click.pass_obj
def show(place: Place, name: str, *, as_json: bool) -> None:
    """Show one person, by e-mail address, user name or id."""
    _show(place.client().get(f"/api/people/{segment(name)}"), as_json=as_json)


@people.command()
@click.argument("name")
@click.argument("role", required=False)
@click.option("--by-groups", is_flag=True, help="Let the person's groups decide again.")
@json_option
@click.pass_obj
def role(place: Place, name: str, role: str | None, *, by_groups: bool, as_json: bool) -> None:
    """Give a person a ROLE, whatever their groups say: owner, operator, auditor, finance or developer. Owners only."""
    if by_groups == bool(role):
        raise click.UsageError("name a role, or --by-groups")
    _show(place.client().post(f"/api/people/{segment(name)}/role", {"role": role}), as_json=as_json)


@people.command()
@click.argument("name")
@click.option("--sessions-only", is_flag=True, help="End the sessions; the person may sign in again.")
@json_option
@click.pass_obj
def revoke(place: Place, name: str, *, sessions_only: bool, as_json: bool) -> None:
    """Take a person's access away at once: every session, what break-glass gave them, and signing in."""
    body = {"sessions_only": sessions_only}
    _show(place.client().post(f"/api/people/{segment(name)}/revoke", body), as_json=as_json)


@people.command()
@click.argument("name")
@json_option
@click.pass_obj
def restore(place: Place, name: str, *, as_json: bool) -> None:
    """Let a person sign in again whose access was taken away. Owners only."""
    _show(place.client().post(f"/api/people/{segment(name)}/restore"), as_json=as_json)


@people.group("break-glass", cls=Noun)
def break_glass() -> None:
    """A right for a while, asked for by one person and approved by another; each step is audited."""


@break_glass.command()
@click.argument("right")
@click.option("--key", default="", help="Key that is to have the right; needed for all but owner.")
@click.option("--for", "seconds", type=DURATION, default="15m", show_default=True, help="How long, once approved.")
@click.option("--why", required=True, help="Reason; kept in the audit.")
@json_option
@click.pass_obj
def request(place: Place, right: str, key: str, seconds: float, why: str, *, as_json: bool) -> None:
    """Ask for a RIGHT: owner for yourself, or a named one (such as declassify) for a key. It gives nothing yet."""
    body = {"right": right, "key": key, "seconds": seconds, "why": why}
    made = place.client().post("/api/break-glass", body)
    _show(made, as_json=as_json)
    if not as_json:
        say(f"within the hour somebody else approves it: freehold people break-glass approve {made['id']}")


@break_glass.command("list")
@json_option
@click.pass_obj
def list_glass(place: Place, *, as_json: bool) -> None:
    """List every break-glass, newest first."""
    found = place.client().get("/api/break-glass")
    if as_json:
        emit_json(found)
    else:
        table(found, _GLASS)


@break_glass.command()
@click.argument("name", metavar="ID")
@json_option
@click.pass_obj
def approve(place: Place, name: str, *, as_json: bool) -> None:
    """Put what somebody else asked for in force, from now on."""
    _show(place.client().post(f"/api/break-glass/{segment(name)}/approve"), as_json=as_json)


@break_glass.command()
@click.argument("name", metavar="ID")
@json_option
@click.pass_obj
def end(place: Place, name: str, *, as_json: bool) -> None:
    """End a break-glass before its time, or withdraw or refuse one that waits."""
    _show(place.client().post(f"/api/break-glass/{segment(name)}/end"), as_json=as_json)


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit_json(found)
    else:
        fields((name.replace("_", " "), value) for name, value in found.items())
