"""`freehold policy`: what may go where, why, and whether it is as expected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.commands import Noun
from freehold.cli.output import cell, emit_json, json_option, say, table
from freehold.cli.place import Place
from freehold.core.errors import BadRequest, Unavailable

if TYPE_CHECKING:
    from freehold.policy.targets import Target
    from freehold.policy.types import Policy

GATE = 4
"""Exit code of expectations that are not met, or remarks where `--strict` was asked for."""
_TEAM = click.option("--team", default="*", help="Team of the key; else the strictest answer for any team.")
_ROUTE = click.option("--route", default="*", help="Route that is named; else the strictest answer for any route.")
_FILE = click.option("--file", "offline", is_flag=True, help="Ask the file alone, not the running instance.")


@click.group(cls=Noun)
def policy() -> None:
    """What may go where: check the rules, explain a decision, test expectations, print all, write a firewall."""


@policy.command()
@click.option("--strict", is_flag=True, help="Exit with 4 where there is a remark.")
@json_option
@click.pass_obj
def check(place: Place, *, strict: bool, as_json: bool) -> int:
    """Check the file with its rules in Cedar, and say what to look at: ended contracts, clearances in vain."""
    from datetime import UTC, datetime

    import msgspec

    from freehold.policy.review import review

    found, targets = _from_file(place)
    remarks = review(found, list(targets.values()), datetime.now(UTC).date())
    if as_json:
        emit_json([msgspec.to_builtins(one) for one in remarks])
    elif remarks:
        for one in remarks:
            click.echo(f"{cell(one.about)}: {cell(one.message)}\n  fix   {cell(one.fix)}")
    else:
        click.echo("the policy is valid, and there is nothing to remark")
    return GATE if strict and remarks else 0


@policy.command()
@click.argument("target")
@click.option("--label", default="unknown", help="Label of the content, such as restricted or confidential:GDPR.")
@_TEAM
@_ROUTE
@_FILE
@json_option
@click.pass_obj
def explain(place: Place, /, target: str, *, offline: bool, as_json: bool, **asked: Any) -> None:
    """Say, rule by rule, whether content with a label may go to TARGET, and on which rows that rests."""
    if offline:
        found = _explained(place, target, **asked)
    else:
        found = place.client().get("/api/policy/explain", target=target, **asked)
    if as_json:
        emit_json(found)
        return
    verdict = "may go" if found["allowed"] else "may not go"
    click.echo(f"{cell(found['label'])} content {verdict} to {cell(found['target'])}: {cell(found['reason'])}")
    rows = [{**one, "passes": "yes" if one["passes"] else "NO"} for one in found["steps"]]
    table(rows, [("rule", "rule"), ("passes", "passes"), ("why", "why")])
    for one in found["rows"]:
        click.echo(f"known: {cell(one)}")


@policy.command("table")
@_TEAM
@_ROUTE
@_FILE
@json_option
@click.pass_obj
def table_(place: Place, *, team: str, route: str, offline: bool, as_json: bool) -> None:
    """Print every decision: labels by targets. `yes`, or the rule that refuses."""
    found = _judged(place, team, route) if offline else place.client().get("/api/policy/table", team=team, route=route)
    if as_json:
        emit_json(found)
        return
    rows: dict[str, dict[str, Any]] = {}
    for one in found:
        rows.setdefault(one["label"], {"label": one["label"]})[one["target"]] = "yes" if one["allowed"] else one["rule"]
    names = list(dict.fromkeys(one["target"] for one in found))
    table(list(rows.values()), [("label", "label"), *((name, name) for name in names)])


@policy.command()
@click.argument("cases", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_FILE
@json_option
@click.pass_obj
def test(place: Place, cases: Path, *, offline: bool, as_json: bool) -> int:
    """Hold the expectations in CASES (TOML: [[cases]] with label, target, expect, team, route, on) against the policy.

    Exits with 4 where one is not met, so that it can stand before a deployment.
    """
    import msgspec

    from freehold.policy.table import Cases

    try:
        wanted = msgspec.toml.decode(cases.read_bytes(), type=Cases)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"{cases} holds no expectations: {error}", hint="see the how-to `keep data home`") from None
    if offline:
        outcomes = _checked(place, wanted)
    else:
        outcomes = place.client().post("/api/policy/test", msgspec.to_builtins(wanted))
    failed = [one for one in outcomes if not one["passed"]]
    if as_json:
        emit_json(outcomes)
    else:
        for one in failed:
            case = one["case"]
            asked = f"{case['label']} to {case['target']} for team {case['team']} on {case['route']}"
            click.echo(f"FAILED {cell(asked)}: expected {case['expect']}, got {one['got']}: {cell(one['reason'])}")
        click.echo(f"{len(outcomes) - len(failed)} of {len(outcomes)} as expected")
    return GATE if failed or not outcomes else 0


@policy.command()
@click.option("--user", required=True, help="Name or number of the user that the gateway runs as.")
@click.option("--resolver", multiple=True, help="Address of a name server it may ask; none by default.")
@_FILE
@json_option
@click.pass_obj
def firewall(place: Place, user: str, resolver: tuple[str, ...], *, offline: bool, as_json: bool) -> None:
    """Print nftables rules that let the gateway's user reach the targets' addresses and nothing else.

    Names are looked up now: write the rules anew when addresses change. Load them with: nft -f FILE
    """
    from freehold.core.permit import Origin
    from freehold.policy.firewall import rules

    if offline:
        origins = {one.origin for one in _from_file(place)[1].values()}
    else:
        found = place.client().get("/api/policy/origins")
        origins = {Origin(one["scheme"], one["host"], one["port"]) for one in found}
    addresses = {one: _looked_up(one.host, one.port) for one in sorted(origins, key=str)}
    text = rules(addresses, user, resolver)
    if as_json:
        emit_json({"rules": text, "addresses": {str(one): found for one, found in addresses.items()}})
    else:
        click.echo(text, nl=False)
    say(f"{sum(map(len, addresses.values()))} addresses of {len(addresses)} origins; load them with: nft -f FILE")


def _looked_up(host: str, port: int) -> list[str]:
    """The addresses of a name. Raises Unavailable."""
    import socket

    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except OSError as error:
        hint = "write the rules where the name can be looked up"
        raise Unavailable(f"{host} cannot be looked up: {error.strerror or error}", hint=hint) from None
    return sorted({str(one[4][0]).partition("%")[0] for one in found})


def _from_file(place: Place) -> tuple[Policy, dict[str, Target]]:
    """Policy and targets as the file has them; embedded models are not among them."""
    from freehold.settings import compile as compiled
    from freehold.settings.load import load

    settings = load(place.config, place.home_option).settings
    return compiled.policy(settings, ()), {one.name: one for one in compiled.routes(settings, ()).targets}


def _explained(place: Place, target: str, label: str, team: str, route: str) -> Any:
    import time

    import msgspec

    from freehold.core.label import parse_label
    from freehold.policy.permits import day
    from freehold.policy.table import explain, named
    from freehold.policy.types import Where

    found, targets = _from_file(place)
    where = Where(team, route, day(time.time()))
    return msgspec.to_builtins(explain(found, parse_label(label), named(targets, target), where))


def _judged(place: Place, team: str, route: str) -> Any:
    import time

    import msgspec

    from freehold.policy.permits import Mint
    from freehold.policy.table import labels, table

    found, by_name = _from_file(place)
    targets = list(by_name.values())
    mint = Mint(0, found, now=time.time()).scoped(team, route)
    return msgspec.to_builtins(table(mint, targets, labels(found, targets)))


def _checked(place: Place, wanted: Any) -> Any:
    import time

    import msgspec

    from freehold.policy.table import check

    found, targets = _from_file(place)
    return msgspec.to_builtins(check(wanted.cases, found, targets, time.time()))
