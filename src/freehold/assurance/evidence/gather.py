"""Reads an instance's folder, running or not, into the facts that evidence is computed from.

Invariant: what cannot be read is left None and named with its reason; nothing is guessed in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from freehold.assurance.errata.inventory import Attached
from freehold.assurance.evidence import reading_models, reading_people, reading_traffic, store
from freehold.assurance.evidence.facts import (
    ChangeFact,
    Facts,
    FileFact,
    HoldFact,
    KeepingFact,
    Log,
    Outside,
    SetFact,
    Unread,
)
from freehold.core.clock import iso
from freehold.core.crypto import Identity
from freehold.core.db import check, connect, present, reading
from freehold.core.errors import FreeholdError
from freehold.core.ids import as_text
from freehold.core.snapshot import read_snapshot
from freehold.gateway.routing.types import Routes
from freehold.identity.types import Keys
from freehold.ledger.audit import offline, publisher
from freehold.policy.types import Policy

PERIOD_DAYS = 90
DAY = 86400.0
_OF_DATABASE = (
    "break_glass", "calls", "changes", "evals", "holds", "keeping", "keys", "moves", "people", "scans", "sent",
    "workflows",
)  # fmt: skip
_SECRETS = ("data.key", "identity.key", "run/admin.token")


Take = Callable[[str, Callable[[], object]], None]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Of which instance, at which moment, over which time. Times are Unix seconds."""

    home: Path
    now: float
    since: float
    outside: tuple[Path, ...] = ()
    """Folders of outside checkpoints."""
    settings: SetFact | None = None
    engines: Mapping[str, Attached] | None = None
    """Engines beside the embedded one; None where the settings cannot be read, and then nothing is known of flaws."""
    database: URL | None = None
    """Where it is no file of the home."""
    bytes_too: bool = True
    """Every byte of every owned model is read and checked against what was signed."""


def gather(asked: Asked) -> Facts:
    """All facts. Raises NotFound where no instance has lived."""
    home = asked.home
    database = present(home, asked.database)
    identity = Identity.load(home / "identity.key")
    found: dict[str, Any] = {}
    unread: list[Unread] = []

    def take(section: str, read: Callable[[], object]) -> None:
        try:
            found[section] = read()
        except (FreeholdError, SQLAlchemyError, OSError, ValueError, msgspec.MsgspecError) as error:
            unread.append(Unread(section, _told(error)))

    take("settings", lambda: _settings(asked.settings))
    take("log", lambda: _log(home, asked.outside, database))
    take("outside", lambda: _outside(home, asked.outside))
    take("files", lambda: tuple(_file(home, name) for name in _SECRETS if name != "run/admin.token" or _runs(home)))
    routes, policy = _snapshots(home, identity, unread)
    closed = _database(asked, take, identity, routes, policy)
    if closed:
        told = {one.section for one in unread}
        unread += [Unread(one, closed) for one in _OF_DATABASE if one not in found and one not in told]
    if routes is not None and policy is not None:
        version, rules = policy
        take("policy", lambda: reading_traffic.policy(version, rules))
        take("guards", lambda: reading_traffic.guards(rules))
        take("routes", lambda: reading_traffic.routes(routes))
        take("targets", lambda: reading_traffic.targets(routes, rules, _today(asked.now)))
    if routes is not None:
        take("endings", lambda: reading_models.lasting(routes.targets, asked.now))
        take("errata", lambda: reading_models.errata(home, identity, routes.targets, _known(asked.engines)))
    take("models", lambda: reading_models.models(home, identity, asked.now, bytes_too=asked.bytes_too))
    return Facts(at=iso(asked.now), since=iso(asked.since), unread=tuple(sorted(unread, key=_order)), **found)


