"""SQL of legal holds, and of what an erasure leaves behind."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, false, func, insert, not_, or_, select, true, update

from freehold.ledger.keeping.holds import Hold, Scope
from freehold.ledger.tables import attempts, audit_holds, bodies, calls

Row = dict[str, Any]


def insert_hold(connection: Connection, hold: Hold) -> None:
    """Store a new hold."""
    row = {"id": hold.raw, "made_at": hold.made_at, "made_by": hold.made_by, "why": hold.why}
    connection.execute(insert(audit_holds), [{**row, "scope": hold.scope.text}])


def release_hold(connection: Connection, hold: Hold) -> bool:
    """Write down a release; False where it was released before."""
    statement = update(audit_holds).where(audit_holds.c.id == hold.raw, audit_holds.c.released_at.is_(None))
    values = {"released_at": hold.released_at, "released_by": hold.released_by, "released_why": hold.released_why}
    return connection.execute(statement.values(values)).rowcount == 1


def holds(connection: Connection, *, active: bool) -> list[Hold]:
    """Holds, oldest first; `active` leaves out what was released."""
    query = select(audit_holds).order_by(audit_holds.c.id)
    if active:
        query = query.where(audit_holds.c.released_at.is_(None))
    return [Hold.of(dict(one)) for one in connection.execute(query).mappings()]


def bodies_under(found: Iterable[Hold]) -> ColumnElement[bool]:
    """Selects the bodies that some of the holds cover, records' content included."""
    return or_(false(), *(_bodies_in(one.scope) for one in found))


def held_bodies(connection: Connection, which: ColumnElement[bool], found: Sequence[Hold]) -> list[Hold]:
    """Those of the holds that cover a living body among the selected."""
    due = and_(which, bodies.c.erased_at.is_(None))
    return [one for one in found if _any(connection, bodies.c.call, and_(due, _bodies_in(one.scope)))]


def held_calls(connection: Connection, subject: str, found: Sequence[Hold]) -> list[Hold]:
    """Those of the holds that cover a call about a subject."""
    mine = calls.c.subject == subject
    return [one for one in found if _any(connection, calls.c.id, and_(mine, _calls_in(one.scope)))]


def unheld(which: ColumnElement[bool], found: Sequence[Hold]) -> ColumnElement[bool]:
    """Selects what the holds leave free."""
    return and_(which, not_(bodies_under(found))) if found else which


def last_leaf_of(connection: Connection, subject: str) -> int:
    """The highest leaf of a call about a subject; -1 where there is none."""
    found = connection.execute(select(func.max(calls.c.leaf)).where(calls.c.subject == subject)).scalar()
    return -1 if found is None else int(found)


def calls_about(connection: Connection, subject: str, last: int, limit: int) -> list[tuple[Row, list[Row]]]:
    """The first calls about a subject up to a leaf, with their attempts."""
    query = select(calls).where(calls.c.subject == subject, calls.c.leaf <= last).order_by(calls.c.leaf).limit(limit)
    rows = [dict(one) for one in connection.execute(query).mappings()]
    query = select(attempts).where(attempts.c.leaf.in_([one["leaf"] for one in rows]))
    tried: dict[int, list[Row]] = {}
    for one in connection.execute(query.order_by(attempts.c.leaf, attempts.c.number)).mappings():
        tried.setdefault(one["leaf"], []).append(dict(one))
    return [(one, tried.get(one["leaf"], [])) for one in rows]


def blank(connection: Connection, leaves: Sequence[int], values: Row) -> None:
    """Take out of calls what tells of their subject."""
    connection.execute(update(calls).where(calls.c.leaf.in_(leaves)).values(values))


def _any(connection: Connection, column: Any, which: ColumnElement[bool]) -> bool:
    return connection.execute(select(column).where(which).limit(1)).first() is not None


def _bodies_in(scope: Scope) -> ColumnElement[bool]:
    """By their ids alone where the scope allows, so that records that were imported are held too."""
    found = _ids_in(bodies.c.call, scope)
    named = _named_in(scope)
    if named:
        found.append(bodies.c.call.in_(select(calls.c.id).where(*named)) | _owned_in(scope))
    return and_(true(), *found)


def _owned_in(scope: Scope) -> ColumnElement[bool]:
    """Files of a key or team: what they hold of one workflow or subject is not told apart, so all of it is held."""
    wanted = [bodies.c[name] == value for name, value in (("key_id", scope.key), ("team", scope.team)) if value]
    return and_(*wanted) if wanted else false()


def _calls_in(scope: Scope) -> ColumnElement[bool]:
    return and_(true(), *_ids_in(calls.c.id, scope), *_named_in(scope))


def _ids_in(column: Any, scope: Scope) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if scope.call:
        found.append(column == bytes.fromhex(scope.call))
    if scope.since is not None:
        found.append(column >= _id_at(scope.since))
    if scope.until is not None:
        found.append(column < _id_at(scope.until))
    return found


def _named_in(scope: Scope) -> list[ColumnElement[bool]]:
    wanted = (("key_id", scope.key), ("team", scope.team), ("workflow", scope.workflow), ("subject", scope.subject))
    return [calls.c[name] == value for name, value in wanted if value]


def _id_at(seconds: float) -> bytes:
    return (max(int(seconds * 1000), 0) << 80).to_bytes(16, "big")
