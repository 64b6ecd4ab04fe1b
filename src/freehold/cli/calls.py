"""`freehold calls`: what happened."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import click

from freehold.cli.client import segment
from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, fields, json_option, table
from freehold.cli.place import Place
from freehold.cli.wanted import query, wanted_options
from freehold.core.money import usd

FOLLOW_SECONDS = 0.5
_ATTEMPTS = (
    ("number", "attempt"),
    ("target", "target"),
    ("outcome", "outcome"),
    ("status", "status"),
    ("error", "error"),
    ("cost", "cost"),
    ("took", "took"),
)


@click.group(cls=Noun)
def calls() -> None:
    """Calls: one line each, one in full, or all for other tools."""


@calls.command()
@click.option(
    "-n", "--last", type=click.IntRange(0, 500), default=20, show_default=True, help="How many to begin with."
)
@click.option("-f", "--follow", is_flag=True, help="Stay, and print calls as they end.")
@wanted_options
@json_option
@click.pass_obj
def tail(place: Place, /, last: int, *, follow: bool, as_json: bool, **given: Any) -> None:
    """Print the last calls, oldest first; with --json one object a line."""
    client = place.client()
    which = query(given)
    page = client.get("/api/calls/tail", last=last, **which)
    _print(page["calls"], as_json=as_json)
    while follow:
        time.sleep(FOLLOW_SECONDS)
        page = client.get("/api/calls/tail", leaf=page["leaf"], **which)
        _print(page["calls"], as_json=as_json)
        sys.stdout.flush()


@calls.command()
@click.argument("call")
@json_option
@click.pass_obj
def show(place: Place, call: str, *, as_json: bool) -> None:
    """Print one call with its attempts."""
    found = place.client().get(f"/api/calls/{segment(call)}")
    if as_json:
        emit_json(found)
        return
    one = found["call"]
    usage = one.pop("usage")
    tokens = ", ".join(f"{count} {name}" for name, count in usage.items() if count and count is not True)
    pairs = [
        ("call", one["id"]),
        ("at", _when(one["at"], full=True)),
        *_named(one, ("route", "target", "region", "outcome", "status", "error")),
        ("tokens", tokens + (" (estimated)" if usage.get("estimated") else "")),
        ("cost", _money(one["cost"])),
        ("price", None if one["price_source"] in ("", "not set") else f"{one['price_source']}, {one['price_as_of']}"),
        ("rented price", f"{_money(one['what_if'])} at {one['what_if_target']}" if one["what_if"] else None),
        ("latency", _seconds(one["latency"])),
        ("first token", _seconds(one["first_token"])),
        *_named(one, ("label", "team", "key_id", "workflow", "dialect")),
        *_named(one, ("policy_version", "routes_version", "dropped", "budgets")),
        ("trace", one["trace"] or None),
        *_seen(one["scan"] or {}),
    ]
    fields(pairs)
    if not found["attempts"]:
        click.echo("\nno attempts: it was refused before anything was sent")
        return
    click.echo()
    rows = [
        {**each, "cost": _money(each["cost"]), "took": _seconds(each["ended"] - each["started"])}
        for each in found["attempts"]
    ]
    table(rows, _ATTEMPTS)


@calls.command()
@click.option("--to", "target_file", type=click.File("wb", lazy=False), default="-", help="File; standard output else.")
@wanted_options
@json_option
@click.pass_obj
def export(place: Place, /, target_file: Any, *, as_json: bool, **given: Any) -> None:
    """Print every call that matches, oldest first, one JSON object a line (with or without --json)."""
    for line in place.client().lines("/api/calls/export", **query(given)):
        target_file.write(line)


@calls.command()
@click.argument("call")
@click.option("--why", required=True, help="Reason; kept in the audit.")
@json_option
@click.pass_obj
def erase(place: Place, call: str, why: str, *, as_json: bool) -> None:
    """Erase the bodies kept of one call; what it cost stays."""
    gone = place.client().post(f"/api/calls/{segment(call)}/erase", {"why": why})
    if as_json:
        emit_json(gone)
    else:
        click.echo(f"{gone['bodies']} bodies erased")


def _seen(scan: dict[str, Any]) -> list[tuple[str, str | None]]:
    """What a guard saw of it, in lines."""
    lowered = scan.get("lowered")
    pairs = [("guard", scan.get("guard"))]
    for side in ("request", "answer"):
        one = scan.get(side)
        if one is not None:
            found = ", ".join(f"{count} {kind}" for kind, count in one["found"].items()) or "nothing"
            failed = f"; failed: {', '.join(one['failed'])}" if one["failed"] else ""
            unread = f"; not readable: {one['unread']}" if one.get("unread") else ""
            pairs.append((f"found in {side}", f"{found} in {one['characters']} characters{unread}{failed}"))
    if lowered is not None:
        pairs.append(("label lowered", f"from {lowered['from']} to {lowered['to']}, {lowered['why']}"))
    return pairs


def _print(found: list[dict[str, Any]], *, as_json: bool) -> None:
    for one in found:
        click.echo(json.dumps(one, ensure_ascii=False) if as_json else _line(one))


def _line(one: dict[str, Any]) -> str:
    usage = one["usage"]
    parts = (
        _when(one["at"]),
        one["id"],
        one["outcome"].ljust(9),
        str(one["status"]),
        f"{one['route']} -> {one['target'] or '(nowhere)'}",
        f"{usage.get('input', 0)}+{usage.get('output', 0)} tokens",
        _money(one["cost"]),
        _seconds(one["latency"]),
        one["error"],
    )
    return "  ".join(part for part in parts if part)


def _named(one: dict[str, Any], names: tuple[str, ...]) -> list[tuple[str, Any]]:
    return [(name.replace("_", " "), one[name]) for name in names]


def _when(seconds: float, *, full: bool = False) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return at.isoformat(timespec="milliseconds") if full else f"{at:%H:%M:%S}"


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def _money(text: str | None) -> str:
    return "-" if text is None else usd(Decimal(text))
