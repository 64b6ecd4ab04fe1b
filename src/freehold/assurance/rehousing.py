"""Carries an instance's state from the SQLite file of its home into an empty PostgreSQL database, whole or not at all.

What is in the home beside the file (keys, journals, bodies, models) stays there and goes on being used.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from sqlalchemy import Connection, Engine, Table
from sqlalchemy.schema import sort_tables

from freehold.assurance import store
from freehold.core.db import check, insert_many, reading, upgrade, writing
from freehold.core.errors import Conflict

_REVISION = "alembic_version"
Tell = Callable[[int, str], None]
"""Told the rows carried so far, and the table at hand."""


class Carried(msgspec.Struct, frozen=True):
    """How many rows of each table."""

    rows: dict[str, int]

    @property
    def total(self) -> int:
        """Of all tables."""
        return sum(self.rows.values())


def held(engine: Engine) -> Carried:
    """What a database holds. Raises Unavailable where its schema is not this version's."""
    check(engine)
    with reading(engine) as connection:
        return Carried({name: store.count(connection, one) for name, one in _tables(connection).items()})


def rehouse(source: Engine, target: Engine, tell: Tell) -> Carried:
    """Copy every row, in one transaction of `target`; `source` takes no writes meanwhile and is not changed.

    Raises Conflict where `target` holds rows, Unavailable where either cannot be used.
    """
    check(source)
    upgrade(target)
    with writing(source) as old, writing(target) as new:
        there = _tables(new)
        filled = [name for name, one in there.items() if store.count(new, one)]
        if filled:
            hint = "drop the database and make it anew, before an instance is started on it"
            raise Conflict(f"the database of [database] holds rows in {filled[0]} already", hint=hint)
        here, done = _tables(old), 0
        found: dict[str, int] = {}
        for one in sort_tables(there.values()):  # those that others refer to come first
            before = done
            for rows in store.chunks(old, here[one.name]):
                insert_many(new, one, rows)
                done += len(rows)
                tell(done, one.name)
            store.count_on(new, one, store.last_number(old, one.name))
            found[one.name] = done - before
        return Carried(found)


def _tables(connection: Connection) -> dict[str, Table]:
    found = store.tables(connection)
    del found[_REVISION]
    return found
