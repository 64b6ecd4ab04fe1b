"""`freehold models`: owned models in the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from freehold.cli.admission import VERBS as ADMISSION
from freehold.cli.client import segment
from freehold.cli.commands import Noun
from freehold.cli.converting import VERBS as CONVERTING
from freehold.cli.gate import VERBS as GATE
from freehold.cli.model_files import VERBS as FILES
from freehold.cli.optimising import VERBS as OPTIMISING
from freehold.cli.output import emit_json, fields, json_option, mark, say, table
from freehold.cli.papers import VERBS as PAPERS
from freehold.cli.place import Place
from freehold.cli.signatures import VERBS as SIGNATURES


@click.group(cls=Noun, commands=(*ADMISSION, *CONVERTING, *FILES, *GATE, *OPTIMISING, *PAPERS, *SIGNATURES))
def models() -> None:
    """Owned models: signed, pinned by digest, loaded only from the store."""


@models.command("list")
@json_option
@click.pass_obj
def list_(place: Place, *, as_json: bool) -> None:
    """List every model in the store."""
    found = place.client().get("/api/models")
    if as_json:
        emit_json(found)
        return
    rows = [
        {**one, "size": _size(one), "sha256": one["files"][0]["sha256"][:16], "serves": _serves(one)} for one in found
    ]
    names = ("name", "kind", "format", "size", "licence", "sha256", "made_at", "serves")
    table(rows, [(name, name) for name in names])
    for one in found:
        for each in one["deployments"]:
            if each["phase"] == "failed":
                say(f"{each['name']} cannot serve {one['name']}: {each['reason']}\n  fix   read {each['log']}")


@models.command()
@click.argument("name")
@json_option
@click.pass_obj
def show(place: Place, name: str, *, as_json: bool) -> None:
    """Print one model's papers."""
    one = place.client().get(f"/api/models/{segment(name)}")
    if as_json:
        emit_json(one)
        return
    origin, making = one["origin"], one["making"]
    fields(
        [
            *((key, one[key]) for key in ("name", "kind", "format", "licence")),
            ("size", _size(one)),
            ("made at", one["made_at"]),
            ("from", f"{origin['package']} {origin['version']} ({origin['sha256']})"),
            ("made by", f"{making['how']}: {making['detail']}"),
            *_lineage(one),
            *_papers(one),
            ("serves", _serves(one)),
            *((f"file {each['name']}", each["sha256"]) for each in one["files"]),
        ]
    )


@models.command()
@click.argument("names", nargs=-1)
@json_option
@click.pass_context
def verify(ctx: click.Context, names: tuple[str, ...], *, as_json: bool) -> None:
    """Read every byte of the named models (all, without a name) and compare with their signed manifests."""
    client = ctx.find_object(Place).client()  # type: ignore[union-attr]  # the group always sets it
    wanted = names or tuple(one["name"] for one in client.get("/api/models"))
    found: list[dict[str, Any]] = [client.post(f"/api/models/{segment(one)}/verify") for one in wanted]
    if as_json:
        emit_json(found)
    else:
        for one in found:
            click.echo(f"{mark('ok', 'green') if one['good'] else mark('fail', 'red')} {one['name']}: {one['reason']}")
    if not all(one["good"] for one in found):
        ctx.exit(4)


@models.command()
@click.argument("name")
@click.option("--target", required=True, help="Name of the target: owned-...")
@click.option("--threads", type=click.IntRange(0), default=0, help="Threads; as [serving] threads, without.")
@click.option("--context", type=click.IntRange(0), default=0, help="Tokens over all slots; as [serving], without.")
@click.option("--slots", type=click.IntRange(0), default=0, help="Calls answered at once; as [serving], without.")
@json_option
@click.pass_obj
def deploy(place: Place, /, name: str, *, as_json: bool, **given: Any) -> None:
    """Serve a chat model, an adapter or a classifier, now and after every start.

    Where the target serves another model already, that one goes on until this one answers.
    """
    made = place.client().post(f"/api/models/{segment(name)}/deploy", given)
    if as_json:
        emit_json(made)
    else:
        click.echo(f"{made['name']} will serve {name}; see how far it is: freehold models show {name}")


@models.command()
@click.argument("target")
@json_option
@click.pass_obj
def undeploy(place: Place, target: str, *, as_json: bool) -> None:
    """Take a target out of the routes, let its calls end, and stop its engine."""
    gone = place.client().post(f"/api/models/deployments/{segment(target)}/undeploy")
    if as_json:
        emit_json(gone)
    else:
        click.echo(f"{target} ends when its calls have")


@models.command()
@click.argument("name")
@json_option
@click.pass_obj
def remove(place: Place, name: str, *, as_json: bool) -> None:
    """Remove a model that nobody serves from the store, with its bytes."""
    gone = place.client().post(f"/api/models/{segment(name)}/remove")
    if as_json:
        emit_json(gone)
    else:
        click.echo(f"removed {name}, {_size(gone)}")


models.add_command(remove, "rm")


@models.command()
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), help="Folder; as [serving] weights, without.")
@json_option
@click.pass_obj
def fetch(place: Place, into: Path | None, *, as_json: bool) -> None:
    """Download the weights of the embedded models, check them against their pins and convert them.

    A part of set-up: no other command downloads anything. What is there already is left as it is.
    """
    from freehold.serving.fetch import fetch_all
    from freehold.settings.load import load
    from freehold.settings.weights import folders

    folder = into or folders(load(place.config, place.home_option).settings.serving.weights)[0]
    files = [str(one) for one in fetch_all(folder.absolute(), say)]
    if as_json:
        emit_json(files)
    else:
        for one in files:
            click.echo(one)


def _size(one: dict[str, Any]) -> str:
    size = sum(each["size"] for each in one["files"])
    return f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def _serves(one: dict[str, Any]) -> str:
    """Its targets, with how far they are where they are not ready."""
    return ", ".join(
        each["name"] + ("" if each["phase"] == "ready" else f" ({each['phase']})") for each in one["deployments"]
    )


def _papers(one: dict[str, Any]) -> list[tuple[str, str]]:
    """What was found out before it was let in."""
    papers = one["papers"]
    if papers is None:
        return [("papers", "none: let in before there were any")]
    until = f" until {papers['reviewed_until']}" if papers["reviewed_until"] else ""
    return [
        ("gate", papers["scan"]),
        ("licence says", "; ".join((papers["licence"]["verdict"], *papers["licence"]["reasons"]))),
        *(("duty", duty) for duty in papers["licence"]["duties"]),
        ("signed by", papers["signature"]["signer"] or "nobody who was checked"),
        ("vouched by", papers["reviewed_by"] + until),
        ("papers", ", ".join(each["kind"] for each in papers["statements"])),
    ]


def _lineage(one: dict[str, Any]) -> list[tuple[str, str]]:
    """Of what was trained here: its data and its base, by digest."""
    line = one["lineage"]
    if line is None:
        return []
    base = f"{line['base']} ({line['base_sha256']})" if line["base"] else "none"
    return [
        ("trained by", line["recipe"]),
        ("dataset", line["dataset_sha256"]),
        ("base", base),
        ("workflow", line["workflow"]),
    ]
