"""SQL of replicas."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from freehold.identity.replicas.tables import replicas
from freehold.identity.replicas.types import Replica


def everything(connection: Connection) -> tuple[Replica, ...]:
    """Every replica there ever was, oldest first."""
    rows = connection.execute(select(replicas).order_by(replicas.c.created_at, replicas.c.id)).mappings()
    return tuple(Replica(**{str(name): value for name, value in row.items()}) for row in rows)


def serving(connection: Connection) -> tuple[Replica, ...]:
    """Those that have not ended, oldest first."""
    return tuple(one for one in everything(connection) if one.ended_at is None)


def count(connection: Connection) -> int:
    """How many have not ended."""
    return connection.execute(
        select(func.count()).select_from(replicas).where(replicas.c.ended_at.is_(None))
    ).scalar_one()


def add(connection: Connection, replica: Replica) -> None:
    """Store a new one."""
    connection.execute(insert(replicas).values(**msgspec.structs.asdict(replica)))


def end(connection: Connection, which: str, now: float, *, lost: bool) -> None:
    """Its token counts no longer."""
    connection.execute(update(replicas).where(replicas.c.id == which).values(ended_at=now, lost=lost))
