"""`freehold moves`: workflows on their way from rented to owned, and back."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from freehold.cli.client import segment
from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, fields, json_option, mark, safe, say, table
from freehold.cli.place import Place

GATE_NOT_PASSED = 4
WATCH_SECONDS = 1.0
_COLUMNS = (
    ("name", "workflow"),
    ("stage", "stage"),
    ("share", "share"),
    ("incumbent", "from"),
    ("candidate", "to"),
    ("pairs", "pairs"),
    ("difference", "difference"),
    ("among_all", "holds among all"),
    ("next", "next"),
)
_WHICH = ("all", "better", "differ", "invalid", "worse")
_PAIRS = (
    ("number", "pair"),
    ("call", "call"),
    ("at", "at"),
    ("stage", "stage"),
    ("served", "answered by"),
    ("candidate", "candidate"),
    ("incumbent", "incumbent"),
)
_COLOURS = {"owned": "green", "refused": "yellow", "rolled_back": "red"}


@click.group(cls=Noun)
def moves() -> None:
    """Moves: one workflow each, from a rented model to an owned one, by a rule fixed beforehand."""


@moves.command()
@click.argument("workflow")
@click.option(
    "--recipe",
    type=click.Choice(("auto", "classifier", "lora", "prompt", "none")),
    default="auto",
    show_default=True,
    help="What makes the candidate.",
)
@click.option("--candidate", default="", help="Target or composite to move to, with --recipe none.")
@click.option("--incumbent", default="", help="Target that serves it now; found from its calls without it.")
@click.option("--escalate", type=click.FloatRange(0, 1), help="Confidence under which the incumbent is asked.")
@click.option(
    "--first-look", type=click.IntRange(1), help="Calls of the window a candidate is asked before later ones decide."
)
@click.option(
    "--sweep",
    "swept",
    multiple=True,
    metavar="OPTION=VALUE,...",
    help="With --recipe lora: train with each value and take the best; repeat for more options.",
)
@click.option("--margin", type=float, help="Quality by which it may be worse, such as 0.03.")
@click.option("--alpha", type=float, help="Greatest probability of a false cut-over.")
@click.option("--harm", type=float, help="Quality loss that is rolled back.")
@click.option("--reference", type=click.Choice(("incumbent", "annotations")), help="What answers are graded against.")
@click.option("--approve", "approvals", multiple=True, help="Step that waits for a person; repeat for more.")
@click.option("--budget", help="US dollars that comparing may cost.")
@click.option("--despite-immaturity", is_flag=True, help="Start although the workflow's prompt has not settled yet.")
@click.option("--dry-run", is_flag=True, help="Say what would be begun, and begin nothing.")
@json_option
@click.pass_obj
def start(place: Place, /, workflow: str, *, as_json: bool, **given: Any) -> None:
    """Start a move. The rule is written down now and never changed."""
    names = ("margin", "alpha", "harm", "reference", "approvals", "budget")
    rule = {name: given.pop(name) for name in names}
    rule = {name: value for name, value in rule.items() if value not in (None, ())}
    sweep = _sweep(given.pop("swept"))
    body = {
        "workflow": workflow,
        "rule": rule,
        "sweep": sweep,
        **{name: one for name, one in given.items() if one is not None},
    }
    made = place.client().post("/api/moves", body)
    if as_json:
        emit_json(made)
        return
    _show(made)
    if given.get("dry_run"):
        say("nothing was begun")
        return
    say(f"started; look on with: freehold moves watch {workflow}")


@moves.command("list")
@json_option
@click.pass_obj
def list_(place: Place, *, as_json: bool) -> None:
    """List the moves, newest first."""
    found = place.client().get("/api/moves")
    if as_json:
        emit_json(found)
    else:
        table([_row(one) for one in found], _COLUMNS)


@moves.command()
@click.argument("workflow")
@json_option
@click.pass_obj
def status(place: Place, workflow: str, *, as_json: bool) -> None:
    """Say where a move stands: each metric, its value and its bound, and what comes next."""
    found = place.client().get(f"/api/moves/{segment(workflow)}")
    if as_json:
        emit_json(found)
    else:
        _show(found)


@moves.command()
@click.argument("workflow")
@click.option(
    "--until",
    type=click.Choice(("evaluated", "tuned", "shadow", "canary", "owned")),
    default="owned",
    show_default=True,
    help="Stage at which to stop looking.",
)
@json_option
@click.pass_context
def watch(ctx: click.Context, workflow: str, until: str, *, as_json: bool) -> None:
    """Look on: every event as it happens, until the move ends or reaches a stage. Exit 4 where it was refused."""
    client = ctx.obj.client()
    path = f"/api/moves/{segment(workflow)}"
    seen = 0
    while True:
        for event in client.get(f"{path}/events")[seen:]:
            seen += 1
            click.echo(json.dumps(event) if as_json else safe(_line(event)))
        now = client.get(path)
        if now["stage"] in ("refused", "rolled_back"):
            ctx.exit(GATE_NOT_PASSED)
        if now["stage"] == until or now["held"] or now["waiting"]:
            if now["held"] or now["waiting"]:
                say(now["next"])
            return
        time.sleep(WATCH_SECONDS)


@moves.command()
@click.argument("workflow")
@click.option("--which", type=click.Choice(_WHICH), default="all", show_default=True, help="Which of them.")
@click.option("--before", type=click.IntRange(0), help="Number to go on from.")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="How many.")
@json_option
@click.pass_obj
def pairs(place: Place, /, workflow: str, *, as_json: bool, **wanted: Any) -> None:
    """List calls that both sides answered, newest first, each with its two scores."""
    found = place.client().get(f"/api/moves/{segment(workflow)}/pairs", **wanted)
    if as_json:
        emit_json(found)
        return
    rows = [{**one, "at": f"{datetime.fromtimestamp(one['at'], UTC):%Y-%m-%d %H:%M:%S}"} for one in found["pairs"]]
    table(rows, _PAIRS)
    if found["next"] is not None:
        say(f"and more; see them with: --before {found['next']}")


@moves.command()
@click.argument("workflow")
@click.option("--why", default="", help="Reason; kept with the move.")
@json_option
@click.pass_obj
def approve(place: Place, workflow: str, why: str, *, as_json: bool) -> None:
    """Approve the step that waits."""
    _act(place, workflow, "approve", {"why": why}, as_json=as_json)


@moves.command()
@click.argument("workflow")
@click.option("--why", default="", help="Reason; kept with the move.")
@click.option("--without-proof", is_flag=True, help="Take the next step whatever the evidence says; needs --why.")
@json_option
@click.pass_obj
def promote(place: Place, workflow: str, why: str, *, without_proof: bool, as_json: bool) -> None:
    """Let a held move go on."""
    _act(place, workflow, "promote", {"why": why, "without_proof": without_proof}, as_json=as_json)


@moves.command()
@click.argument("workflow")
@click.option("--why", default="", help="Reason; kept with the move.")
@json_option
@click.pass_obj
def hold(place: Place, workflow: str, why: str, *, as_json: bool) -> None:
    """Keep a move where it is; harm still rolls it back."""
    _act(place, workflow, "hold", {"why": why}, as_json=as_json)


@moves.command()
@click.argument("workflow")
@click.option("--why", default="", help="Reason; kept with the move.")
@json_option
@click.pass_obj
def rollback(place: Place, workflow: str, why: str, *, as_json: bool) -> None:
    """Give all traffic back to the incumbent, at once."""
    _act(place, workflow, "rollback", {"why": why}, as_json=as_json)


@moves.command()
@click.argument("workflow")
@click.option("--out", type=click.Path(path_type=Path), help="File to write; WORKFLOW.dossier.json without it.")
@click.option("--html", is_flag=True, help="Write a page for people beside it.")
@json_option
@click.pass_obj
def dossier(place: Place, workflow: str, out: Path | None, *, html: bool, as_json: bool) -> None:
    """Write the signed dossier of a move: why it was allowed, recomputable from its rows."""
    client = place.client()
    target = out or Path(f"{workflow}.dossier.json")
    if html and target.suffix.lower() == ".html":
        raise click.BadParameter("it would be overwritten by its page: give a name in .json", param_hint="--out")
    target.write_text(json.dumps(client.get(f"/api/moves/{segment(workflow)}/dossier")))
    written = [str(target)]
    if html:
        page = target.with_suffix(".html")
        page.write_bytes(b"".join(client.lines(f"/api/moves/{segment(workflow)}/dossier.html")))
        written.append(str(page))
    if as_json:
        emit_json({"written": written})
    else:
        say(f"wrote {', '.join(written)}; check it with: freehold moves verify {target}")


@moves.command()
@click.argument("file", metavar="DOSSIER", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--public-key", default="", help="Key it must be signed with, in hex; any without it.")
@json_option
@click.pass_context
def verify(ctx: click.Context, file: Path, public_key: str, *, as_json: bool) -> None:
    """Recompute a move's decisions from the rows in its dossier. Needs no instance. Exit 4 where something differs."""
    from freehold.moves.verify import verify as check

    found = check(file.read_bytes(), public_key)
    if as_json:
        emit_json([{"what": one.what, "ok": one.ok, "detail": one.detail} for one in found])
    else:
        for one in found:
            sign = mark("ok", "green") if one.ok else mark("fail", "red")
            click.echo(f"{sign} {one.what}{': ' + one.detail if one.detail else ''}")
    if not all(one.ok for one in found):
        ctx.exit(GATE_NOT_PASSED)


