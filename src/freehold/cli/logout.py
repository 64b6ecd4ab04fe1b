"""`freehold logout`: ends the session of the person at this terminal."""

from __future__ import annotations

import click

from freehold.cli.client import Refused
from freehold.cli.commands import Verb
from freehold.cli.output import emit_json, json_option, say
from freehold.cli.place import Place
from freehold.cli.sessions import keep, kept
from freehold.core.errors import NotRunning


@click.command(cls=Verb)
@json_option
@click.pass_obj
def logout(place: Place, *, as_json: bool) -> None:
    """End your session, here and at the instance. Commands then use the instance's own token again."""
    there = kept(place.home)
    ended = False
    if there is not None:
        try:
            ended = bool(place.client().post("/api/logout")["ended"])
        except (NotRunning, Refused):  # it ends by itself, or has ended; the token is forgotten either way
            ended = False
        keep(place.home, None)
    if as_json:
        emit_json({"ended": ended})
    else:
        say("signed out" if there else "nobody was signed in")
