"""`freehold imports`: what was imported, put right or taken back, whether the instance runs or not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.commands import Noun
from freehold.cli.importing import into, own_parties
from freehold.cli.output import emit_json, json_option, table
from freehold.cli.place import Place

if TYPE_CHECKING:
    from sqlalchemy import Engine

_COLUMNS = (
    ("id", "import"),
    ("at", "at"),
    ("calls", "calls"),
    ("label", "label"),
    ("vendor", "vendor"),
    ("app", "application"),
    ("consent", "consent"),
    ("files", "files"),
    ("error", "note"),
)


@click.group(cls=Noun)
def imports() -> None:
    """Imports: what each brought, under which label; to be put right, or erased."""


@imports.command("list")
@json_option
@click.pass_obj
def list_(place: Place, *, as_json: bool) -> None:
    """List the imports, newest first, with what is said of their calls now."""
    from msgspec import structs

    from freehold.core.db import reading
    from freehold.core.ids import as_text
    from freehold.workflows import store

    with reading(into(place).engine) as connection:
        rows: list[dict[str, Any]] = []
        for one in store.list_imports(connection):
            row = {
                "id": as_text("imp", one.id),
                "at": f"{datetime.fromtimestamp(one.started, UTC):%Y-%m-%d %H:%M}",
                "files": [file["name"] for file in one.files],
                "error": one.error,
            }
            said = store.said_of_import(connection, one.id)
            rows += [] if said else [{**row, "calls": 0}]
            rows += [{**row, **structs.asdict(each)} for each in said]
    if as_json:
        emit_json(rows)
    else:
        table([{**one, "app": one.get("app") or "-", "vendor": one.get("vendor") or "-"} for one in rows], _COLUMNS)


@imports.command()
@click.argument("import_id", metavar="IMPORT")
@click.option("--label", help="How sensitive their content is, such as internal.")
@click.option("--vendor", help="Who answered, such as openai-api, or own:NAME for a party of a contract of yours.")
@click.option("--app", help="Application the calls are of.")
@click.option("--consent", type=click.Choice(["yes", "no"]), help="Whether their content may be used to train.")
@click.option("--why", default="", help="Reason; kept in the audit.")
@json_option
@click.pass_obj
def relabel(place: Place, /, import_id: str, *, why: str, as_json: bool, **said: Any) -> None:
    """Say anew what an import's calls are: their label, vendor, application or consent.

    A label is raised freely. A lower one, another vendor, or a consent that was not recorded could let the calls be
    used for more than before, so they take a reason. Everything is audited.
    """
    import time

    import msgspec

    from freehold.core.label import parse_label
    from freehold.workflows.amending import Amendment, amend
    from freehold.workflows.formats.vendors import offering

    if all(one is None for one in said.values()):
        raise click.UsageError("say at least one of --label, --vendor, --app and --consent")
    wanted = Amendment(
        label=None if said["label"] is None else parse_label(said["label"]),
        vendor=None if said["vendor"] is None else offering(said["vendor"], own_parties(place)),
        app=said["app"],
        consent=None if said["consent"] is None else said["consent"] == "yes",
    )
    found = amend(into(place).engine, _number(import_id), wanted, why, time.time())
    if as_json:
        emit_json(msgspec.to_builtins(found))
    else:
        click.echo(f"{found.records:,} calls: {found.raised:,} labels raised, {found.lowered:,} lowered")


@imports.command()
@click.argument("import_id", metavar="IMPORT")
@click.option("--why", required=True, help="Reason; kept in the audit.")
@json_option
@click.pass_obj
def erase(place: Place, import_id: str, why: str, *, as_json: bool) -> None:
    """Erase an import: its calls, their content, and what people said of them.

    What moves compared stays: they compare live calls only. Refused while a move is prepared out of its calls. The
    same files may be imported again afterwards.
    """
    import time

    from freehold.evals.store import forget_judgements
    from freehold.workflows.amending import erase

    home, number = into(place), _number(import_id)
    _no_preparation(home.engine, number)
    count = erase(home.engine, home.shelf.bodies, number, why, time.time(), forget_judgements)
    if as_json:
        emit_json({"erased": count})
    else:
        click.echo(f"{count:,} calls erased")


def _number(text: str) -> bytes:
    from freehold.core.errors import NotFound
    from freehold.core.ids import from_text

    try:
        return from_text(text)
    except ValueError:
        raise NotFound(f"{text[:80]!r} is no import's id", hint="list them: freehold imports list") from None


def _no_preparation(engine: Engine, number: bytes) -> None:
    """Raises Conflict where a move is being made out of this import's calls."""
    from freehold.core.db import reading
    from freehold.core.errors import Conflict
    from freehold.moves import store as moves
    from freehold.moves.preparing import PREPARED
    from freehold.workflows import store
    from freehold.workflows.known.store import resolve

    with reading(engine) as connection:
        touched = store.workflows_of_import(connection, number)
        for move in moves.active(connection):
            if move.plan.workflow in touched and move.stage in PREPARED:
                name = resolve(connection, move.plan.workflow).name
                hint = f"wait until it is in shadow, or end it: freehold moves rollback {name}"
                raise Conflict(f"{move.id} is being prepared out of calls of this import", hint=hint)
