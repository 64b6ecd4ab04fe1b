"""`freehold models inspect | export | view`: looking into a model, taking it along, showing it to other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.client import segment
from freehold.cli.commands import Verb
from freehold.cli.output import cell, emit_json, fields, json_option, say, table
from freehold.cli.place import Place
from freehold.core.errors import NotFound

if TYPE_CHECKING:
    from freehold.registry.artefacts import Store

_SHOWN = 40
_LONG_SECONDS = 3600.0


@click.command(cls=Verb)
@click.argument("name")
@click.option("--deep", is_flag=True, help="Read every value: statistics, embeddings, the difference from its base.")
@click.option("--token", default="", help="Show the tokens whose embeddings are nearest to this one's.")
@json_option
@click.pass_obj
def inspect(place: Place, name: str, token: str, *, deep: bool, as_json: bool) -> None:
    """Look into a model: architecture, tensors, tokenizer, template, statistics, embeddings."""
    query = {"deep": "true" if deep else "", "token": token}
    found = place.client().get(f"/api/models/{segment(name)}/inspect", seconds=_LONG_SECONDS, **query)
    if as_json:
        emit_json(found)
        return
    types = ", ".join(f"{count} {kind}" for kind, count in found["types"].items())
    fields(
        [
            ("name", found["name"]),
            ("architecture", found["architecture"]),
            ("parameters", f"{found['parameters'] / 1e6:,.1f} million"),
            ("layers", found["layers"]),
            ("tensors", f"{len(found['tensors'])}: {types}"),
            *((f"  {key}", value) for key, value in found["facts"].items()),
            *((f"  tokenizer {key}", value) for key, value in found["tokenizer"].items()),
            ("template", f"{found['template_sha256'][:16]}, {len(found['template'])} characters"),
        ]
    )
    _numbers(found)


@click.command(cls=Verb)
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@json_option
@click.pass_obj
def export(place: Place, name: str, folder: Path, *, as_json: bool) -> None:
    """Write a model's files into a new FOLDER, signed (OpenSSF model signing), and its papers beside it."""
    import msgspec

    from freehold.registry.leaving import export as write

    made = write(_store(place), name, folder.absolute())
    if as_json:
        emit_json(msgspec.to_builtins(made))
    else:
        click.echo(cell(f"{name}: {len(made.files)} files in {folder}, papers in {folder}.papers"))


@click.command(cls=Verb)
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@json_option
@click.pass_obj
def view(place: Place, name: str, folder: Path, *, as_json: bool) -> None:
    """Show a model in FOLDER as Hugging Face's libraries keep their cache: hard links, no copies.

    Give the folder to them as cache_dir, or as HF_HUB_CACHE. It must be on the store's disk.
    """
    from freehold.registry.hub_view import show

    repository, snapshot = show(_store(place), name, folder.absolute())
    if as_json:
        emit_json({"repository": repository, "snapshot": str(snapshot)})
    else:
        click.echo(cell(f"{repository} in {snapshot}"))
        say(f"use it: HF_HUB_OFFLINE=1 HF_HUB_CACHE={folder}")


def _store(place: Place) -> Store:
    """The instance's store, whether or not it runs."""
    from freehold.core.crypto import Identity
    from freehold.registry.artefacts import Store

    key = place.home / "identity.key"
    if not key.is_file():
        raise NotFound(f"there is no instance in {place.home}", hint="name its folder: --home FOLDER")
    return Store(place.home / "store", Identity.load(key))


def _numbers(found: dict[str, Any]) -> None:
    figures = found["figures"]
    if figures:
        rows = [
            {**one, **{key: f"{one[key]:.4g}" for key in ("mean", "deviation", "least", "greatest")}} for one in figures
        ]
        columns = ("name", "values", "mean", "deviation", "least", "greatest", "zeros", "broken")
        table(rows[:_SHOWN], [(key, key) for key in columns])
        if len(rows) > _SHOWN:
            say(f"and {len(rows) - _SHOWN} more: --json shows them all")
    near = found["embeddings"]
    if near:
        click.echo(
            f"{near['tokens']} embeddings of {near['width']}: "
            f"lengths {near['shortest']:.3g} to {near['longest']:.3g}, mean {near['mean']:.3g}"
        )
        for one in near["neighbours"]:
            click.echo(cell(f"  {one['cosine']:.3f}  {one['token']}"))
    for one in found["differences"][:_SHOWN]:
        click.echo(cell(f"differs from {found['base']}: {one['name']} by {one['relative']:.3%}"))


VERBS: tuple[click.Command, ...] = (export, inspect, view)
"""What `freehold models` takes on."""
