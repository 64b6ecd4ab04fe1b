"""`freehold export`: everything an instance holds, in open formats."""

from __future__ import annotations

import time
from pathlib import Path

import click

from freehold.cli.commands import Verb
from freehold.cli.output import emit_json, json_option, say
from freehold.cli.place import Place


@click.command(cls=Verb)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--no-content", is_flag=True, help="Leave prompts and answers out.")
@json_option
@click.pass_obj
def export(place: Place, folder: Path, *, no_content: bool, as_json: bool) -> None:
    """Write everything into a new FOLDER: calls, records, models, evaluations, moves, audit, configuration.

    Open formats, with a manifest, digests and a page that says how to read it without Freehold. Prompts and answers
    stand there in clear. An instance may be running: tables and contents are of one moment, the audit log of one
    shortly after.
    """
    import msgspec

    from freehold.assurance.leaving import Leaving, State
    from freehold.settings.bodies import bodies_at
    from freehold.settings.location import find

    told = (lambda _what: None) if as_json else (lambda what: say(f"  {what}"))
    bodies = None if no_content else bodies_at(place.config, place.home)
    left = Leaving(place.home, folder, find(place.config), told, State(place.database, bodies)).write(
        time.time(), content=not no_content
    )
    if as_json:
        emit_json(msgspec.to_builtins(left))
        return
    size = sum(one.bytes for one in left.files)
    click.echo(f"{len(left.files)} files, {size / 1e6:.1f} MB in {left.folder}")
    if left.unread:
        say(f"{left.unread} contents were erased or damaged and are not there")
    say("check it with: sha256sum --check SHA256SUMS")
