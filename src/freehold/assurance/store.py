"""Any table's rows in the order of its key, as plain values; what the database holds is asked, not assumed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, MetaData, Table, func, select, text

AT_ONCE = 1000


def tables(connection: Connection) -> dict[str, Table]:
    """Every table there is, by name."""
    found = MetaData()
    found.reflect(connection)
    return dict(sorted(found.tables.items()))


def rows(connection: Connection, table: Table) -> Iterator[dict[str, Any]]:
    """Its rows, by key; bytes as hexadecimal digits."""
    query = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=AT_ONCE)
    for row in connection.execute(query).mappings():
        yield {name: value.hex() if isinstance(value, bytes) else value for name, value in row.items()}


def count(connection: Connection, table: Table) -> int:
    """How many rows it has."""
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def chunks(connection: Connection, table: Table) -> Iterator[Sequence[dict[str, Any]]]:
    """Its rows as they are, many at a time."""
    found = connection.execute(select(table).execution_options(yield_per=AT_ONCE)).mappings()
    for some in found.partitions():
        yield [dict(row) for row in some]


def last_number(connection: Connection, name: str) -> int:
    """The highest number that SQLite ever gave to a row of a table whose numbers are never given again; else 0."""
    query = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
    return connection.execute(query, {"name": name}).scalar() or 0


def count_on(connection: Connection, table: Table, after: int) -> None:
    """Have PostgreSQL number the table's rows on from there, where it numbers them."""
    for column in table.primary_key.columns:
        query = text("SELECT pg_get_serial_sequence(:name, :column)")
        sequence = connection.execute(query, {"name": table.name, "column": column.name}).scalar()
        if sequence is not None:
            most = connection.execute(select(func.max(column))).scalar() or 0
            connection.execute(
                text("SELECT setval(:sequence, :next, false)"), {"sequence": sequence, "next": max(most, after) + 1}
            )
