"""What evidence reads of the database: rows that are alike counted, and ids; no content."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, and_, func, not_, or_, select

from freehold.identity.people.tables import people
from freehold.identity.service import KEY_ID
from freehold.identity.tables import keys
from freehold.jobs.tables import jobs
from freehold.ledger.keeping import store as keeping
from freehold.ledger.keeping.holds import Hold
from freehold.ledger.receipts import CACHED
from freehold.ledger.tables import attempts, audit_entries, bodies, calls

_ALIKE = ("team", "route", "label", "target", "outcome", "error")
_AT_ONCE = 2000


def alike(connection: Connection, since: float, now: float) -> list[dict[str, Any]]:
    """Calls of a period, those that are alike as one row with their number in `calls`."""
    marks = (calls.c.key_id != "", calls.c.policy_version > 0, calls.c.scanned >= 0)
    named = [one.label(name) for one, name in zip(marks, ("keyed", "decided", "scanned"), strict=True)]
    columns = [*(calls.c[name] for name in _ALIKE), *named]
    query = select(*columns, func.count().label("calls")).where(calls.c.at >= since, calls.c.at <= now)
    found = [dict(one) for one in connection.execute(query.group_by(*columns)).mappings()]
    return sorted(found, key=lambda one: tuple(str(one[name]) for name in one))


def sent(connection: Connection, since: float, now: float) -> list[dict[str, Any]]:
    """Attempts of a period that sent something, those that are alike as one row with their number in `attempts`.

    A call that went out and has no attempts on record counts as one, to the target in its own row.
    """
    where = and_(calls.c.at >= since, calls.c.at <= now, calls.c.outcome != "refused")
    own = [calls.c[name] for name in ("team", "route", "label")]
    tried = [*own, *(attempts.c[name] for name in ("target", "owned", "region"))]
    known = select(*tried, func.count().label("attempts")).join(attempts, attempts.c.leaf == calls.c.leaf)
    known = known.where(where, attempts.c.outcome != CACHED).group_by(*tried)
    there = [*own, *(calls.c[name] for name in ("target", "owned", "region"))]
    bare = select(*there, func.count().label("attempts")).where(where, calls.c.attempts == 0, calls.c.target != "")
    summed: dict[tuple[Any, ...], int] = {}
    for query in (known, bare.group_by(*there)):
        for row in connection.execute(query):
            summed[tuple(row[:-1])] = summed.get(tuple(row[:-1]), 0) + row[-1]
    names = ("team", "route", "label", "target", "owned", "region")
    found = [{**dict(zip(names, key, strict=True)), "attempts": count} for key, count in summed.items()]
    return sorted(found, key=lambda one: tuple(str(one[name]) for name in names))


def scans(connection: Connection, since: float, now: float) -> Iterator[str]:
    """What guards saw of each call of a period, as its row has it."""
    query = select(calls.c.scan).where(calls.c.at >= since, calls.c.at <= now, calls.c.scan != "")
    yield from connection.execute(query.execution_options(yield_per=_AT_ONCE)).scalars()


def served(connection: Connection, since: float, now: float) -> dict[str, dict[str, int]]:
    """By workflow, empty for none, and target: answered calls of a period but Freehold's own."""
    query = select(calls.c.workflow, calls.c.target, func.count()).where(
        calls.c.at >= since, calls.c.at <= now, calls.c.key_id != KEY_ID, calls.c.target != "", calls.c.outcome == "ok"
    )
    found: dict[str, dict[str, int]] = {}
    for workflow, target, count in connection.execute(query.group_by(calls.c.workflow, calls.c.target)):
        found.setdefault(workflow, {})[target] = count
    return found


def last_calls(connection: Connection) -> dict[str, float]:
    """When each key was used last."""
    query = select(calls.c.key_id, func.max(calls.c.at)).group_by(calls.c.key_id)
    return {row[0]: row[1] for row in connection.execute(query)}


def changes(connection: Connection, since: float, now: float) -> list[tuple[str, str, int]]:
    """Kind, actor and number of the changes of a period."""
    which = and_(audit_entries.c.at >= since, audit_entries.c.at <= now)
    query = select(audit_entries.c.kind, audit_entries.c.actor, func.count()).where(which)
    return sorted(tuple(one) for one in connection.execute(query.group_by(audit_entries.c.kind, audit_entries.c.actor)))


def known(connection: Connection) -> tuple[dict[str, str], dict[str, str]]:
    """Ids of people by every name they act under, and names of keys by id."""
    acting: dict[str, str] = {}
    for row in connection.execute(select(people.c.id, people.c.email, people.c.user_name)):
        acting |= {name: row.id for name in (row.email, row.user_name) if name}
    return acting, {row.id: row.name for row in connection.execute(select(keys.c.id, keys.c.name))}


def kept(connection: Connection, now: float) -> tuple[int, int, int]:
    """Bodies that are kept, those of them past their day and under no hold, and those that were erased."""
    living = bodies.c.erased_at.is_(None)
    holds = keeping.holds(connection, active=True)
    due = keeping.unheld(and_(living, bodies.c.retention_until <= now), holds)
    return _count(connection, living), _count(connection, due), _count(connection, not_(living))


def failed_erasures(connection: Connection) -> list[str]:
    """Ids of the jobs, in hex."""
    which = and_(jobs.c.state == "failed", or_(jobs.c.kind.like("capture.%"), jobs.c.kind.like("%erase%")))
    return sorted(bytes(one).hex() for one in connection.scalars(select(jobs.c.id).where(which)))


def holds(connection: Connection) -> Sequence[Hold]:
    """All there ever were."""
    return keeping.holds(connection, active=False)


def erased_under(connection: Connection, hold: Hold) -> int:
    """Bodies a hold covers that were erased while it held."""
    while_held = and_(bodies.c.erased_at.is_not(None), bodies.c.erased_at > hold.made_at)
    if hold.released_at is not None:
        while_held = and_(while_held, bodies.c.erased_at < hold.released_at)
    return _count(connection, and_(keeping.bodies_under([hold]), while_held))


def _count(connection: Connection, which: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(bodies).where(which)).scalar_one())
