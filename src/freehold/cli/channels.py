"""`freehold channels`: releases of models, adapters, guard rules and price lists, from candidate to stable to lts."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import click

from freehold.cli.client import segment
from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, json_option, say, table
from freehold.cli.place import Place

_STAGES = ("candidate", "stable", "lts")
_SECONDS = 600.0
"""Every byte of a model is read before it stands anywhere."""
_DIGITS = 16
_SHOWN = (
    ("name", "name"),
    ("channel", "channel"),
    ("kind", "kind"),
    ("artefact", "release"),
    ("digest", "digest"),
    ("share", "share"),
    ("held", "held"),
    ("since", "since"),
    ("by", "by"),
    ("word", "word"),
)
_in = click.option("--in", "channel", type=click.Choice(_STAGES), default="stable", show_default=True, help="Channel.")
_word = click.option("--word", default="", help="Your word, where something speaks against it: why it is right.")


@click.group(cls=Noun)
def channels() -> None:
    """What stands in candidate, stable and lts: promoted, staged, held, and taken back to identical bytes."""


@channels.command("list")
@json_option
@click.pass_obj
def list_(place: Place, *, as_json: bool) -> None:
    """List what stands in every channel."""
    found = place.client().get("/api/channels")
    if as_json:
        emit_json(found)
    else:
        rows = [_row(one["stage"], entry) for one in found for entry in one["entries"]]
        table(sorted(rows, key=lambda one: (one["name"], _STAGES.index(one["channel"]))), _SHOWN)


@channels.command()
@click.argument("name")
@json_option
@click.pass_obj
def show(place: Place, name: str, *, as_json: bool) -> None:
    """Show where NAME stands, and what one may go back to, newest first."""
    found = {
        one["stage"]: entry
        for one in place.client().get("/api/channels")
        for entry in one["entries"]
        if entry["name"] == name
    }
    if not found:
        raise click.ClickException(f"nothing called {name} stands in any channel")
    if as_json:
        emit_json(found)
        return
    rows = []
    for stage, entry in found.items():
        rows.append(_row(stage, entry))
        rows += [{**one, "name": name, "channel": stage, "share": "before"} for one in reversed(entry["before"])]
    table(rows, _SHOWN)


@channels.command()
@click.argument("name")
@click.option("--to", "channel", type=click.Choice(_STAGES), required=True, help="Channel it is to stand in.")
@click.option("--release", default="", help="For candidate: a model or adapter of the store; NAME itself, without.")
@click.option(
    "--file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="For candidate: rules or prices."
)
@click.option("--kind", type=click.Choice(("guard", "prices")), default="guard", show_default=True, help="Of --file.")
@click.option("--key", default="", help="Public key, in hex, that signed --file; the signature is in FILE.ed25519.")
@click.option("--percent", type=click.IntRange(1, 100), default=100, show_default=True, help="Share of followers.")
@_word
@json_option
@click.pass_obj
def promote(place: Place, /, name: str, channel: str, *, as_json: bool, **given: Any) -> None:
    """Let a release stand in a channel under NAME: what is brought in candidate, else what stands one before.

    What nobody signed, the gate has doubts about or an advisory affects takes your --word.
    """
    body: dict[str, Any] = {"percent": given["percent"], "word": given["word"], "release": given["release"]}
    if given["file"] is not None:
        body["file"] = _file(given["file"], given["kind"], given["key"])
    elif channel == _STAGES[0] and not given["release"]:
        body["release"] = name
    _told(place, channel, name, "promote", body, as_json=as_json)


@channels.command()
@click.argument("name")
@click.argument("digest", default="")
@_in
@click.option("--off", is_flag=True, help="Let it go on from where it is.")
@_word
@json_option
@click.pass_obj
def pin(place: Place, /, name: str, digest: str, channel: str, *, as_json: bool, **given: Any) -> None:
    """Hold NAME to the release of DIGEST, which stands or stood there; to the one that stands there, without."""
    body = {"digest": digest, "on": not given["off"], "word": given["word"]}
    _told(place, channel, name, "pin", body, as_json=as_json)


@channels.command()
@click.argument("name")
@_in
@click.option("--off", is_flag=True, help="Let it change again.")
@json_option
@click.pass_obj
def freeze(place: Place, name: str, channel: str, *, off: bool, as_json: bool) -> None:
    """Let nothing about NAME change in a channel, whatever it is at."""
    _told(place, channel, name, "freeze", {"on": not off}, as_json=as_json)


@channels.command()
@click.argument("name")
@_in
@click.option("--percent", type=click.IntRange(1, 100), required=True, help="Share of followers that get it.")
@_word
@json_option
@click.pass_obj
def stage(place: Place, /, name: str, channel: str, *, percent: int, word: str, as_json: bool) -> None:
    """Set the share of followers that get what stands there; the others get what stood before."""
    _told(place, channel, name, "stage", {"percent": percent, "word": word}, as_json=as_json)


@channels.command()
@click.argument("name")
@_in
@_word
@json_option
@click.pass_obj
def back(place: Place, name: str, channel: str, *, word: str, as_json: bool) -> None:
    """Go back, for all followers, to the very bytes that stood there before."""
    _told(place, channel, name, "back", {"word": word}, as_json=as_json)


@channels.command()
@click.argument("name")
@_in
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write.")
@json_option
@click.pass_obj
def write(place: Place, name: str, channel: str, *, out: Path, as_json: bool) -> None:
    """Write the guard rules or price list NAME as they stand in a channel to a file, byte for byte."""
    from freehold.core.errors import BadArtefact

    client = place.client()
    data = b"".join(client.lines(f"/api/channels/{channel}/{segment(name)}/bytes"))
    found = hashlib.sha256(data).hexdigest()
    stands = [entry for one in client.get("/api/channels") for entry in one["entries"] if one["stage"] == channel]
    if not any(entry["name"] == name and entry["release"]["digest"] == found for entry in stands):
        raise BadArtefact(f"what came of {name} is {found[:16]}, and that does not stand in {channel}")
    out.write_bytes(data)
    if as_json:
        emit_json({"file": str(out), "bytes": len(data)})
    else:
        click.echo(f"{out}, {len(data)} bytes")


def _told(place: Place, channel: str, name: str, verb: str, body: dict[str, Any], *, as_json: bool) -> None:
    made = place.client().post(f"/api/channels/{channel}/{segment(name)}/{verb}", body, seconds=_SECONDS)
    if as_json:
        emit_json(made)
        return
    table([_row(channel, made["entry"])], _SHOWN)
    if made["targets"]:
        say(f"now change over: {', '.join(made['targets'])}")


def _file(path: Path, kind: str, key: str) -> dict[str, str]:
    from freehold.core.errors import BadRequest

    signed = path.with_name(f"{path.name}.ed25519").read_text().strip() if key else ""
    try:
        content = path.read_bytes().decode()  # as bytes: not a line's end may change
    except UnicodeDecodeError:
        raise BadRequest(f"{path.name} is no text", param=str(path)) from None
    return {"name": path.name, "kind": kind, "content": content, "key": key, "signature": signed}


def _row(stage: str, entry: dict[str, Any]) -> dict[str, Any]:
    held = [word for word in ("frozen", "pinned") if entry[word]]
    release = entry["release"]
    return {
        **entry,
        "channel": stage,
        "artefact": release["artefact"],
        "digest": release["digest"][:_DIGITS],
        "share": f"{entry['percent']} %",
        "held": ", ".join(held),
    }
