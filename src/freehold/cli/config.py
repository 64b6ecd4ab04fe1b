"""`freehold config`: works on the file alone, whether or not an instance runs."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, json_option, say, table
from freehold.cli.place import Place
from freehold.core.errors import Conflict

_BROUGHT = (("field", "field"), ("value", "value"), ("outcome", "outcome"), ("to", "went to"), ("note", "note"))


@click.group(cls=Noun)
def config() -> None:
    """freehold.toml: write one, check it, see what is in force."""


@config.command()
@click.argument("file", default="freehold.toml")
@json_option
def init(file: str, *, as_json: bool) -> None:
    """Write a commented starting point to FILE (default: freehold.toml)."""
    from freehold.settings.template import TEMPLATE

    path = Path(file)
    try:
        with path.open("x") as out:
            out.write(TEMPLATE)
    except FileExistsError:
        hint = "edit it, or name another file"
        raise Conflict(f"{file} is there already, and stays as it is", hint=hint) from None
    if as_json:
        emit_json({"file": str(path.absolute())})
    else:
        click.echo(str(path))
    say("check it after each change: freehold config check")


@config.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it here; else it is printed.")
@json_option
def import_(file: Path, *, out: Path | None, as_json: bool) -> None:
    """Turn another gateway's configuration (LiteLLM, Portkey, Bifrost) into freehold.toml.

    Every field is told: exact, approximated, or not supported. Keys are never copied, only where they stand.
    """
    from freehold.settings.foreign.coming import bring

    brought = bring(file.read_bytes(), file.name, datetime.now(UTC).date())
    text = brought.text()
    if out is not None:
        try:
            with out.open("x", encoding="utf-8") as written:
                written.write(text)
        except FileExistsError:
            raise Conflict(f"{out} is there already, and stays as it is", hint="name another file") from None
    if as_json:
        emit_json(
            {
                "kind": brought.kind,
                "settings": brought.settings,
                "fields": msgspec.to_builtins(brought.fields),
                "problems": brought.problems,
            }
        )
        return
    if out is None:
        click.echo(text)
    table([msgspec.to_builtins(one) for one in brought.fields], _BROUGHT)
    counts = Counter(one.outcome for one in brought.fields)
    say(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    for problem in brought.problems:
        say(f"still to be put right: {problem}")
    say(f"check it: freehold --config {out} config check" if out else "keep it with: --out freehold.toml")


@config.command()
@json_option
@click.pass_obj
def check(place: Place, *, as_json: bool) -> None:
    """Check the file; every problem at once, each with its line and its fix."""
    from freehold.settings.load import load

    loaded = load(place.config, place.home_option)
    file = str(loaded.file) if loaded.file else None
    if as_json:
        emit_json({"file": file, "problems": []})
    else:
        click.echo(f"{file} is valid" if file else "no file: the defaults hold")


@config.command()
@click.option("--origin", is_flag=True, help="Also say where each setting was set.")
@json_option
@click.pass_obj
def show(place: Place, *, origin: bool, as_json: bool) -> None:
    """Print every setting in force. Secrets are references, never values."""
    from freehold.settings.load import load
    from freehold.settings.show import shown

    rows = [{"name": one.name, "value": one.value, "origin": one.origin} for one in shown(load(place.config))]
    if as_json:
        emit_json(rows)
        return
    columns = [("name", "setting"), ("value", "value"), *([("origin", "origin")] if origin else [])]
    table(rows, columns)


@config.command()
@json_option
def schema(*, as_json: bool) -> None:
    """Print the JSON schema of freehold.toml, for editors."""
    from freehold.settings.tree import Settings

    emit_json({"$schema": "https://json-schema.org/draft/2020-12/schema", **Settings.model_json_schema()})
