"""`freehold evidence`: what this instance's own records show of a framework's controls, signed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from freehold.cli.commands import Verb, place_options
from freehold.cli.output import emit_json, json_option, say, table
from freehold.cli.place import Place

FRAMEWORKS = ("eu-ai-act", "hipaa", "iso-42001", "nist-ai-rmf", "owasp-llm", "pci-dss", "soc2")


class _Asked(click.Group):
    """A group that is a command by itself: `freehold evidence --framework NAME`."""

    command_class = Verb

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.params = [*self.params, *place_options()]


@click.group(cls=_Asked, invoke_without_command=True)
@click.option("--framework", type=click.Choice(FRAMEWORKS), help="Whose controls are answered.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="New folder; without, named by the time.")
@click.option(
    "--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="Period of calls and changes."
)
@click.option("--quick", is_flag=True, help="Leave the bytes of owned models unread; what rests on them is unknown.")
@json_option
@click.pass_context
def evidence(
    ctx: click.Context, /, *, framework: str | None, out: Path | None, days: int, quick: bool, as_json: bool
) -> None:
    """Answer a framework's controls from the records of this instance, running or not, into a signed folder.

    Each control leads to a query over the records; the facts it was computed from stand beside the result. What the
    records cannot tell is unknown or needs a person, never met. Exit 4 where a control is not met or unknown.
    """
    if ctx.invoked_subcommand is not None:
        return
    if framework is None:
        raise click.UsageError(f"name a framework: --framework {'|'.join(FRAMEWORKS)}")
    from freehold import __version__
    from freehold.assurance.evidence import bundle, judge
    from freehold.assurance.evidence.gather import gather
    from freehold.core.crypto import Identity
    from freehold.settings.assured import asked

    place = ctx.find_object(Place)
    assert place is not None
    now = float(int(time.time()))
    facts = gather(asked(place.home, _settings(place), now, days, bytes_too=not quick))
    identity = Identity.load(place.home / "identity.key")
    found = judge.document(framework, judge.controls(framework), facts, __version__, identity.key_id)
    folder = out or Path(time.strftime(f"evidence-{framework}-%Y%m%d-%H%M%S", time.gmtime(now)))
    bundle.write(found, identity, folder)
    standings = [one.standing for one in found.results]
    if as_json:
        emit_json({"folder": str(folder), "results": [_row(one) for one in found.results]})
    else:
        table([_row(one) for one in found.results], [(name, name) for name in ("standing", "control", "title", "said")])
        say(f"{folder / bundle.PAGE}; check it: freehold evidence verify {folder}")
    if {"not_met", "unknown"} & set(standings):
        ctx.exit(4)


@evidence.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--public-key", default="", help="The installation's public key in hex, from a source you trust.")
@json_option
@click.pass_context
def verify(ctx: click.Context, folder: Path, public_key: str, *, as_json: bool) -> None:
    """Check FOLDER without an instance: signature and digests, and every result computed anew from its facts.

    Exit 4 where something does not hold.
    """
    import msgspec

    from freehold.assurance.evidence import bundle

    checks = bundle.verify(folder, public_key)
    if as_json:
        emit_json(msgspec.to_builtins(checks))
    else:
        rows = [{"": "ok" if one.ok else "NOT", "check": one.what, "detail": one.detail} for one in checks]
        table(rows, [("", ""), ("check", "check"), ("detail", "detail")])
    if not all(one.ok for one in checks):
        ctx.exit(4)


@evidence.command()
@click.option("--framework", type=click.Choice(FRAMEWORKS), help="Only its controls.")
@json_option
def controls(framework: str | None, *, as_json: bool) -> None:
    """List the controls, what each is answered by, and what it leaves to a person."""
    import msgspec

    from freehold.assurance.evidence import judge

    found = judge.controls(framework or "")
    if as_json:
        emit_json(msgspec.to_builtins(found))
        return
    rows = [{**msgspec.to_builtins(one), "query": one.query or "(a person)"} for one in found]
    table(rows, [(name, name) for name in ("framework", "reference", "title", "query")])


def _settings(place: Place) -> Any:
    from freehold.core.errors import FreeholdError
    from freehold.settings.load import load

    try:
        return load(place.config, place.home_option).settings
    except FreeholdError as error:
        say(f"the configuration cannot be read, what rests on it is unknown: {error.message}")
        return None


def _row(one: Any) -> dict[str, Any]:
    return {
        "standing": one.standing,
        "control": one.control.reference,
        "title": one.control.title,
        "said": one.said,
        "query": one.query,
    }
