"""Any table's rows in the order of its key, as plain values; what the database holds is asked, not assumed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, MetaData, Table, select

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
