"""Plans that an instance keeps: `freehold plan list`, levers pulled with `solve`; a plan's name stands for its file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.commands import Verb
from freehold.cli.output import emit_json, fields, json_option, say, table
from freehold.cli.place import Place

if TYPE_CHECKING:
    from freehold.planner.plan import Plan

_COLUMNS = (
    ("id", "plan"),
    ("made_on", "prices of"),
    ("advice", "advice"),
    ("npv", "saves, net present value"),
    ("of", "from"),
)
_SOLVED = (("workflow", "workflow"), ("advice", "advice"), ("now", "with levers pulled"), ("because", "because"))
_LEVERS = (("name", "lever"), ("value", "stands at"), ("bounds", "goes from, to"), ("unit", "unit"), ("words", "what"))
_ORDER = (
    "recorded", "since", "until", "now", "closed", "hosted", "model", "gpu", "gpus", "precision", "months", "day"
)  # fmt: skip
_BEGINS = "plan_"
_POLL_SECONDS = 0.5


def content(place: Place, plan: str) -> bytes:
    """The bytes of a plan: a file here, or one that the instance keeps. Raises what reading or asking raises."""
    path = Path(plan)
    if plan.startswith(_BEGINS) and not path.exists():
        from freehold.cli.client import segment

        return b"".join(place.client().lines(f"/api/plans/{segment(plan)}/file"))
    if not path.is_file():
        raise click.BadParameter(f"there is no file {plan}, and it is no plan's name (freehold plan list)")
    return path.read_bytes()


@click.command("list", cls=Verb)
@json_option
@click.pass_obj
def list_(place: Place, *, as_json: bool) -> None:
    """List the plans that the instance keeps, newest first."""
    found = place.client().get("/api/plans")
    if as_json:
        emit_json(found)
        return
    rows = [
        {
            **one,
            "advice": ", ".join(
                f"{each['name']}: {(each['advice'] or '-').replace('_', ' ')}" for each in one["workflows"]
            ),
            "npv": _value(one),
        }
        for one in found
    ]
    table(rows, _COLUMNS)


@click.command(cls=Verb)
@click.argument("plan")
@click.option("--set", "said", multiple=True, metavar="LEVER=VALUE", help="Repeat for more; none lists the levers.")
@click.option("--keep", is_flag=True, help="Have the instance decide it on all draws and keep it as a plan of its own.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file, on all draws.")
@json_option
@click.pass_obj
def solve(place: Place, /, plan: str, said: tuple[str, ...], out: Path | None, *, keep: bool, as_json: bool) -> None:
    """Decide a plan anew with levers pulled: no traffic is read and no fleet simulated. PLAN is a file or a name."""
    from freehold.planner.levers import levers, pulled
    from freehold.planner.plan import make, read, written
    from freehold.planner.solving import solved

    values = dict(_pair(one) for one in said)
    made, _ = read(content(place, plan), plan)
    if keep:
        _keep(place, plan, values, as_json=as_json)
        return
    if not values:
        found = levers(made.inputs)
        rows = [
            {"name": one.name, "value": f"{one.value:g}", "bounds": f"{one.low:g}, {one.high:g}", "unit": one.unit,
             "words": one.words}
            for one in found
        ]  # fmt: skip
        emit_json(rows) if as_json else table(rows, _LEVERS)
        return
    if out is not None:
        whole = make(pulled(made.inputs, values))
        out.write_bytes(written(whole))
        say(f"written to {out}")
        _tell(whole, whole.inputs.draws, as_json=as_json)
        return
    answer = solved(made, values)
    _tell(answer.plan, answer.draws, as_json=as_json)


def ordered(place: Place, given: dict[str, Any], *, as_json: bool) -> None:
    """Have the instance make a plan of its own traffic and keep it; stays until it is done."""
    if here := [name for name in ("trace", "lengths", "probe", "out", "why") if given[name] is not None]:
        raise click.UsageError(f"--keep has the instance make it of its own traffic: leave --{here[0]} out")
    body = {name: given[name] for name in _ORDER if given[name] not in (None, (), "")}
    _end(place, "/api/plans", body, as_json=as_json)


def _keep(place: Place, plan: str, values: dict[str, float], *, as_json: bool) -> None:
    from freehold.cli.client import segment

    _end(place, f"/api/plans/{segment(plan)}/keep", {"levers": values}, as_json=as_json)


def _end(place: Place, path: str, body: dict[str, Any], *, as_json: bool) -> None:
    """Ask for it, and stay until the trainer has made it."""
    from freehold.cli.client import segment

    client = place.client()
    job = client.post(path, body)["job"]
    found = client.get(f"/api/jobs/{segment(job)}")
    while found["state"] not in ("done", "failed"):
        time.sleep(_POLL_SECONDS)
        found = client.get(f"/api/jobs/{segment(job)}")
    if as_json:
        emit_json(found)
    else:
        result = found["result"]
        fields([("plan", result.get("plan", "-")), ("state", result.get("why", found["error"]) or "kept")])
    if "plan" not in found["result"]:
        click.get_current_context().exit(1)


def _tell(made: Plan, draws: int, *, as_json: bool) -> None:
    import msgspec

    if as_json:
        emit_json({"draws": draws, "plan": msgspec.to_builtins(made)})
        return
    rows: list[dict[str, Any]] = []
    for one in made.workflows:
        decision = one.decision
        assert decision is not None
        best = next(choice.best for choice in one.options if choice.best.option == decision.option)
        saving = f"{best.npv.p10:,.0f} / {best.npv.p50:,.0f} / {best.npv.p90:,.0f}" if best.stated else "not stated"
        advice = decision.advice.replace("_", " ")
        rows.append({"workflow": one.name, "advice": advice, "now": saving, "because": decision.reason})
    table(rows, _SOLVED)
    say(f"net present value against doing nothing, P10 / P50 / P90 of {draws:,} draws; nothing was simulated anew")


def _value(card: dict[str, Any]) -> str:
    """Of what is advised; of staying as one is there is none."""
    if not card["stated"]:
        return "not stated"
    moves = any(one["option"] not in ("nothing", None) and one["advice"] != "not_yet" for one in card["workflows"])
    return f"{card['npv']['p50']:,.0f} {card['currency']}" if moves else "-"


def _advised(workflow: dict[str, Any]) -> str:
    return f"{workflow['name']}: {(workflow['advice'] or '-').replace('_', ' ')}"


def _pair(text: str) -> tuple[str, float]:
    name, mark, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        shown = "is no LEVER=VALUE" if not mark else "has no number after ="
        raise click.BadParameter(f"{text!r} {shown}", param_hint="--set") from None
