"""`freehold plan`: what to own, on what hardware, at what cost and risk, from the traffic itself. Asks no network."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, fields, json_option, say, table
from freehold.cli.place import Place
from freehold.cli.plan_kept import content, list_, ordered, solve
from freehold.cli.progress import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from freehold.jobs.settings import JobsSettings
    from freehold.planner.actual import Compared
    from freehold.planner.contract import OwnPrice
    from freehold.planner.money import Outcome
    from freehold.planner.plan import Plan, Planned
    from freehold.planner.preparing import Seen
    from freehold.planner.settings import PlanSettings
    from freehold.planner.traffic import Trace

_OPTIONS = (
    ("option", "option"),
    ("variant", "best as"),
    ("monthly", "a month, all in (P10 / P50 / P90)"),
    ("running", "tokens, machines"),
    ("work", "people, moving"),
    ("million", "per million tokens"),
    ("passed", "per passed task"),
    ("npv", "net present value"),
    ("saves", "saves in"),
    ("payback", "paid back"),
)
_MONTHS = (
    ("workflow", "workflow"),
    ("month", "month"),
    ("calls_planned", "calls planned"),
    ("calls", "calls"),
    ("cost_planned", "cost planned"),
    ("cost", "cost"),
    ("inside", "within"),
)
WORDS = {
    "nothing": "do nothing",
    "closed": "another closed model",
    "hosted_open": "hosted open model",
    "self_hosted": "self-hosted",
    "hybrid": "hybrid",
}


@click.group(cls=Noun, invoke_without_command=True)
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of traffic; else the instance's.",
)
@click.option("--lengths", type=click.Path(dir_okay=False, path_type=Path), help="Token lengths of a trace of rates.")
@click.option("--since", type=float, help="Unix seconds: of the instance's traffic only what came from then on.")
@click.option("--until", type=float, help="Unix seconds: only what came before.")
@click.option("--recorded", is_flag=True, help="Recorded calls, imported ones too, in place of the ledger's.")
@click.option("--now", help="What serves it now, as provider/model.")
@click.option("--closed", multiple=True, help="Another closed model to consider, as provider/model.")
@click.option("--hosted", multiple=True, help="An open model at a host to consider, as provider/model.")
@click.option("--model", help="Open model to own: a public name, a folder or a file.")
@click.option("--gpu", help="Accelerator to own it on.")
@click.option("--gpus", type=click.IntRange(0), help="Accelerators of one replica; 0 for the fewest.")
@click.option("--precision", type=click.Choice(("bf16", "fp8", "int8", "int4", "fp4")), help="Of its weights.")
@click.option("--probe", type=click.Path(dir_okay=False, path_type=Path), help="What freehold probe --out wrote.")
@click.option("--months", type=click.IntRange(1, 120), help="Months to look ahead.")
@click.option("--date", "day", help="Day whose prices count, YYYY-MM-DD; today without it.")
@click.option("--why", help="Explain the advice for one workflow: each factor, and what would decide.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the plan to this file.")
@click.option("--keep", is_flag=True, help="Have the instance make it in the background, and keep it.")
@json_option
@click.pass_context
def plan(ctx: click.Context, /, *, as_json: bool, **given: Any) -> None:
    """Make a plan: five options side by side for each workflow, with ranges, and what is advised.

    The same inputs give the same file, byte for byte. Defaults stand in [plan] of freehold.toml.
    """
    if ctx.invoked_subcommand is not None:
        return
    from freehold.planner.plan import make, written
    from freehold.planner.preparing import Traffic, prepare, with_prices
    from freehold.planner.probing import read_probe
    from freehold.settings.pools import pool_anywhere

    place = ctx.find_object(Place)
    assert place is not None
    when = day_of(given["day"])
    if given["keep"]:
        ordered(place, given, as_json=as_json)
        return
    settings = _settings(place, given)
    probe = None if given["probe"] is None else read_probe(given["probe"])
    with progress("plan", 1.0, quiet=as_json) as tell:
        whole, seen, prices = _seen(place, given)
        settings = with_prices(settings, prices)
        with pool_anywhere(_jobs(place)) as pool:
            share = partial(_share, tell)
            inputs = prepare(settings, Traffic(seen, whole), when, share, probe, pool)
        made = make(inputs, lambda done, words: tell(0.8 + done * 0.2, words))
    data = written(made)
    if given["out"] is not None:
        given["out"].write_bytes(data)
        say(f"written to {given['out']}")
    _tell(data, made, given["why"], as_json=as_json)


plan.add_command(list_)
plan.add_command(solve)


@plan.command()
@click.argument("file", metavar="PLAN")
@click.option("--why", help="Explain the advice for one workflow: each factor, and what would decide.")
@json_option
@click.pass_obj
def show(place: Place, file: str, why: str | None, *, as_json: bool) -> None:
    """Print a plan, a file or one that the instance keeps by name; its digest is checked first."""
    from freehold.planner.plan import read

    data = content(place, file)
    made, _ = read(data, file)
    _tell(data, made, why, as_json=as_json)


@plan.command()
@click.argument("file", metavar="PLAN")
@click.option(
    "--format",
    "form",
    type=click.Choice(("html", "json", "md")),
    default="html",
    show_default=True,
    help="Of the files.",
)
@click.option("--for", "reader", type=click.Choice(("cfo", "ciso", "cto")), multiple=True, help="Only for this reader.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=".", help="Folder to write to.")
@json_option
@click.pass_obj
def report(place: Place, file: str, form: str, reader: tuple[str, ...], out: Path, *, as_json: bool) -> None:
    """Write the reports of a plan, a file or one kept by name: for CFO, CISO and CTO, files that open offline."""
    from freehold.planner.plan import read
    from freehold.planner.report.registry import REPORTS
    from freehold.planner.report.registry import report as drawn

    made, digest = read(content(place, file), file)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, _ in REPORTS:
        if not reader or name in reader:
            path = out / f"{Path(file).stem}-{name}.{form}"
            path.write_bytes(drawn(made, digest, name, form))
            written.append(str(path))
    if as_json:
        emit_json({"plan": digest, "written": written})
    else:
        for one in written:
            say(f"written to {one}")


@plan.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "start", required=True, help="Day of the cut-over, YYYY-MM-DD; months count from it.")
@click.option("--usage", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CSV; else the ledger.")
@click.option("--option", type=click.Choice(tuple(WORDS)), help="What was done; what was advised without it.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the re-fitted plan to this file.")
@json_option
@click.pass_obj
def actual(place: Place, /, file: Path, *, as_json: bool, **given: Any) -> None:
    """Compare a plan with the ledger after cut-over, month by month, and re-fit it. Whole months count."""
    import msgspec

    from freehold.cli.plan_months import from_ledger, from_usage
    from freehold.planner.actual import compare, refit
    from freehold.planner.plan import make, read, written

    made, _ = read(file.read_bytes(), str(file))
    start = day_of(given["start"])
    today = datetime.now(UTC).date()
    months = from_ledger(place, start, today) if given["usage"] is None else from_usage(given["usage"])
    found = compare(made, months, given["option"])
    anew = make(refit(made, found, today.isoformat()))
    if given["out"] is not None:
        given["out"].write_bytes(written(anew))
        say(f"written to {given['out']}")
    if as_json:
        emit_json({"actual": msgspec.to_builtins(found), "npv": _npv(made), "npv_now": _npv(anew)})
        return
    table([_compared(one) for one in found.months], _MONTHS)
    for one in found.learned:
        growth = "too few months" if one.growth is None else f"{one.growth.p50:+.0%} a year"
        ratios = f"calls {one.level:.2f} x, cost {one.cost_ratio:.2f} x, output a call {one.output_ratio:.2f} x"
        fields([("workflow", one.workflow), ("against the plan", ratios), ("growth", growth)])
    fields([("planned saving", _three(made.advised.npv)), ("re-fitted", _three(anew.advised.npv))])
    for before, after in zip(made.workflows, anew.workflows, strict=True):
        if before.decision and after.decision and before.decision.advice != after.decision.advice:
            say(f"{before.name}: the advice is now {after.decision.advice.replace('_', ' ')}: {after.decision.reason}")


def _npv(made: Plan) -> dict[str, float]:
    return {"p10": made.advised.npv.p10, "p50": made.advised.npv.p50, "p90": made.advised.npv.p90}


def _compared(one: Compared) -> dict[str, Any]:
    return {
        "workflow": one.workflow,
        "month": one.month + 1,
        "calls_planned": _three(one.calls_planned),
        "calls": f"{one.calls:,.0f}",
        "cost_planned": _three(one.cost_planned),
        "cost": f"{one.cost:,.2f}",
        "inside": "yes" if one.cost_inside else "NO",
    }


def day_of(text: str | None) -> date:
    """The day of `--date`; today without one."""
    if text is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter("not a day, YYYY-MM-DD", param_hint="--date") from None


def _share(tell: Callable[[float, str], None], done: float, words: str) -> None:
    tell(done * 0.8, words)


def _jobs(place: Place) -> JobsSettings:
    """Where fleets are simulated."""
    from freehold.settings.load import load

    return load(place.config, place.home_option).settings.jobs


def _settings(place: Place, given: dict[str, Any]) -> PlanSettings:
    """[plan], with what the command line says in its place."""
    from freehold.planner.orders import instead
    from freehold.settings.load import load

    return instead(load(place.config, place.home_option).settings.plan, given)


def _seen(place: Place, given: dict[str, Any]) -> tuple[Trace, list[Seen], Sequence[OwnPrice]]:
    """Workflows from a file, else from the instance that runs here."""
    from freehold.planner.preparing import split
    from freehold.planner.tracefiles import read_trace
    from freehold.settings.compile import policy
    from freehold.settings.load import load

    if given["trace"] is None:
        return _from_instance(place, given)
    papers = policy(load(place.config, place.home_option).settings, ()).facts
    trace = read_trace(given["trace"], given["lengths"])
    return trace, split(trace, papers), ()


def _from_instance(place: Place, given: dict[str, Any]) -> tuple[Trace, list[Seen], Sequence[OwnPrice]]:
    import msgspec

    from freehold.planner.contract import OwnPrice
    from freehold.planner.observed import Observed
    from freehold.planner.preparing import joined
    from freehold.planner.traffic import Columns, arrivals
    from freehold.policy.vendors import Fact

    client = place.client()
    found = client.get("/api/plans/traffic", since=given["since"], until=given["until"], recorded=given["recorded"])
    names = found["workflows"]
    columns = Columns(
        t=[at + found["begins_at"] for at in found["t"]],
        input=found["input"],
        output=found["output"],
        cached=found["cached"],
        workflow=[names[at] for at in found["workflow"]],
    )
    trace = arrivals(columns, found["source"], span_seconds=found["span_seconds"])
    known = client.get("/api/plans/sources")
    workflows = msgspec.convert(known["workflows"], tuple[Observed, ...])
    seen = joined(trace, workflows, msgspec.convert(known["papers"], tuple[Fact, ...]))
    return trace, seen, msgspec.convert(known["prices"], tuple[OwnPrice, ...])


def _tell(data: bytes, made: Plan, why: str | None, *, as_json: bool) -> None:
    import json

    if as_json:
        emit_json(json.loads(data))
        return
    if why is not None:
        _why(made, why)
        return
    for one in made.workflows:
        _workflow(made, one)
    if len(made.workflows) > 1:
        _workflow(made, made.together)
    for warning in made.red:
        say(f"assumed: {warning}")


def _gains(one: Outcome) -> dict[str, str]:
    """Against doing nothing; nothing is said of doing nothing itself, nor of what rests on too little."""
    if one.option == "nothing" or not one.stated:
        return dict.fromkeys(("npv", "saves", "payback"), "-" if one.stated else "not stated")
    return {"npv": _three(one.npv), "saves": f"{one.saves:.0%}", "payback": _months(one.payback_months[1])}


def _workflow(made: Plan, one: Planned) -> None:
    from freehold.planner.report.words import counted, running, work

    currency = made.inputs.contract.currency
    click.echo(click.style(f"\n{one.name}", bold=True))
    rows = [
        {
            "option": WORDS[choice.best.option],
            "variant": choice.best.variant + ("" if choice.best.meets else " (would not do)"),
            "monthly": _three(choice.best.all_in),
            "running": running(choice.best, made.inputs.months),
            "work": work(choice.best, made.inputs.months),
            "million": f"{choice.best.per_million.p50:,.2f}",
            "passed": f"{choice.best.per_passed.p50:.3g}",
            **_gains(choice.best),
        }
        for choice in one.options
    ]
    table(rows, _OPTIONS)
    if one.decision is not None:
        say(f"{currency}, {counted(made.inputs.months, 'month')} from {made.inputs.made_on}; {one.rests.words}")
        fields([("advice", one.decision.advice.replace("_", " ")), ("because", one.decision.reason)])
        for measure in one.decision.decides:
            fields([("would decide", measure)])


def _why(made: Plan, name: str) -> None:
    found = next((one for one in made.workflows if one.name == name), None)
    if found is None or found.decision is None:
        raise click.BadParameter(f"there are {', '.join(one.name for one in made.workflows)}", param_hint="--why")
    decision = found.decision
    fields([("workflow", name), ("advice", decision.advice.replace("_", " ")), ("because", decision.reason)])
    rows = [
        {"factor": one.name, "value": one.value, "says": one.says, "measure": one.measure, "override": one.override}
        for one in decision.factors
    ]
    names = ("factor", "value", "says", "measure", "override")
    table(rows, [(one, one) for one in names])
    for line in made.rule:
        click.echo(line)
    for measure in decision.decides:
        fields([("would decide", measure)])


def _three(one: Any) -> str:
    return f"{one.p10:,.0f} / {one.p50:,.0f} / {one.p90:,.0f}"


def _months(value: float | None) -> str:
    from freehold.planner.report.words import counted

    return "never" if value is None else counted(value, "month")
