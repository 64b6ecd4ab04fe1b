"""`freehold audit`: check the log offline, hand it to auditors, look into it; erase whom it is about, or hold it."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freehold.cli.client import segment
from freehold.cli.commands import Noun
from freehold.cli.output import emit_json, fields, json_option, mark, say, table
from freehold.cli.place import Place
from freehold.cli.receipts import trusted

if TYPE_CHECKING:
    from freehold.ledger.audit.offline import Report

_SHOWN = 50
_MOMENTS = ("since", "until")
MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group(cls=Noun)
def audit() -> None:
    """The audit log: verify, export, show, checkpoints; erase, hold."""


@audit.command()
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--outside", multiple=True, type=_FOLDER, help="Folder of outside checkpoints; else those of [audit].")
@click.option("--public-key", help="The installation's public key in hex, from a source you trust.")
@json_option
@click.pass_context
def verify(
    ctx: click.Context, folder: Path | None, outside: tuple[Path, ...], public_key: str | None, *, as_json: bool
) -> None:
    """Check the whole log offline: that of the home, or FOLDER, which `audit export` made (this needs --public-key).

    Every leaf is computed anew and the tree over them, every checkpoint's signature and root, and the checkpoints
    outside. Exit code 4 where anything was changed, taken away, moved or cut off; what and where is told.
    """
    import msgspec

    place = ctx.find_object(Place)
    assert place is not None
    report = _check(place, folder, outside, public_key)
    if as_json:
        emit_json(msgspec.to_builtins(report))
    else:
        _tell(report)
    if not report.good:
        ctx.exit(4)


@audit.command()
@click.argument("folder", type=_FOLDER)
@json_option
@click.pass_obj
def export(place: Place, folder: Path, *, as_json: bool) -> None:
    """Write the whole log into a new FOLDER for auditors: leaves with their salts, checkpoints, the public key.

    They check it without Freehold: python verifier/verify_audit.py FOLDER --public-key HEX --outside FOLDER
    """
    import msgspec

    from freehold.ledger.audit.export import write

    done = write(place.home, folder, place.database)
    if as_json:
        emit_json(msgspec.to_builtins(done))
    else:
        click.echo(f"{done.leaves} leaves and {done.checkpoints} checkpoints in {done.folder}")


@audit.command()
@click.argument("leaf", required=False, type=int)
@click.option("--kind", default="", help="Only changes of this kind, such as key.create.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500), help="How many changes.")
@json_option
@click.pass_obj
def show(place: Place, leaf: int | None, kind: str, limit: int, *, as_json: bool) -> None:
    """List the newest changes, or show what stands at LEAF: a call, a call that began, or a change."""
    from freehold.ledger.audit import offline

    if leaf is not None:
        found = offline.statement_at(place.home, leaf, place.database)
        if as_json:
            emit_json(found)
        else:
            fields((name.replace("_", " "), value) for name, value in found.items())
        return
    rows = offline.changes(place.home, kind, limit, place.database)
    if as_json:
        emit_json(rows)
    else:
        columns = (("leaf", "leaf"), ("at", "at"), ("kind", "kind"), ("actor", "actor"), ("content", "content"))
        table(rows, columns)


@audit.command()
@json_option
@click.pass_obj
def checkpoints(place: Place, *, as_json: bool) -> None:
    """List the signed checkpoints, oldest first, and how publishing them outside stands."""
    from freehold.ledger.audit import offline, publisher

    rows, standing = offline.checkpoints(place.home, place.database), publisher.standing(place.home)
    if as_json:
        emit_json({"checkpoints": rows, "outside": [publisher.told(one) for one in standing]})
        return
    table(rows, (("size", "size"), ("at", "at"), ("root", "root")))
    for one in standing:
        say(publisher.line(one))


@audit.command()
@click.option("--call", default="", help="The bodies of one call.")
@click.option("--key", default="", help="Whatever is about one virtual key, by name or id.")
@click.option("--subject", default="", help="A person, as callers name them in x-freehold-subject.")
@click.option("--team", default="", help="The team whose calls name the person so.")
@click.option("--why", required=True, help="Reason; kept in the audit.")
@json_option
@click.pass_obj
def erase(place: Place, /, *, as_json: bool, **given: str) -> None:
    """Erase a person or a key for good: their bodies, what ties calls to them, and their key. What it cost stays.

    The log stays whole and checkable: their leaves keep their hashes, and an entry says which, by whom and why.
    What a legal hold covers is refused.
    """
    done = place.client().post("/api/audit/erase", given)
    if as_json:
        emit_json(done)
    elif done["bodies"] is not None:
        click.echo(f"{done['bodies']} bodies erased")
    else:
        click.echo("\n".join(done["jobs"]))
        say("queued; the worker erases them in the background")


@audit.group(cls=Noun)
def hold() -> None:
    """Legal holds: what neither retention nor anybody erases until it is released."""


@hold.command()
@click.option("--call", default="", help="One call.")
@click.option("--key", default="", help="Calls by one virtual key, by name or id.")
@click.option("--subject", default="", help="Calls about a person, as callers name them.")
@click.option("--team", default="", help="Calls of a team; with --subject, the team that names the person so.")
@click.option("--workflow", default="", help="Calls of a workflow.")
@click.option("--since", type=MOMENT, help="Calls from then on, in UTC.")
@click.option("--until", type=MOMENT, help="Calls before then, in UTC.")
@click.option("--why", required=True, help="Reason; kept in the audit.")
@json_option
@click.pass_obj
def add(place: Place, /, *, as_json: bool, **given: Any) -> None:
    """Hold what all the options say; without any, everything."""
    body = {name: value for name, value in given.items() if value not in (None, "")}
    moments = {name: value.replace(tzinfo=UTC).timestamp() for name, value in body.items() if name in _MOMENTS}
    made = place.client().post("/api/audit/holds", {**body, **moments})
    _show_hold(made, as_json=as_json)


@hold.command("list")
@click.option("--released", is_flag=True, help="Also those that were released.")
@json_option
@click.pass_obj
def list_(place: Place, *, released: bool, as_json: bool) -> None:
    """List the holds, oldest first."""
    rows = place.client().get("/api/audit/holds", released="true" if released else None)
    if as_json:
        emit_json(rows)
        return
    columns = (("id", "id"), ("made_at", "since"), ("made_by", "by"), ("scope", "scope"), ("why", "why"))
    table(rows, (*columns, ("released_at", "released")) if released else columns)


@hold.command()
@click.argument("hold")
@click.option("--why", required=True, help="Reason; kept in the audit.")
@json_option
@click.pass_obj
def release(place: Place, hold: str, why: str, *, as_json: bool) -> None:
    """Release HOLD: what is past its retention goes with the next round."""
    _show_hold(place.client().post(f"/api/audit/holds/{segment(hold)}/release", {"why": why}), as_json=as_json)


def _show_hold(one: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit_json(one)
    else:
        fields((name.replace("_", " "), value) for name, value in one.items())


def _check(place: Place, folder: Path | None, outside: tuple[Path, ...], public_key: str | None) -> Report:
    from freehold.ledger.audit.exported import verify_export
    from freehold.ledger.audit.offline import verify_home

    if folder is not None and not (folder / "identity.key").exists():
        return verify_export(folder, outside, trusted(public_key, place))
    home = folder or place.home
    pinned = trusted(public_key, place) if public_key else None
    return verify_home(home, outside or _configured(place, home), pinned, None if folder else place.database)


def _configured(place: Place, home: Path) -> tuple[Path, ...]:
    from freehold.settings.last_good import in_force

    if home != place.home:
        return ()
    return in_force(place.config, home).settings.audit.folders()


def _tell(report: Report) -> None:
    for one in report.problems[:_SHOWN]:
        click.echo(f"{mark('fail', 'red')} {one.where}: {one.message}")
    if len(report.problems) > _SHOWN:
        click.echo(f"{mark('fail', 'red')} and {len(report.problems) - _SHOWN} more (--json lists them all)")
    for remark in report.remarks:
        click.echo(f"{mark('note', 'yellow')} {remark}")
    for call in report.cut:
        click.echo(f"{mark('note', 'yellow')} {call} was begun and never ended: its gateway was killed meanwhile")
    if report.good:
        parts = [f"{report.size} leaves", f"{report.signed} of them signed by identity {report.identity}"]
        parts.append(f"{report.outside} under checkpoints outside")
        parts.append(f"{report.checkpoints} checkpoints continue each other")
        click.echo(f"{mark('ok', 'green')} {', '.join(parts)}")
    if report.under_way:
        say(f"{len(report.under_way)} calls are under way")
    if report.erased:
        say(f"{report.erased} leaves are erased, as logged; what stayed of their rows is unchanged")
