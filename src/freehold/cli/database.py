"""`freehold database`: where an instance keeps its state, and the way from the home's file to a server."""

from __future__ import annotations

import click

from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, json_option, say, table
from freehold.cli.place import Place
from freehold.cli.progress import progress


@click.group(cls=Noun)
def database() -> None:
    """Where state is kept: the SQLite file of the home, or the PostgreSQL server that [database] names."""


@database.command()
@json_option
@click.pass_obj
def show(place: Place, *, as_json: bool) -> None:
    """Show which database is used, its size, and how many rows each table has."""
    from freehold.assurance.rehousing import held
    from freehold.core.db import connect, present, size

    url = present(place.home, place.database)
    engine = connect(url)
    try:
        found, length = held(engine), size(engine)
    finally:
        engine.dispose()
    where = url.render_as_string(hide_password=True)
    if as_json:
        emit_json({"url": where, "bytes": length, "rows": found.rows})
    else:
        say(f"{where}, {length / 1e6:.1f} MB")
        table(
            [{"table": name, "rows": rows} for name, rows in found.rows.items()], (("table", "table"), ("rows", "rows"))
        )


@database.command("import")
@json_option
@click.pass_obj
def import_(place: Place, *, as_json: bool) -> None:
    """Carry the state of the home's file into the empty PostgreSQL database of [database], while nothing runs.

    All or nothing; the file is not changed. The next start goes on with the server.
    """
    from freehold.assurance.rehousing import held, rehouse
    from freehold.core.db import connect, present
    from freehold.core.errors import BadConfig, Conflict, NotRunning

    url = place.database
    if url.get_backend_name() == "sqlite":
        raise BadConfig("no server is named", param="database.url", hint="name an empty database in [database] url")
    try:
        place.client().get("/api/status")
    except NotRunning:
        pass
    else:
        raise Conflict(
            f"the instance in {place.home} runs", hint="stop it first; its gateways go on where it has replicas"
        )
    source, target = connect(present(place.home, None)), connect(url)
    try:
        with progress("import", held(source).total, quiet=as_json) as advance:
            found = rehouse(source, target, advance)
    finally:
        source.dispose()
        target.dispose()
    if as_json:
        emit_json({"url": url.render_as_string(hide_password=True), "rows": found.rows})
    else:
        say(f"{found.total} rows are there now; start the instance: freehold up")
        say(f"{place.home / 'freehold.db'} is as it was: keep it until you are content")
