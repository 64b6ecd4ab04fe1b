"""`freehold guard`: what calls are scanned for, from the file alone, and what was found in them. No text leaves."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.commands import Noun
from freehold.cli.duration import DURATION
from freehold.cli.output import cell, emit_json, json_option, say, table
from freehold.cli.place import Place
from freehold.core.errors import BadRequest, FileRefused

if TYPE_CHECKING:
    from freehold.guard.trial import Trial
    from freehold.guard.types import Profile

GATE = 4
"""Exit code of a text that is blocked, where `--strict` was asked for."""
_SOURCES = ("system", "user", "assistant", "tool", "document")


@click.group(cls=Noun)
def guard() -> None:
    """What calls are scanned for: try a profile on a text, list profiles and detectors."""


@guard.command()
@click.argument("text", required=False)
@click.option("-f", "--file", "path", help="Read the text from a file; - for standard input.")
@click.option("--profile", "name", default="watch", show_default=True, help="Profile of the file, or one built in.")
@click.option("--out", "answer", is_flag=True, help="Treat it as what comes back from a model.")
@click.option("--source", type=click.Choice(_SOURCES), help="Who wrote it; the user, or with --out the assistant.")
@click.option("--strict", is_flag=True, help="Exit with 4 where the text is blocked.")
@json_option
@click.pass_obj
def test(place: Place, /, text: str | None, **given: Any) -> int:
    """Show what a profile finds in TEXT, what each finding leads to, and the text as it would go on."""
    import msgspec

    from freehold.guard.profile import compile_profile
    from freehold.guard.trial import tried

    content = _content(text, given["path"])
    made = compile_profile(_profile(place, given["name"]))
    seen = tried(made, content, "out" if given["answer"] else "in", given["source"])
    if given["as_json"]:
        emit_json(msgspec.to_builtins(seen))
    else:
        _show(seen)
    return GATE if given["strict"] and seen.blocked else 0


@guard.command()
@json_option
@click.pass_obj
def profiles(place: Place, *, as_json: bool) -> None:
    """List the profiles of the file and those that come with Freehold, with their rules."""
    rows = [
        {
            "profile": one.name,
            "rule": index + 1,
            "detector": rule.detector,
            "kinds": ", ".join(rule.kinds) or "all",
            "directions": ", ".join(rule.directions),
            "sources": ", ".join(rule.sources) or "all",
            "action": rule.action,
            "label": str(rule.label) if rule.label else "",
            "at_least": rule.at_least,
            "on_failure": one.on_failure,
        }
        for one in _known(place)
        for index, rule in enumerate(one.rules)
    ]
    if as_json:
        emit_json(rows)
    else:
        names = ("profile", "detector", "kinds", "directions", "sources", "action", "label")
        table(rows, [(name, name) for name in names])


@guard.command("list")
@json_option
@click.pass_obj
def list_(place: Place, *, as_json: bool) -> None:
    """List the detectors and the kinds that each finds."""
    from freehold.guard.detectors.registry import MAKERS, load
    from freehold.guard.types import Profile

    rows = []
    for name, one in load([name for name, _ in MAKERS], Profile(name="list")).items():
        looks = "at the whole text" if one.span == 0 else f"at up to {one.span} characters"
        rows.append({"detector": name, "looks": looks, "kinds": ", ".join(getattr(one, "kinds", ()))})
    if as_json:
        emit_json(rows)
    else:
        table(rows, [("detector", "detector"), ("looks", "looks"), ("kinds", "kinds")])


@guard.command()
@click.option("--since", type=DURATION, help="Calls of the last hours or days, such as 24h; 7 days without it.")
@click.option("--route", default="", help="Only of calls on this route.")
@json_option
@click.pass_obj
def findings(place: Place, since: float | None, route: str, *, as_json: bool) -> None:
    """List what guards found in calls, by kind, and what that leads to by the rules in force."""
    window = {} if since is None else {"since": time.time() - since}
    told = place.client().get("/api/guard/findings", route=route, **window)
    if as_json:
        emit_json(told)
        return
    rows = [
        {**one, "actions": ", ".join(one["actions"]) or ("flag" if one["in_force"] else "rules of before")}
        for one in sorted(told["found"], key=lambda one: -one["findings"])
    ]
    names = ("kind", "detector", "side", "guard", "findings", "calls", "refused")
    table(rows, [*((name, name) for name in names), ("actions", "leads to")])
    looked = sum(one["calls"] for one in told["looked"] if one["side"] == "request")
    say(f"in {looked} calls that began from {_hour(told['since'])} to {_hour(told['until'])}")
    for one in told["failed"]:
        say(f"failed: {one['detector']} on {one['failed']} calls ({one['side']})")


def _hour(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _content(text: str | None, path: str | None) -> str:
    if (text is None) == (path is None):
        raise click.UsageError("give a TEXT, or a file with -f")
    if path == "-":
        return sys.stdin.read()
    if path is not None:
        try:
            return Path(path).read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise FileRefused.of(error) from None
    return text or ""


def _known(place: Place) -> tuple[Profile, ...]:
    from freehold.guard.settings import profiles
    from freehold.settings.load import load

    return profiles(load(place.config, place.home_option).settings.guard)


def _profile(place: Place, name: str) -> Profile:
    known = {one.name: one for one in _known(place)}
    if name not in known:
        raise BadRequest(f"there is no profile {name!r}", hint=f"name one of: {', '.join(known)}", param="--profile")
    return known[name]


def _show(seen: Trial) -> None:
    import msgspec

    columns = ("start", "end", "detector", "kind", "score", "action", "found")
    rows = [{**msgspec.to_builtins(one), "found": _short(one.found)} for one in seen.findings]
    table(rows, [(name, name) for name in columns])
    if seen.label is not None:
        say(f"the label rises to at least {seen.label}")
    if seen.failed:
        say(f"failed: {', '.join(seen.failed)}")
    if seen.ask:
        say("calls of tools wait for a person")
    if seen.blocked:
        say(f"blocked: {seen.blocked}")
    else:
        click.echo(cell(seen.text))


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
