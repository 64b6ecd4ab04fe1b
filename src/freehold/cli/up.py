"""`freehold up`: becomes the supervisor's process, so that signals reach it directly."""

from __future__ import annotations

import os
import sys

import click

from freehold.cli.commands import Verb
from freehold.cli.output import json_option
from freehold.cli.place import Place


@click.command(cls=Verb)
@click.option("--air-gapped", is_flag=True, help="Whatever the file says, no rented target exists.")
@click.option("--join", metavar="FILE", help="Serve as a replica of the instance that made this file; once is enough.")
@json_option
@click.pass_obj
def up(place: Place, *, air_gapped: bool, join: str | None, as_json: bool) -> None:
    """Start everything and stay: gateway, writer, management API, worker, engines; at a replica gateways alone.

    Prints base URL and, at the first start, a key. Stops in order on Ctrl-C. With --json the banner is one JSON line.
    """
    arguments = [sys.executable, "-m", "freehold.app", "up-json" if as_json else "up"]
    if air_gapped:
        arguments += ["--air-gapped"]
    if join:
        arguments += ["--join", join]
    if place.config:
        arguments += ["--config", place.config]
    if place.home_option:
        arguments += ["--home", place.home_option]
    sys.stdout.flush()
    os.execv(sys.executable, arguments)  # noqa: S606  fixed arguments, no shell
