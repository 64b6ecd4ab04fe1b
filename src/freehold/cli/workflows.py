"""`freehold workflows`: which tasks the recorded calls are made of, and how settled each is."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import click

from freehold.cli.client import segment
from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, fields, json_option, mark, safe, say, table
from freehold.cli.place import Place
from freehold.core.money import usd

POLL_SECONDS = 0.5
_ENDED = ("done", "failed")
_BARS = " ▁▂▃▄▅▆▇█"
_BAR = 10
_DAY = 86400.0
"""Times within the first day of 1970 stand for none: the calls come from a form that tells no time."""
_MOST_WEEKS = 26
"""Shown, the latest of them."""
_COLOURS = {"mature": "green", "young": "yellow", "immature": "red", "exploratory": "cyan"}
_COLUMNS = (
    ("name", "workflow"),
    ("calls", "calls"),
    ("cost", "cost"),
    ("owned", "owned"),
    ("answers", "answers"),
    ("bar", "maturity"),
    ("weeks", "weeks"),
    ("verdict", ""),
)
_TERMS = (("name", "term"), ("measured", "measured"), ("unit", "of"), ("value", "value"), ("rule", "rule"))
_TEMPLATES = (
    ("number", "template"),
    ("requests", "calls"),
    ("system", "system grams"),
    ("user", "user grams"),
    ("tools", "tools"),
    ("keys", "schema"),
    ("pinned", "pinned"),
)


@click.group(cls=Noun)
def workflows() -> None:
    """Workflows: the tasks that recorded calls are made of, found without labels."""


@workflows.command()
@click.option("--wait/--no-wait", default=True, show_default=True, help="Stay until it ends, and list what was found.")
@json_option
@click.pass_obj
def discover(place: Place, *, wait: bool, as_json: bool) -> None:
    """Find the workflows in all recorded calls. The worker does it; ids and your own names and merges stay."""
    client = place.client()
    began = time.monotonic()
    job = client.post("/api/workflows/discover")["job"]
    if not wait:
        if as_json:
            emit_json({"job": job})
        else:
            click.echo(f"queued as {job}; list: freehold workflows list")
        return
    found = client.get(f"/api/jobs/{segment(job)}")
    told = ""
    while found["state"] not in _ENDED:
        step = str(found["result"].get("step", ""))
        if step and step != told:
            say(f"{datetime.now(UTC):%H:%M:%S}  {step}: {found['result'].get('done', 0)}")
            told = step
        time.sleep(POLL_SECONDS)
        found = client.get(f"/api/jobs/{segment(job)}")
    if found["state"] == "failed":
        raise click.ClickException(f"discovery failed: {found['error']}")
    if as_json:
        emit_json(found["result"])
        return
    result = found["result"]
    _list(client.get("/api/workflows"))
    say(
        f"{result['records']} calls, {result['workflows']} workflows, {result['mature']} mature, "
        f"{result['assigned']} newly assigned, in {time.monotonic() - began:.1f} s"
    )


@workflows.command("list")
@json_option
@click.pass_obj
def list_(place: Place, *, as_json: bool) -> None:
    """List the workflows, the dearest first."""
    found = place.client().get("/api/workflows")
    if as_json:
        emit_json(found)
    else:
        _list(found)


@workflows.command()
@click.argument("workflow")
@json_option
@click.pass_obj
def show(place: Place, workflow: str, *, as_json: bool) -> None:
    """Print one workflow, by name or id, with every term of its maturity and its templates."""
    found = place.client().get(f"/api/workflows/{segment(workflow)}")
    if as_json:
        emit_json(found)
        return
    one, sums, shape = found["workflow"], found["figures"], found["workflow"]["shape"]
    judged = one["maturity"] or {"verdict": "", "score": 0.0, "terms": [], "reasons": []}
    fields(
        (
            ("workflow", one["name"]),
            ("id", one["id"]),
            ("named by", "its callers" if one["named"] else "a person" if one["renamed"] else ""),
            ("merged", found["merged"]),
            ("calls", f"{sums['calls']:,}, {sums['errors']} failed"),
            ("from", _day(sums["first"]) if sums["calls"] else ""),
            ("to", _day(sums["last"]) if sums["calls"] else ""),
            ("cost", _cost(sums)),
            ("owned", f"{sums['owned']:.0%}"),
            ("models", [f"{name} ({count})" for name, count in sums["models"].items()]),
            ("callers", [f"{name} ({count})" for name, count in sums["apps"].items()]),
            ("labels", [f"{name} ({count})" for name, count in found["labels"].items()]),
            ("answers", f"{shape['kind']}, {shape['share']:.0%}"),
            ("names", _some(shape["names"])),
            ("tools", _some(shape["tools"])),
            ("schema", _some(shape["keys"])),
            ("weeks", _weeks(one["weeks"])),
            ("maturity", f"{judged['score']:.2f} {judged['verdict']}"),
            ("because", judged["reasons"]),
        )
    )
    click.echo()
    table([{**term, "measured": _round(term["measured"]), "value": _round(term["value"])} for term in judged["terms"]],
          _TERMS)  # fmt: skip
    click.echo()
    table(found["templates"], _TEMPLATES)


@workflows.command()
@click.argument("workflow")
@click.argument("name")
@json_option
@click.pass_obj
def rename(place: Place, workflow: str, name: str, *, as_json: bool) -> None:
    """Give a workflow another name. Its id stays, its old name leads to it too, and its move goes with it."""
    found = place.client().post(f"/api/workflows/{segment(workflow)}/rename", {"name": name})
    _done(found, f"{found['id']} is now {found['name']}", as_json=as_json)


@workflows.command()
@click.argument("workflow")
@click.argument("into")
@json_option
@click.pass_obj
def merge(place: Place, workflow: str, into: str, *, as_json: bool) -> None:
    """Make WORKFLOW part of INTO, now and after every discovery to come. Refused while one of them moves."""
    found = place.client().post(f"/api/workflows/{segment(workflow)}/merge", {"into": into})
    _done(found, f"{workflow} is part of {found['name']} now", as_json=as_json)


@workflows.command()
@click.argument("workflow")
@click.option("--template", "templates", type=int, multiple=True, required=True, help="Number, as show lists it.")
@click.option("--name", default="", help="Name of the new workflow.")
@json_option
@click.pass_obj
def split(place: Place, workflow: str, templates: tuple[int, ...], name: str, *, as_json: bool) -> None:
    """Make a workflow of its own out of some templates, unless it moves. Its calls follow at the next discovery."""
    body = {"templates": list(templates), "name": name}
    found = place.client().post(f"/api/workflows/{segment(workflow)}/split", body)
    _done(found, f"made {found['name']}; have its calls follow: freehold workflows discover", as_json=as_json)


@workflows.command()
@click.argument("workflow")
@click.option("--limit", type=click.IntRange(1, 20), default=5, show_default=True, help="Most calls.")
@json_option
@click.pass_obj
def samples(place: Place, workflow: str, limit: int, *, as_json: bool) -> None:
    """Print a few recorded calls of a workflow, the same each time. That somebody looked is written to the audit."""
    found = place.client().get(f"/api/workflows/{segment(workflow)}/samples", limit=limit)
    if as_json:
        emit_json(found)
        return
    for one in found:
        click.echo(safe(f"{one['id']}  {_day(one['at'])}  {one['model']}"))
        said = [("system", one["system"]), *one["turns"], ("answer", one["answer"])]
        said += [("calls", f"{name}({arguments})") for name, arguments in one["tool_calls"]]
        fields((f"  {role}", _line(text)) for role, text in said)
    if not found:
        say("nothing yet")


def _list(found: list[dict[str, Any]]) -> None:
    rows = [
        {
            "name": one["workflow"]["name"],
            "calls": f"{one['figures']['calls']:,}",
            "cost": _cost(one["figures"]),
            "owned": f"{one['figures']['owned']:.0%}",
            "answers": one["workflow"]["shape"]["kind"],
            "bar": _bar((one["workflow"]["maturity"] or {}).get("score", 0.0)),
            "weeks": _weeks(one["workflow"]["weeks"]),
            "verdict": _verdict((one["workflow"]["maturity"] or {}).get("verdict", "")),
        }
        for one in found
    ]
    table(rows, _COLUMNS)


def _verdict(verdict: str) -> str:
    return mark(verdict, _COLOURS.get(verdict, "white")) if verdict else ""


def _bar(score: float) -> str:
    full = round(score * _BAR)
    return f"{'█' * full}{'·' * (_BAR - full)} {score:.2f}"


def _weeks(weeks: list[dict[str, Any]]) -> str:
    """Likeness of each week's template to the week before, as a line of bars; a dot where there is none to compare."""
    likes = [one["likeness"] for one in weeks[-_MOST_WEEKS:]]
    more = "…" if len(weeks) > _MOST_WEEKS else ""
    return more + "".join("·" if like is None else _BARS[max(1, round(like * (len(_BARS) - 1)))] for like in likes)


def _cost(sums: dict[str, Any]) -> str:
    if sums["unpriced"] == sums["calls"]:
        return "-"
    return usd(Decimal(sums["cost"])) + (" and more" if sums["unpriced"] else "")


def _round(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}".removesuffix(".00")


def _some(names: list[str], most: int = 12) -> list[str]:
    return names if len(names) <= most else [*names[:most], f"and {len(names) - most} more"]


def _line(text: str, most: int = 300) -> str:
    one = " ".join(text.split())
    return one if len(one) <= most else one[:most] + " ..."


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}" if at >= _DAY else "no time told"


def _done(found: dict[str, Any], message: str, *, as_json: bool) -> None:
    if as_json:
        emit_json(found)
    else:
        click.echo(safe(message))
