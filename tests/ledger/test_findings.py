"""Findings by the hour: summed as calls are loaded, once each, and out of the calls of an older database."""

from __future__ import annotations

from importlib import import_module

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from freehold.core.db import reading
from freehold.core.ids import as_text
from freehold.ledger.findings import store
from freehold.ledger.frames import Scan
from freehold.ledger.writer import load_once
from tests.ledger.sample import START, Home, call_id, closed, opened, refused
from tests.postgres import EACH_DATABASE

pytestmark = EACH_DATABASE

HOUR = int(START // 3600)
DIGEST = "ab" * 32
ASKED = Scan("strict", DIGEST, 120, (("pii", "EMAIL", 2), ("custom", "a/b", 1)), (), 0, "internal")
FAILED = Scan("strict", DIGEST, 120, (), ("names",), 0, "internal")
SAID = Scan("strict", DIGEST, 80, (("pii", "EMAIL", 3),), (), 0, "internal")
LOWERED = Scan("", "", label="internal", lowered="public; declassify: known")


def fill(home: Home) -> None:
    home.begin("e1")
    home.write("e1", opened(1, scan=ASKED), closed(1, scan=SAID), opened(2, scan=FAILED), closed(2))
    home.write(
        "e1", refused(3, scan=ASKED, error="FH-POL-030"), opened(4, scan=LOWERED), closed(4), opened(5), closed(5)
    )
    home.write("e1", opened(6, scan=ASKED, route="target:small"), closed(6))
    load_once(home.path, home.engine, home.keys)


def told(home: Home, **which: str) -> dict[tuple[str, str, str], tuple[int, int, int, int]]:
    with reading(home.engine) as connection:
        rows = store.sums(connection, HOUR, HOUR + 1, **which)
    return {(one.side, one.detector, one.kind): (one.calls, one.findings, one.failed, one.refused) for one in rows}


EXPECTED = {
    ("answer", "", ""): (1, 3, 0, 0),
    ("answer", "pii", "EMAIL"): (1, 3, 0, 0),
    ("request", "", ""): (3, 6, 1, 1),
    ("request", "custom", "a/b"): (2, 2, 0, 1),
    ("request", "names", ""): (1, 0, 1, 0),
    ("request", "pii", "EMAIL"): (2, 4, 0, 1),
}


def test_findings_are_summed_by_side_detector_and_kind(home: Home) -> None:
    fill(home)
    assert told(home) == EXPECTED
    assert told(home, route="target:small")["request", "pii", "EMAIL"] == (1, 2, 0, 0)
    with reading(home.engine) as connection:
        assert store.sums(connection, HOUR + 1, HOUR + 9) == []
        over = store.over(connection, HOUR - 9, HOUR + 9, 1)
    assert over == [(HOUR, "", 3), (HOUR, "custom", 2), (HOUR, "pii", 7)]


def test_a_call_that_is_read_again_is_not_summed_again(home: Home) -> None:
    fill(home)
    home.end("e1")
    home.begin("e2")
    home.write("e2", opened(1, scan=ASKED), closed(1, scan=SAID))
    load_once(home.path, home.engine, home.keys)
    assert told(home) == EXPECTED


def test_calls_of_before_are_counted_when_the_table_is_made(home: Home) -> None:
    fill(home)
    made = import_module("freehold.migrations.versions.0015_guard_hours")
    with home.engine.begin() as connection:
        before = sorted(connection.execute(text("SELECT * FROM guard_hours")).all())
        with Operations.context(MigrationContext.configure(connection)):
            made.downgrade()
            made.upgrade()
        assert sorted(connection.execute(text("SELECT * FROM guard_hours")).all()) == before != []


def test_calls_with_a_finding_are_named_newest_first(home: Home) -> None:
    fill(home)
    with reading(home.engine) as connection:
        found, through = store.examples(connection, "request", "pii", "EMAIL", 10, 0.0)
        assert {one.call: (one.count, one.error) for one in found} == {
            as_text("call", call_id(one)): (2, "FH-POL-030" if one == 3 else "") for one in (1, 3, 6)
        }
        assert through == 6 and found[0].call == as_text("call", call_id(3)), "it was loaded last"
        assert len(store.examples(connection, "answer", "pii", "EMAIL", 10, 0.0)[0]) == 1
        assert store.examples(connection, "request", "pii", "EMAIL", 10, START + 100)[0] == []
        assert store.examples(connection, "request", "p%", "EMAIL", 10, 0.0)[0] == []