def _database(
    asked: Asked, take: Take, identity: Identity, routes: Routes | None, policy: tuple[int, Policy] | None
) -> str:
    """What the database tells, in one view of it; why it cannot be opened, empty where it can."""
    engine = connect(present(asked.home, asked.database))
    since, now = asked.since, asked.now
    try:
        check(engine)
        with reading(engine) as connection:
            take("keys", lambda: reading_people.keys(connection, now, _told_keys(asked.home, identity)))
            take("people", lambda: reading_people.people(connection, now))
            take("break_glass", lambda: reading_people.break_glass(connection, now))
            take("changes", lambda: _changes(connection, since, now))
            take("keeping", lambda: _keeping(connection, now))
            take("holds", lambda: tuple(_hold(connection, one) for one in store.holds(connection)))
            take("scans", lambda: reading_traffic.scans(store.scans(connection, since, now)))
            take("workflows", lambda: reading_models.workflows(store.served(connection, since, now)))
            take("evals", lambda: reading_models.evals(connection, now))
            take("moves", lambda: reading_models.moves(connection, identity, store.known(connection)[0], now))
            take("calls", lambda: reading_traffic.calls(store.alike(connection, since, now)))
            if routes is not None and policy is not None:
                rules, today = policy[1], _today(now)
                take("sent", lambda: reading_traffic.sent(store.sent(connection, since, now), routes, rules, today))
    except (FreeholdError, SQLAlchemyError, OSError) as error:
        return f"the database cannot be read: {_told(error)}"
    finally:
        engine.dispose()
    return ""


def _told(error: Exception) -> str:
    if type(error) is ValueError:
        return str(error)
    if isinstance(error, FileNotFoundError):
        return f"there is no {Path(str(error.filename or 'file')).name}"
    return error.message if isinstance(error, FreeholdError) else type(error).__name__


def _order(one: Unread) -> tuple[str, str]:
    return one.section, one.why


def _today(now: float) -> str:
    return iso(now)[:10]


def _settings(found: SetFact | None) -> SetFact:
    if found is None:
        raise ValueError("the settings cannot be read")
    return found


def _known(engines: Mapping[str, Attached] | None) -> Mapping[str, Attached]:
    if engines is None:
        raise ValueError("the settings cannot be read, so engines are not known")
    return engines


def _log(home: Path, folders: Sequence[Path], database: URL) -> Log:
    report = offline.verify_home(home, folders, url=database)
    return Log(
        good=report.good,
        size=report.size,
        signed=report.signed,
        outside=report.outside,
        checkpoints=report.checkpoints,
        erased=report.erased,
        cut=report.cut,
        problems=tuple(f"{one.where}: {one.message}" for one in report.problems),
    )


def _outside(home: Path, folders: Sequence[Path]) -> tuple[Outside, ...]:
    named = {str(one) for one in folders}
    return tuple(
        Outside(
            folder=one.folder, size=one.size, at=iso(one.at) if one.at else "", error=one.error, differs=one.differs
        )
        for one in sorted(publisher.standing(home), key=lambda one: one.folder)
        if one.folder in named
    )


def _runs(home: Path) -> bool:
    return (home / "run" / "admin.token").exists()


def _file(home: Path, name: str) -> FileFact:
    path = home / name
    return FileFact(name, f"{path.stat().st_mode & 0o777:03o}" if path.exists() else "")


def _snapshots(home: Path, identity: Identity, unread: list[Unread]) -> tuple[Routes | None, tuple[int, Policy] | None]:
    """Routes and policy as the data plane was told them."""
    routes: Routes | None = None
    policy: tuple[int, Policy] | None = None
    try:
        routes = read_snapshot(home / "snapshots", "routes", Routes, identity)[1]
        policy = read_snapshot(home / "snapshots", "policy", Policy, identity)
    except (FreeholdError, OSError, msgspec.MsgspecError) as error:
        why = f"the snapshots cannot be read: {_told(error)}"
        lost = ("guards", "policy", "routes", "sent", "targets")
        unread += [Unread(one, why) for one in (lost if routes else (*lost, "endings", "errata"))]
    return routes, policy


def _told_keys(home: Path, identity: Identity) -> Keys:
    return read_snapshot(home / "snapshots", "keys", Keys, identity)[1]


def _changes(connection: Any, since: float, now: float) -> tuple[ChangeFact, ...]:
    acting, _ = store.known(connection)
    counted: dict[tuple[str, str], int] = {}
    for kind, actor, count in store.changes(connection, since, now):
        who = (kind, acting.get(actor, actor))
        counted[who] = counted.get(who, 0) + count
    return tuple(ChangeFact(kind=kind, actor=actor, count=count) for (kind, actor), count in sorted(counted.items()))


def _keeping(connection: Any, now: float) -> KeepingFact:
    kept, overdue, erased = store.kept(connection, now)
    failed = tuple(store.failed_erasures(connection))
    return KeepingFact(kept=kept, overdue=overdue, erased=erased, failed_jobs=failed)


def _hold(connection: Any, hold: Any) -> HoldFact:
    return HoldFact(
        id=as_text("hold", hold.raw),
        active=hold.released_at is None,
        why=bool(hold.why.strip()),
        erased=store.erased_under(connection, hold),
    )
