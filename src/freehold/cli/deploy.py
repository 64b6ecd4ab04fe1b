"""`freehold deploy`: owned models on engines, embedded and others."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.client import segment
from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, json_option, say, table
from freehold.cli.place import Place
from freehold.cli.rendering import render

if TYPE_CHECKING:
    from freehold.cli.client import Client

WAIT_SECONDS = 180.0
POLL_SECONDS = 0.3
_DEPLOYED = (("name", "target"), ("model", "model"), ("phase", "state"), ("reason", "why"))
_ENGINES = (
    ("name", "engine"),
    ("kind", "kind"),
    ("address", "address"),
    ("how", "run"),
    ("phase", "state"),
    ("running", "answering"),
    ("waiting", "waiting"),
    ("serves", "serves"),
    ("reason", "why"),
)


@click.group(cls=Noun)
def deploy() -> None:
    """Owned models on engines, changed and stopped without dropping a call; files to deploy it all elsewhere."""


deploy.add_command(render)


@deploy.command()
@click.argument("name")
@click.option("--target", required=True, help="Name of the target: owned-...")
@click.option("--engine", default="", help="Engine of [engines] that loads it, an adapter; an embedded one without.")
@click.option("--threads", type=click.IntRange(0), default=0, help="Threads of an embedded engine; as [serving].")
@click.option("--context", type=click.IntRange(0), default=0, help="Its tokens over all slots; as [serving].")
@click.option("--slots", type=click.IntRange(0), default=0, help="Calls it answers at once; as [serving].")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Stay until calls reach it.")
@json_option
@click.pass_obj
def model(place: Place, /, name: str, *, engine: str, wait: bool, as_json: bool, **given: Any) -> None:
    """Serve a model of the store under a target's name, now and after every start.

    What the target serves already goes on answering until this one does, and until its last call has ended.
    """
    client = place.client()
    target = given["target"]
    if engine:
        if given["threads"] or given["context"] or given["slots"]:
            raise click.UsageError(
                "--threads, --context and --slots are an embedded engine's: leave them or --engine out"
            )
        made = client.post(f"/api/engines/{segment(engine)}/adapters", {"model": name, "target": target})
    else:
        made = client.post(f"/api/models/{segment(name)}/deploy", given)
    if wait:
        made = _settled(client, made)
    if as_json:
        emit_json(made)
    else:
        table([made], _DEPLOYED)
    if made["phase"] == "failed":
        raise click.exceptions.Exit(1)


@deploy.command("list")
@json_option
@click.pass_obj
def list_(place: Place, *, as_json: bool) -> None:
    """List every target that an engine of ours serves or was asked to."""
    found = place.client().get("/api/models/deployments")
    if as_json:
        emit_json(found)
    else:
        table(found, _DEPLOYED)


@deploy.command()
@json_option
@click.pass_obj
def engines(place: Place, *, as_json: bool) -> None:
    """List the engines of [engines]: how each is, what it serves, how busy it is by its own metrics."""
    found = place.client().get("/api/engines")
    if as_json:
        emit_json(found)
        return
    rows = []
    for one in found:
        base = one["standings"][0]
        serves = ", ".join(
            each["name"] + ("" if each["phase"] == "ready" else f" ({each['phase']})") for each in one["standings"]
        )
        how = "started here" if one["started_here"] else "elsewhere"
        rows.append({**one, "how": how, "phase": base["phase"], "reason": base["reason"], "serves": serves})
    if rows:
        table(rows, _ENGINES)
    else:
        say("there is none beside the embedded ones; [engines.NAME] in freehold.toml names them")


@deploy.command()
@click.argument("target")
@json_option
@click.pass_obj
def stop(place: Place, target: str, *, as_json: bool) -> None:
    """Take a target out of the routes, let its calls end, and stop its engine or unload its adapter."""
    gone = place.client().post(f"/api/models/deployments/{segment(target)}/undeploy")
    if as_json:
        emit_json(gone)
    else:
        click.echo(f"{target} ends when its calls have")


def _settled(client: Client, made: dict[str, Any]) -> dict[str, Any]:
    """How the deployment stands once it is ready or failed, or its time is over."""
    end = time.monotonic() + WAIT_SECONDS
    found = made
    while time.monotonic() < end:
        told = [one for one in client.get("/api/models/deployments") if one["name"] == made["name"]]
        found = next((one for one in told if one["model"] == made["model"]), found)
        if found["phase"] in ("ready", "failed"):
            break
        time.sleep(POLL_SECONDS)
    return found
