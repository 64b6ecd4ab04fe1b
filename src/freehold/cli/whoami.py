"""`freehold whoami`: as whom commands act."""

from __future__ import annotations

import click

from freehold.cli.commands import Verb
from freehold.cli.output import emit_json, fields, json_option
from freehold.cli.place import Place


@click.command(cls=Verb)
@json_option
@click.pass_obj
def whoami(place: Place, *, as_json: bool) -> None:
    """Say as whom commands act here, in which role, and until when."""
    told = place.client().get("/api/whoami")
    if as_json:
        emit_json(told)
    else:
        fields((name.replace("_", " "), value) for name, value in told.items())
