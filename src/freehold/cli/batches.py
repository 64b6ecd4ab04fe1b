"""`freehold batches`: how far callers' batches are, and their end."""

from __future__ import annotations

import click

from freehold.cli.client import segment
from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, fields, json_option, say, table
from freehold.cli.place import Place

_COLUMNS = (
    ("id", "batch"),
    ("key_id", "key"),
    ("status", "status"),
    ("model", "model"),
    ("total", "lines"),
    ("completed", "answered"),
    ("failed", "failed"),
    ("passed", "passed"),
    ("expires_at", "until"),
)
_STATUSES = ("open", "completed", "failed", "expired", "cancelled")


@click.group(cls=Noun)
def batches() -> None:
    """Batches that callers made at /v1/batches; what is in them is shown to their keys alone."""


@batches.command("list")
@click.option("--status", type=click.Choice(_STATUSES), default=None, help="Only these.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="Most that are shown.")
@json_option
@click.pass_obj
def list_(place: Place, status: str | None, limit: int, *, as_json: bool) -> None:
    """List batches of all keys, newest first."""
    found = place.client().get("/api/batches", status=status, limit=limit)
    if as_json:
        emit_json(found)
    else:
        table(found, _COLUMNS)


@batches.command()
@click.argument("batch")
@json_option
@click.pass_obj
def show(place: Place, batch: str, *, as_json: bool) -> None:
    """Show one batch."""
    found = place.client().get(f"/api/batches/{segment(batch)}")
    if as_json:
        emit_json(found)
    else:
        fields(found.items())


@batches.command()
@click.argument("batch")
@json_option
@click.pass_obj
def cancel(place: Place, batch: str, *, as_json: bool) -> None:
    """Ask no further line of a batch. What was answered stays; lines under way are answered."""
    found = place.client().post(f"/api/batches/{segment(batch)}/cancel")
    if as_json:
        emit_json(found)
    else:
        click.echo(found["id"])
        say("no further line is asked")
