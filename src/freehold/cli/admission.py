"""`freehold models add | held | review | refuse | push | gc`: what comes into the store, and what goes out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from freehold.cli.client import segment
from freehold.cli.commands import Verb
from freehold.cli.duration import DURATION
from freehold.cli.output import cell, emit_json, json_option, say, table
from freehold.cli.place import Place

LONG_SECONDS = 6 * 3600.0
"""A large model over a slow line."""
KINDS = ("adapter", "chat", "classifier", "embedding", "prompt")


@click.command(cls=Verb)
@click.argument("source")
@click.option("--name", default="", help="Name in the store; made of the source's, without.")
@click.option("--kind", type=click.Choice(KINDS), help="What it is; read from its files, without.")
@click.option("--licence", default="", help="Its licence, where you know it: an SPDX expression or a hub's name.")
@click.option("--base", default="", help="Name in the store of the model it was trained on.")
@click.option(
    "--signature",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Its maker's signature (OpenSSF model signing); else model.sig in the folder, where [models] names signers.",
)
@click.option(
    "--only", multiple=True, metavar="PATTERN", help="Take only files that match: '*Q4_K_M.gguf'; repeatable."
)
@click.option("--link", is_flag=True, help="Share the bytes with the source, which nobody may edit from then on.")
@json_option
@click.pass_obj
def add(place: Place, /, source: str, *, as_json: bool, **given: Any) -> None:
    """Let a model into the store: a file, a folder, oci://HOST/REPOSITORY:TAG or hf:OWNER/NAME[@REVISION].

    Its signature, the gate, its licence and the policy have their say first. What needs a person waits for
    `freehold models review`.
    """
    body = {**given, "kind": given["kind"] or "", "signature": _path(given["signature"])}
    if not source.startswith(("oci://", "hf:")):
        source = str(Path(source).absolute())
    made = place.client().post("/api/models", {**body, "source": source}, seconds=LONG_SECONDS)
    if as_json:
        emit_json(made)
        return
    _told(made)
    say(f"serve it: freehold models deploy {made['name']} --target owned-{made['name']}")


@click.command(cls=Verb)
@json_option
@click.pass_obj
def held(place: Place, *, as_json: bool) -> None:
    """List what waits for a person, with every reason."""
    found = place.client().get("/api/models/held")
    if as_json:
        emit_json(found)
        return
    table(
        [{"name": one["name"], "kind": one["kind"], "from": _origin(one)} for one in found],
        [(key, key) for key in ("name", "kind", "from")],
    )
    for one in found:
        for reason in one["judged"]["reasons"]:
            click.echo(cell(f"{one['name']}: {reason}"))


@click.command(cls=Verb)
@click.argument("name")
@click.option("--expires", type=DURATION, required=True, help="How long the word counts: 90d; at most 366d.")
@json_option
@click.pass_obj
def review(place: Place, name: str, expires: float, *, as_json: bool) -> None:
    """Vouch for what waits under a NAME, or anew for what is in: for its very bytes, in your name, for a while.

    Read the reasons first: `freehold models held`. What the gate blocks takes nobody's word.
    """
    body = {"expires_seconds": expires}
    made = place.client().post(f"/api/models/{segment(name)}/review", body, seconds=LONG_SECONDS)
    if as_json:
        emit_json(made)
    else:
        _told(made)


@click.command(cls=Verb)
@click.argument("name")
@json_option
@click.pass_obj
def refuse(place: Place, name: str, *, as_json: bool) -> None:
    """Let go of what waits under a NAME."""
    gone = place.client().post(f"/api/models/{segment(name)}/refuse")
    if as_json:
        emit_json(gone)
    else:
        click.echo(f"{name} waits no more")


@click.command(cls=Verb)
@click.argument("name")
@click.argument("reference")
@json_option
@click.pass_obj
def push(place: Place, name: str, reference: str, *, as_json: bool) -> None:
    """Push a model with its papers and your signature to oci://HOST/REPOSITORY:TAG."""
    made = place.client().post(f"/api/models/{segment(name)}/push", {"to": reference}, seconds=LONG_SECONDS)
    if as_json:
        emit_json(made)
        return
    click.echo(f"{name} is {made['reference']}")
    say(f"others trust it by this key in [models] signers:\n{made['signer']}")


@click.command(cls=Verb)
@click.argument("source")
@click.option("--name", default="", help="Name in the store; made of the source's, without.")
@json_option
@click.pass_context
def pull(ctx: click.Context, source: str, name: str, *, as_json: bool) -> None:
    """Let a model in from a registry: `add` by another name, for oci://HOST/REPOSITORY:TAG."""
    ctx.invoke(
        add,
        source=source,
        name=name,
        kind=None,
        licence="",
        base="",
        signature=None,
        only=(),
        link=False,
        as_json=as_json,
    )


@click.command(cls=Verb)
@json_option
@click.pass_obj
def gc(place: Place, *, as_json: bool) -> None:
    """Remove the bytes that no model names."""
    gone = place.client().post("/api/models/gc")
    if as_json:
        emit_json(gone)
    else:
        click.echo(f"removed {gone['blobs']} blobs, {gone['bytes'] / 1e6:.1f} MB")


def _told(made: dict[str, Any]) -> None:
    papers = made["papers"] or {}
    click.echo(cell(f"{made['name']}: {made['kind']}, {made['format']}, {len(made['files'])} files, let in"))
    click.echo(cell(f"gate {papers['scan']}; licence {made['licence']}: {papers['licence']['verdict']}"))
    if papers["signature"]["method"] != "none":
        click.echo(cell(f"signed by {papers['signature']['signer']}"))
    if papers["reviewed_by"]:
        until = f" until {papers['reviewed_until']}" if papers["reviewed_until"] else ""
        click.echo(cell(f"vouched for by {papers['reviewed_by']}{until}"))
    for duty in papers["licence"]["duties"]:
        click.echo(cell(f"duty: {duty}"))


def _origin(one: dict[str, Any]) -> str:
    return f"{one['origin']['package']} {one['origin']['version']}".strip()


def _path(given: Path | None) -> str:
    return str(given.absolute()) if given else ""


VERBS: tuple[click.Command, ...] = (add, gc, held, pull, push, refuse, review)
"""What `freehold models` takes on."""
