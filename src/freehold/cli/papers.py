"""`freehold models bom | lineage | licence`: what is written about an owned model, and what that asks of you."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.client import segment
from freehold.cli.commands import Verb
from freehold.cli.output import cell, emit_json, json_option, mark, say, table
from freehold.cli.place import Place
from freehold.core.errors import BadRequest

if TYPE_CHECKING:
    from freehold.registry.papers.binding import Terms

GATE = 4
"""Exit code of a licence that is not simply allowed."""
_COLOURS = {"allow": "green", "review": "yellow", "block": "red"}


@click.command(cls=Verb)
@click.argument("name")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write; else standard output.")
@json_option
@click.pass_obj
def bom(place: Place, name: str, output: Path | None, *, as_json: bool) -> None:
    """Write a model's bill of materials: CycloneDX 1.6 for machine learning, as JSON."""
    found = place.client().get(f"/api/models/{segment(name)}/bom")
    if output is None:
        emit_json(found)
        return
    output.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if as_json:
        emit_json({"file": str(output), "components": len(found["components"]) + 1})
    else:
        say(f"wrote {output}: {name} and {len(found['components'])} it comes from")


@click.command(cls=Verb)
@click.argument("name")
@json_option
@click.pass_obj
def lineage(place: Place, name: str, *, as_json: bool) -> None:
    """Print the steps that made a model, and everything it comes from."""
    found = place.client().get(f"/api/models/{segment(name)}/lineage")
    if as_json:
        emit_json(found)
        return
    for step in found["steps"]:
        of = ", ".join(one["name"] for one in step["of"]) or "nothing"
        click.echo(cell(f"{step['made_at']} {step['how']} of {of}" + (f": {step['detail']}" if step["detail"] else "")))
    rows = [
        {
            "name": one["name"],
            "as": one["role"],
            "licence": one["licence"] or "not said",
            "sha256": one["digests"][0][:16] if one["digests"] else "only its name is known",
            "here": one["here"],
            "way": " < ".join(one["via"]),
        }
        for one in found["ancestors"]
    ]
    if rows:
        table(rows, [(key, key) for key in rows[0]])
    else:
        say(f"{name} comes from nothing else that is known")


@click.command(cls=Verb)
@click.argument("model", required=False)
@click.option("--given", default="", help="The licence a person says it has, for a file or folder.")
@click.option("--all", "every", is_flag=True, help="What every known licence would come to for you; needs no MODEL.")
@json_option
@click.pass_obj
def licence(place: Place, /, model: str | None, given: str, *, every: bool, as_json: bool) -> int:
    """Say what a model's licence comes to for you: its own, and those of all it comes from.

    MODEL is a name in the store, or a file or folder with a slash in it, such as `./download`: that is decided by
    freehold.toml and needs no instance. Exits with 4 where it is not simply allowed.
    """
    if every:
        return _every(place, as_json=as_json)
    if not model:
        raise BadRequest("name a model, a file or a folder", hint="every licence there is a row of: --all")
    if "/" in model or model in (".", ".."):
        found = _of_files(place, Path(model), given)
    else:
        found = place.client().get(f"/api/models/{segment(model)}/licence")
    one = found["licence"]
    if as_json:
        emit_json(found)
    else:
        click.echo(f"{mark(one['verdict'], _COLOURS[one['verdict']])} {cell(found['name'])}: {cell(one['expression'])}")
        for line in (*one["said"], *(f"why: {each}" for each in one["reasons"])):
            click.echo(f"  {cell(line)}")
        for duty in one["duties"]:
            click.echo(f"  duty: {cell(duty)}")
    return 0 if one["verdict"] == "allow" else GATE


def _of_files(place: Place, path: Path, given: str) -> dict[str, Any]:
    import msgspec

    from freehold.registry.papers.licences import decide
    from freehold.registry.papers.recognise import recognise

    if not path.exists():
        raise BadRequest(f"{path} is not there", param=str(path), hint="name a file or a folder")
    terms = _terms(place)
    found = decide(recognise(path, given=given), terms.licensee, terms.use, terms.policy)
    return {"name": str(path), "licence": msgspec.to_builtins(found), "each": []}


def _every(place: Place, *, as_json: bool) -> int:
    import msgspec

    from freehold.registry.papers.licences import Recognised, decide
    from freehold.registry.papers.terms import known

    terms = _terms(place)
    rows = [
        {
            **msgspec.to_builtins(one),
            "decided": msgspec.to_builtins(
                decide(Recognised(expression=one.ref), terms.licensee, terms.use, terms.policy)
            ),
        }
        for one in known()
    ]
    if as_json:
        emit_json(rows)
        return 0
    shown = [{**row, "verdict": row["decided"]["verdict"], "why": "; ".join(row["decided"]["reasons"])} for row in rows]
    table(shown, [(key, key) for key in ("id", "ref", "kind", "certainty", "verdict", "why")])
    say("a summary for policy, no legal advice: the text beside the weights wins")
    return 0


def _terms(place: Place) -> Terms:
    from freehold.settings.admission import terms
    from freehold.settings.load import load

    return terms(load(place.config, place.home_option))


VERBS: tuple[click.Command, ...] = (bom, licence, lineage)
"""What `freehold models` takes on."""
