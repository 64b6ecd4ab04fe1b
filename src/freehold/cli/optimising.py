"""`freehold models optimise` and `certified`: how a model is best served here, measured and signed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.client import segment
from freehold.cli.commands import Verb
from freehold.cli.output import emit_json, json_option, say, table
from freehold.cli.place import Place

if TYPE_CHECKING:
    from freehold.cli.client import Client

POLL_SECONDS = 0.5
GATE_NOT_PASSED = 4
_VARIANTS = (
    ("mark", ""),
    ("name", "variant"),
    ("quantisation", "type"),
    ("mb", "MB"),
    ("memory", "memory MB"),
    ("rate", "tokens/s"),
    ("p95", "95 % within s"),
    ("score", "score"),
    ("pairs", "graded"),
    ("note", "of it"),
)
_WAYS = (
    ("how", "flags"),
    ("rate", "tokens/s"),
    ("p95", "95 % within s"),
    ("memory", "memory MB"),
    ("failed", "failed"),
)
_CELLS = (
    ("id", "cell"),
    ("model", "model"),
    ("chosen", "chosen"),
    ("engine", "engine"),
    ("engine_version", "version"),
    ("hardware", "hardware"),
    ("at", "measured"),
)


@click.command(cls=Verb)
@click.argument("name")
@click.option("--type", "types", multiple=True, help="GGUF type to make beside it as it is; Q4_0, Q5_1, Q8_0 without.")
@click.option("--workflow", default="", help="Whose recorded calls grade the variants; speed alone without it.")
@click.option("--grader", default="", help="Grader; chosen from the shape of the answers without it.")
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True, help="Most calls to grade on.")
@click.option("--latency", type=click.FloatRange(0), default=0.0, help="Seconds 95 % of calls may take.")
@click.option("--rate", type=click.FloatRange(0), default=0.0, help="Least output tokens a second, over all calls.")
@click.option("--quality", type=click.FloatRange(0, 1), default=0.0, help="Least mean score.")
@click.option("--concurrency", type=click.IntRange(1, 64), default=2, show_default=True, help="Calls at once.")
@click.option(
    "--calls", type=click.IntRange(1, 1000), default=12, show_default=True, help="Calls a speed is measured on."
)
@click.option("--threads", multiple=True, type=click.IntRange(1), help="Threads to try on the chosen variant.")
@click.option("--slots", multiple=True, type=click.IntRange(1), help="Calls answered at once, to try.")
@click.option("--batch", "batches", multiple=True, type=click.IntRange(1), help="Tokens of prompts at once, to try.")
@click.option("--kv", "caches", multiple=True, type=click.Choice(("f16", "q8_0")), help="Type of the cache, to try.")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Where to draw the trade-off.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Stay until it ends, and print what was found.")
@json_option
@click.pass_context
def optimise(ctx: click.Context, /, name: str, *, rate: float, svg: Path | None, **given: Any) -> None:
    """Make variants of a chat model, serve each for a while, grade and time them, and sign what was found.

    Ends with 4 where no variant is within the bounds.
    """
    wait, as_json = given.pop("wait"), given.pop("as_json")
    client = ctx.find_object(Place).client()  # type: ignore[union-attr]  # the group always sets it
    if not given["types"]:
        del given["types"]
    job = client.post(f"/api/models/{segment(name)}/optimise", {**given, "tokens_per_second": rate})["job"]
    if not wait:
        if as_json:
            emit_json({"job": job})
        else:
            click.echo(f"the trainer does it, as job {job}; then: freehold models certified")
        return
    result = _ended(client, job, quiet=as_json)
    if result.get("state") != "done":
        raise click.ClickException(str(result.get("why", "it failed")))
    cell = next(one for one in client.get("/api/certified") if one["id"] == result["cell"])
    if svg is not None:
        svg.write_bytes(b"".join(client.lines(f"/api/certified/{cell['id']}/picture")))
    if as_json:
        emit_json(cell)
    else:
        _show(cell)
    if not cell["chosen"]:
        ctx.exit(GATE_NOT_PASSED)


@click.command(cls=Verb)
@click.argument("cell", default="")
@json_option
@click.pass_obj
def certified(place: Place, cell: str, *, as_json: bool) -> None:
    """List the certified matrix, or show one CELL of it. Every cell is signed; one that was changed is an error."""
    found = place.client().get("/api/certified")
    if cell:
        found = [one for one in found if one["id"] == cell]
        if not found:
            raise click.BadParameter(f"there is no cell {cell}", param_hint="CELL")
    if as_json:
        emit_json(found)
    elif cell:
        _show(found[0])
    elif found:
        table(found, _CELLS)
    else:
        say("nothing is certified yet: freehold models optimise MODEL")


def _ended(client: Client, job: str, *, quiet: bool) -> dict[str, Any]:
    """What the job came to; its phases are told as they begin."""
    told = ""
    while True:
        found = client.get(f"/api/jobs/{segment(job)}")
        progress = found["result"] or {}
        phase = " ".join(str(progress[key]) for key in ("phase", "to", "variant") if key in progress)
        if phase and phase != told and not quiet:
            told = phase
            say(phase)
        if found["state"] == "failed":
            return {"state": "failed", "why": found["error"]}
        if found["state"] == "done":
            return dict(progress)
        time.sleep(POLL_SECONDS)


def _show(cell: dict[str, Any]) -> None:
    table([_row(one, cell["chosen"]) for one in cell["variants"]], _VARIANTS)
    if len(cell["tried"]) > 1:
        table([{"how": _flags(one["flags"]), "failed": one["failed"], **_speed(one)} for one in cell["tried"]], _WAYS)
    if cell["chosen"] and cell["flags"]:
        say(f"take {cell['chosen']} with {_flags(cell['flags'])}; cell {cell['id']}, {cell['hardware']}, {cell['at']}")
    else:
        say(f"no variant is within the bounds; cell {cell['id']}, {cell['hardware']}, {cell['at']}")


def _speed(one: dict[str, Any]) -> dict[str, str]:
    if not one["calls"]:
        return {"rate": "not served", "p95": "", "memory": ""}
    memory = f"{one['memory_bytes'] / 1e6:.0f}" if one["memory_bytes"] else ""
    return {"rate": f"{one['tokens_per_second']:.1f}", "p95": f"{one['latency']:.2f}", "memory": memory}


def _row(one: dict[str, Any], chosen: str) -> dict[str, Any]:
    return {
        **one,
        **_speed(one["speed"]),
        "mark": "->" if one["name"] == chosen else "",
        "mb": f"{one['size_bytes'] / 1e6:.0f}",
        "score": "" if one["quality"] is None else f"{one['quality']:.3f}",
    }


def _flags(one: dict[str, Any]) -> str:
    more = (f", batch {one['batch']}" if one["batch"] else "") + (f", cache {one['kv']}" if one["kv"] else "")
    return f"{one['threads']} threads, {one['slots']} slots, context {one['context']}{more}"


VERBS: tuple[click.Command, ...] = (certified, optimise)
