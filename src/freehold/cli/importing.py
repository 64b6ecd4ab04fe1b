"""`freehold import`: recorded calls of any kind into an instance's home, whether it runs or not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.commands import Verb
from freehold.cli.output import emit_json, json_option, say
from freehold.cli.place import Place
from freehold.cli.progress import progress

if TYPE_CHECKING:
    from freehold.workflows.drafts import Options
    from freehold.workflows.imports import Into, Report


@click.command("import", cls=Verb)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--app", default="", help="Application the calls are of; as the log says, without.")
@click.option("--label", default="unknown", show_default=True, help="How sensitive their content is, such as internal.")
@click.option(
    "--vendor",
    default="",
    help="Who answered, such as openai-api, or own:NAME for a party of a contract of yours; as the log says, without.",
)
@click.option("--consent", type=click.Choice(["yes", "no"]), help="Whether their content may be used to train.")
@json_option
@click.pass_context
def importing(ctx: click.Context, /, *, files: tuple[Path, ...], as_json: bool, **said: Any) -> None:
    """Import recorded calls: batch files, exports of tracing tools and proxies, HTTP archives, fine-tuning data.

    Each file's form is recognised by its content, as is gzip or zstd. Files whose calls lie in two (requests and
    results of a batch, stored completions and their messages) are given together. Importing again adds only what is
    new; what is known keeps its label (`freehold imports relabel` says it anew). Secrets are taken out on the way in.
    Exit code 1 where a file could not be read to its end.
    """
    from freehold.core.label import parse_label
    from freehold.workflows.drafts import Options
    from freehold.workflows.formats.vendors import offering

    place = ctx.find_object(Place)
    assert place is not None
    options = Options(
        app=said["app"],
        label=str(parse_label(said["label"])),
        vendor=offering(said["vendor"], own_parties(place)),
        consent=None if said["consent"] is None else said["consent"] == "yes",
    )
    report = _import(place, files, options, quiet=as_json)
    if as_json:
        emit_json(_as_dict(report))
    else:
        _tell(report)
    if any(one.trouble for one in report.files):
        ctx.exit(1)


def own_parties(place: Place) -> frozenset[str]:
    """Parties that the owner wrote about in `[[rights.overrides]]`."""
    from freehold.settings.last_good import in_force

    return frozenset(one.party for one in in_force(place.config, place.home).settings.rights.overrides)


def _import(place: Place, files: tuple[Path, ...], options: Options, *, quiet: bool) -> Report:
    import time

    import msgspec

    from freehold.core.ids import IdMaker
    from freehold.settings.last_good import in_force
    from freehold.settings.pools import pool_here
    from freehold.workflows.imports import Counts, import_files

    home = into(place)
    total = sum(one.stat().st_size for one in files)
    with progress("importing", total, quiet=quiet) as advance:

        def tell(read: int, counts: Counts) -> None:
            advance(read, f"{counts.new + counts.known:,} calls")

        with pool_here(in_force(place.config, place.home).settings.jobs) as pool:
            reading = msgspec.structs.replace(home, pool=pool)
            return import_files(files, reading, options, IdMaker()(), time.time, tell)


def into(place: Place) -> Into:
    """The instance's home, made or brought up to date where it must be."""
    from freehold.core.crypto import Sealer
    from freehold.core.db import connect, upgrade
    from freehold.settings.bodies import bodies_of
    from freehold.settings.database import database_of
    from freehold.settings.last_good import in_force
    from freehold.workflows.imports import Into
    from freehold.workflows.shelf import Shelf

    home = place.home
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = in_force(place.config, home).settings
    days = settings.capture.retention_days
    sealer = Sealer.load(home / "data.key")
    engine = connect(database_of(settings, home))
    upgrade(engine)
    shelf = Shelf(engine, bodies_of(settings, home, sealer))
    return Into(home, engine, shelf, sealer, days * 86400.0)


def _as_dict(report: Report) -> Any:
    import msgspec

    return msgspec.to_builtins(report)


def _tell(report: Report) -> None:
    """Files and their forms, what is worth knowing, and the last line with duration, counts and where rejects lie."""
    for one in report.files:
        forms = ", ".join(f"{count:,} {name}" for name, count in one.formats.items()) or "nothing"
        click.echo(f"{one.name}: {forms}")
        if one.trouble:
            say(f"warning: {one.trouble}")
    if report.new or not report.known:
        click.echo(f"label: {report.label}{_meaning(report.label)}")
    if report.known:
        click.echo(
            f"{report.known:,} known calls keep the label, consent, vendor and application of their first import: "
            "to say them anew: freehold imports list, then freehold imports relabel IMPORT"
        )
    if report.untimed:
        click.echo(f"{report.untimed:,} calls are of a form that tells no time: theirs is made from their content")
    counts = f"{report.new:,} new, {report.known:,} known, {report.skipped:,} skipped, {report.rejected:,} rejected"
    where = f": {report.rejects}" if report.rejects else ""
    click.echo(f"{report.id} in {report.seconds:.1f} s: {counts}{where}")


def _meaning(label: str) -> str:
    return " (the most sensitive there is: say what it is with --label)" if label == "unknown" else ""