def _sweep(swept: tuple[str, ...]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for one in swept:
        name, _, values = one.partition("=")
        if not name or not values or name in found:
            raise click.BadParameter(f"{one!r} must read OPTION=VALUE,VALUE, each option once", param_hint="--sweep")
        found[name] = [_value(value.strip()) for value in values.split(",")]
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _act(place: Place, workflow: str, verb: str, body: dict[str, Any], *, as_json: bool) -> None:
    found = place.client().post(f"/api/moves/{segment(workflow)}/{verb}", body)
    if as_json:
        emit_json(found)
    else:
        _show(found)


def _row(move: dict[str, Any]) -> dict[str, Any]:
    measured = move["measured"]
    return {
        **move,
        "share": f"{move['share']:.0%}",
        "pairs": measured["pairs"],
        "difference": _points(measured["difference"]) if measured["pairs"] else None,
    }


def _show(move: dict[str, Any]) -> None:
    measured = move["measured"]
    shown = f"{_points(measured['difference'])} [{_points(measured['low'])}, {_points(measured['high'])}] points"
    fields(
        [
            ("move", move["id"]),
            ("workflow", f"{move['name']} ({move['workflow']})"),
            ("stage", click.style(move["stage"], fg=_COLOURS.get(move["stage"]))),
            ("share", f"{move['share']:.0%}"),
            ("from", move["incumbent"]),
            ("to", move["candidate"]),
            ("pairs", measured["pairs"]),
            ("difference", shown if measured["pairs"] else None),
            ("held", move["held"]),
            ("recipe", move["recipe"]),
            ("rule", _rule(move)),
            ("ten points less", _detection(move)),
            ("next", move["next"]),
        ]
    )
    for one in move["bounds"]:
        click.echo(f"  {one['metric']} {one['value']:.4g}; at {one['bound']:,.4g}: {one['then']}")


def _rule(move: dict[str, Any]) -> str:
    rule = move["rule"]
    steps = ", ".join(f"{one:.0%}" for one in rule["steps"])
    approvals = ", ".join(rule["approvals"]) or "none"
    return (
        f"{rule['grader']['kind']} against {rule['reference']}; margin {rule['margin'] * 100:g} points, "
        f"alpha {rule['alpha']:g}, harm {rule['harm'] * 100:g} points; steps {steps}, holdback {rule['holdback']:.0%}; "
        f"approvals: {approvals}; comparing for at most ${rule['budget']} (sha256 {move['rule_sha256'][:12]})"
    )


def _detection(move: dict[str, Any]) -> str | None:
    if move["detection_calls"] is None:
        return None
    hours = move["detection_hours"]
    lately = f" ({hours:.1f} hours at the rate of the last day)" if hours is not None else ""
    return f"found in {move['detection_calls']} calls{lately} in the median, {move['detection_late']} in nine of ten"


def _points(share: float) -> str:
    return f"{share * 100:+.1f}"


def _line(event: dict[str, Any]) -> str:
    from freehold.moves.telling import line

    when = datetime.fromtimestamp(event["at"], UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{when}  {line(event['kind'], event['content'])}"
