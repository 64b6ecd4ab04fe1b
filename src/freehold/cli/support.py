"""`freehold support`: what a supporter needs to know of an instance, and nothing that is nobody's business."""

from __future__ import annotations

import time
from pathlib import Path

import click

from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, json_option, say
from freehold.cli.place import Place


@click.group(cls=Noun)
def support() -> None:
    """Bundles for support: facts of fixed kinds, no prompts, no secrets, signed."""


@support.command()
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File; without, named by the time, here.")
@click.option("--preview", is_flag=True, help="Print what it would hold, and write nothing.")
@json_option
@click.pass_obj
def bundle(place: Place, out: Path | None, *, preview: bool, as_json: bool) -> None:
    """Write a bundle of this instance, running or not: versions, settings, counts, figures, models, defects.

    Texts are in it only where they are plain names; of all others their length is told. Look at it before it goes
    out: --preview.
    """
    import msgspec

    from freehold.assurance.support import bundle as bundles
    from freehold.assurance.support.gather import gather
    from freehold.core.crypto import Identity
    from freehold.core.errors import FreeholdError
    from freehold.settings.database import database_of
    from freehold.settings.load import load

    try:
        settings = load(place.config, place.home_option).settings
    except FreeholdError as error:
        say(f"the configuration is left out, it cannot be read: {error.message}")
        settings = None
    database = None if settings is None else database_of(settings, place.home)
    contents = gather(place.home, settings, time.time(), url=database)
    if preview:
        found, _ = bundles.files(contents)
        if as_json:
            emit_json({name: msgspec.json.decode(data) for name, data in found.items()})
            return
        for name, data in found.items():
            click.echo(f"{name}\n{data.decode()}")
        return
    path = out or Path(time.strftime("freehold-support-%Y%m%d-%H%M%S.tar.gz", time.gmtime()))
    manifest = bundles.write(contents, Identity.load(place.home / "identity.key"), path)
    if as_json:
        emit_json({"file": str(path), **msgspec.to_builtins(manifest)})
        return
    click.echo(f"{path}, {path.stat().st_size / 1e3:.0f} kB, {len(manifest.files)} files")
    say("see what is in it: freehold support show FILE")


@support.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@json_option
def show(file: Path, *, as_json: bool) -> None:
    """Check a bundle's signature and digests, and print what it holds."""
    import msgspec

    from freehold.assurance.support import bundle as bundles

    manifest, found = bundles.read(file)
    if as_json:
        emit_json(
            {
                "manifest": msgspec.to_builtins(manifest),
                **{name: msgspec.json.decode(one) for name, one in found.items()},
            }
        )
        return
    click.echo(f"made {manifest.made_at} by Freehold {manifest.freehold}, signed by {manifest.public_key}")
    for name, data in found.items():
        click.echo(f"\n{name}\n{data.decode().rstrip()}")
