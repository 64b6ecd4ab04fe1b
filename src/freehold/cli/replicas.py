"""`freehold replicas`: other machines whose gateways serve by this instance's rules."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from freehold.cli.client import segment
from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, json_option, say, table
from freehold.cli.place import Place

_COLUMNS = (
    ("name", "name"),
    ("joined_at", "joined"),
    ("address", "from"),
    ("journals", "journals not all here"),
    ("created_at", "added"),
    ("created_by", "by"),
)


@click.group(cls=Noun)
def replicas() -> None:
    """Machines that serve calls by this instance's keys, routes and policy, and ship what happened to it."""


@replicas.command()
@click.argument("name")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File to join with; it holds secrets.")
@json_option
@click.pass_obj
def add(place: Place, name: str, out: Path, *, as_json: bool) -> None:
    """Add a replica and write the file that it joins with: freehold up --join FILE, on the other machine."""
    from freehold.core.errors import Conflict
    from freehold.settings.joining import Joining, write_joining

    if out.exists():
        raise Conflict(f"{out} exists", hint="name another file with --out")
    made = place.client().post("/api/replicas", {"name": name})
    write_joining(out, msgspec.convert(made, Joining))
    if as_json:
        emit_json({"replica": name, "dock": made["dock"], "file": str(out)})
    else:
        click.echo(str(out))
        say(f"bring it to the other machine by a safe way, and there: freehold up --join {out.name}")


@replicas.command("list")
@json_option
@click.pass_obj
def list_(place: Place, *, as_json: bool) -> None:
    """List the replicas: which are connected, and what of theirs is still to come."""
    found = place.client().get("/api/replicas")
    if as_json:
        emit_json(found)
    else:
        table(found, _COLUMNS)


@replicas.command()
@click.argument("name")
@click.option("--lost", is_flag=True, help="It will never ship the rest: what it held of budgets counts as spent.")
@json_option
@click.pass_obj
def remove(place: Place, name: str, *, lost: bool, as_json: bool) -> None:
    """Remove a replica that has shipped everything, or that is lost."""
    ended = place.client().post(f"/api/replicas/{segment(name)}/remove", {"lost": lost})
    if as_json:
        emit_json(ended)
    else:
        say(f"removed {name}")
