"""The options that say which calls are meant."""

from __future__ import annotations

import time
from typing import Any

import click

from freehold.cli.duration import DURATION

OUTCOMES = ("ok", "failed", "cancelled", "broken", "refused", "lost")


def wanted_options(function: Any) -> Any:
    """Adds the filters; the function gets them as keywords for `query`."""
    options = (
        click.option("--key", help="Only of this key's id."),
        click.option("--team", help="Only of this team."),
        click.option("--route", help="Only on this route."),
        click.option("--target", help="Only to this target."),
        click.option("--workflow", help="Only of this workflow: its id or name."),
        click.option("--outcome", type=click.Choice(OUTCOMES), help="Only with this outcome."),
        click.option("--since", type=DURATION, help="Only of the last hours or days, such as 24h."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def query(given: dict[str, Any]) -> dict[str, Any]:
    """The filters as the management API takes them."""
    since = given.pop("since", None)
    return {**given, "since": None if since is None else time.time() - since}
