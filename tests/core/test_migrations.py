"""Migrations on databases that hold rows: forward from every revision to the newest, and back again, on each database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from freehold.core import db
from freehold.core.errors import Unavailable
from tests.postgres import EACH_DATABASE

pytestmark = EACH_DATABASE

ROWS = 3
HOUR = 490_000
SAID = {
    # What migrations read; everything else they carry as it is.
    ("calls", "scan"): json.dumps(
        {
            "guard": "strict",
            "guard_sha256": "ab" * 32,
            "request": {"found": {"pii/EMAIL": 2}, "failed": ["names"]},
        }
    ),
}
Rows = list[dict[str, Any]]


def revisions() -> list[str]:
    """Oldest first."""
    script = ScriptDirectory(str(db._MIGRATIONS))
    return [one.revision for one in script.walk_revisions()][::-1]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """A database without a table."""
    made = db.connect(db.url_of(tmp_path / "freehold.db"))
    move(made, "base")
    yield made
    made.dispose()


def move(engine: sa.Engine, to: str) -> None:
    """Bring the schema to a revision, whichever way that is."""
    with db.opened(engine) as connection:
        config = db._alembic(connection)
        found = db._revisions(connection)[0]
        order = ["base", *revisions()]
        if order.index(to) < order.index(found or "base"):
            command.downgrade(config, to)
        elif to != "base":
            command.upgrade(config, to)
        connection.commit()


def tables(connection: sa.Connection) -> dict[str, sa.Table]:
    found = sa.MetaData()
    found.reflect(connection)
    return {one.name: one for one in found.sorted_tables if one.name != "alembic_version"}


def fill(engine: sa.Engine) -> None:
    """Some rows in every table, the same keys in all of them."""
    with db.writing(engine) as connection:
        for table in tables(connection).values():
            for row in range(1, ROWS + 1):
                connection.execute(table.insert().values({one.name: value(one, row) for one in table.columns}))


def value(column: sa.Column[Any], row: int) -> Any:
    for one in column.foreign_keys:
        return value(one.column, row)
    said = SAID.get((column.table.name, column.name))
    if said is not None:
        return said
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return row % 2 == 0
    if isinstance(kind, sa.LargeBinary):
        return (HOUR * 3_600_000).to_bytes(6, "big") + bytes([row] * 10)
    if isinstance(kind, sa.String):
        return f"{column.name[:6]}{row}"[-(kind.length or 99) :]
    if isinstance(kind, sa.SmallInteger):
        return row
    if isinstance(kind, sa.Integer):
        return HOUR + row
    assert isinstance(kind, sa.Float | sa.Numeric), (column, kind)
    return 1_790_000_000.5 + row


def held(engine: sa.Engine) -> dict[str, Rows]:
    with db.reading(engine) as connection:
        return {
            name: sorted(
                (
                    {key: plain(one) for key, one in row.items()}
                    for row in connection.execute(sa.select(table)).mappings()
                ),
                key=repr,
            )
            for name, table in tables(connection).items()
        }


def plain(one: Any) -> Any:
    return bytes(one) if isinstance(one, memoryview) else one


def shared(rows: Rows, beside: Rows) -> Rows:
    """The rows with the columns that the others have too."""
    names = set(beside[0]) if beside else set()
    return sorted(({name: one for name, one in row.items() if name in names} for row in rows), key=repr)


def carried(before: dict[str, Rows], after: dict[str, Rows]) -> None:
    """Every row of every table that is still there says what it said."""
    for name, rows in before.items():
        if name not in after:
            continue
        assert len(after[name]) == len(rows) == ROWS, name
        assert shared(after[name], rows) == shared(rows, after[name]), name


@pytest.mark.parametrize("revision", revisions())
def test_a_filled_database_of_any_revision_comes_to_the_newest_and_back(engine, revision):
    move(engine, revision)
    fill(engine)
    before = held(engine)
    if revision != revisions()[-1]:
        with pytest.raises(Unavailable, match=f"revision {revision}, this version needs") as stale:
            db.check(engine)
        assert "freehold up" in stale.value.hint
    db.upgrade(engine)
    db.check(engine)
    after = held(engine)
    assert before.keys() <= after.keys()
    carried(before, after)
    move(engine, revision)
    carried(before, held(engine))
    db.upgrade(engine)
    assert held(engine) == after


def test_what_calls_of_before_found_is_counted(engine):
    move(engine, "0013")
    fill(engine)
    db.upgrade(engine)
    counted = {(one["detector"], one["kind"]): one for one in held(engine)["guard_hours"]}
    told = {what: (one["calls"], one["findings"], one["failed"]) for what, one in counted.items()}
    # Routes tell the calls apart: each is counted by itself.
    assert told == {("", ""): (1, 2, 1), ("pii", "EMAIL"): (1, 2, 0), ("names", ""): (1, 0, 1)}
    assert len(held(engine)["guard_hours"]) == 3 * ROWS


def test_usage_of_before_is_summed_by_the_day(engine):
    move(engine, "0015")
    fill(engine)
    db.upgrade(engine)
    hours, days = held(engine)["usage_hours"], held(engine)["usage_days"]
    assert sum(one["calls"] for one in days) == sum(one["calls"] for one in hours) > 0
    assert {one["day"] for one in days} == {one["hour"] // 24 for one in hours}


def test_a_schema_of_a_newer_version_is_refused(engine):
    db.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    for look in (db.check, db.upgrade):
        with pytest.raises(Unavailable, match="revision 9999, which this version of Freehold does not know") as newer:
            look(engine)
        assert "run the newer version" in newer.value.hint
