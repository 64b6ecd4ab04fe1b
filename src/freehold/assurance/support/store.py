"""What the database tells: how much there is, and how calls went."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import Connection, MetaData, func, select, text

from freehold.assurance.support.types import Audit, Calls, Table
from freehold.assurance.support.words import word
from freehold.ledger.tables import calls

DAY = 86400.0
DAYS = 14
MOST = 2000
_CODE = re.compile(r"FH-[A-Z]{2,3}-\d{3}\Z")


def tables(connection: Connection) -> tuple[Table, ...]:
    """Every table with its rows."""
    found = MetaData()
    found.reflect(connection)
    counts = []
    for name in sorted(found.tables):
        rows = connection.execute(select(func.count()).select_from(found.tables[name])).scalar_one()
        counts.append(Table(name, rows))
    return tuple(counts)


def revision(connection: Connection) -> str:
    """Of the schema."""
    return str(connection.execute(text("select version_num from alembic_version")).scalar_one())


def traffic(connection: Connection, now: float) -> Iterator[Calls]:
    """Calls of the last days, grouped by how they went; the largest groups first."""
    day = func.floor(calls.c.at / DAY).label("day")
    columns = [calls.c[name] for name in ("route", "target", "dialect", "stream", "outcome", "status", "error")]
    number = func.count()
    query = (
        select(day, *columns, number, func.avg(calls.c.latency), func.max(calls.c.latency))
        .where(calls.c.at >= now - DAYS * DAY)
        .group_by("day", *columns)  # by name: databases compare no expressions
        .order_by(number.desc())
        .limit(MOST)
    )
    for when, route, target, dialect, stream, outcome, status, error, count, mean, slowest in connection.execute(query):
        yield Calls(
            day=datetime.fromtimestamp(when * DAY, UTC).date().isoformat(),
            route=word(route),
            target=word(target),
            dialect=word(dialect),
            stream=bool(stream),
            outcome=word(outcome),
            status=status,
            error=error if not error or _CODE.match(error) else "(other)",
            calls=count,
            mean_seconds=round(mean, 4),
            slowest_seconds=round(slowest, 4),
        )


def audit(connection: Connection) -> Audit:
    """How far the log has come."""
    leaves = connection.execute(text("select coalesce(max(leaf) + 1, 0) from calls")).scalar_one()
    made = connection.execute(text("select count(*) from checkpoints")).scalar_one()
    return Audit(leaves=leaves, checkpoints=made)
