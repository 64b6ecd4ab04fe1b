from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from freehold.core.db import reading
from freehold.core.errors import NotFound
from freehold.core.ids import IdMaker, as_text
from freehold.ledger import store
from freehold.ledger.intake.loader import Pace
from freehold.ledger.meter import Usage
from freehold.ledger.records import Filter, Sorting
from freehold.ledger.tables import calls
from freehold.ledger.usage import store as usage
from freehold.ledger.writer import load_once
from tests.ledger.sample import START, Home, attempt, call_id, closed, opened, refused, tried
from tests.postgres import EVERY_DATABASE

pytestmark = EVERY_DATABASE

COUNT = 60


@pytest.fixture
def filled(home: Home) -> Home:
    """Sixty calls ten milliseconds apart: teams red and blue by turns, three keys, five workflows, every 20th refused."""
    home.begin("e1")
    for number in range(COUNT):
        if number % 20 == 7:
            home.write("e1", refused(number))
        elif number % 20 == 8:
            both = (tried(1, outcome="failed"), tried(2, "big", cost="0.003"))
            home.write("e1", opened(number), attempt(number), closed(number, tried=both, cost=Decimal("0.004")))
        else:
            home.write("e1", opened(number), closed(number))
    load_once(home.path, home.engine, home.keys)
    return home


def listed(home: Home, cursor: str = "", limit: int = 100, **wanted: object) -> tuple[list[int], str]:
    with reading(home.engine) as connection:
        page = store.list_calls(connection, Filter(**wanted), cursor, limit)
    return [int(one.id[-10:], 16) for one in page.calls], page.cursor


def test_pages_cover_everything_once_newest_first(filled: Home) -> None:
    seen: list[int] = []
    cursor = ""
    while True:
        page, cursor = listed(filled, cursor, limit=7)
        seen += page
        if not cursor:
            break
    assert seen == list(range(COUNT))[::-1]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"key_id": "key_1"}, lambda n: n % 3 == 1 and n % 20 != 7),
        ({"team": "blue"}, lambda n: n % 2 == 1 and n % 20 != 7),
        ({"workflow": "w2"}, lambda n: n % 5 == 2 and n % 20 != 7),
        ({"target": "big"}, lambda n: n % 20 == 8),
        ({"route": "assistant"}, lambda n: True),
        ({"route": "nothing"}, lambda n: False),
        ({"outcome": "refused"}, lambda n: n % 20 == 7),
        ({"outcome": "ok"}, lambda n: n % 20 != 7),
        ({"since": START + 0.2, "until": START + 0.4}, lambda n: 20 <= n < 40),
        ({"team": "red", "workflow": "w0", "since": START + 0.1}, lambda n: n % 2 == 0 and n % 5 == 0 and n >= 10),
    ],
)
def test_filters(filled: Home, wanted: dict[str, object], expected: object) -> None:
    assert listed(filled, **wanted)[0] == [n for n in reversed(range(COUNT)) if expected(n)]


def test_tail_gives_what_ended_since_in_the_order_it_was_loaded(filled: Home) -> None:
    with reading(filled.engine) as connection:
        leaf = store.last_leaf(connection)
        assert store.calls_after(connection, leaf, Filter()) == []
    filled.write("e1", opened(100), opened(101), closed(101), closed(100))
    load_once(filled.path, filled.engine, filled.keys)
    with reading(filled.engine) as connection:
        found = store.calls_after(connection, leaf, Filter())
        assert [one.id for one in found] == [as_text("call", call_id(101)), as_text("call", call_id(100))]
        assert [one.leaf for one in store.calls_after(connection, leaf, Filter(team="red"))] == [leaf + 2]


def test_one_call_with_its_attempts(filled: Home) -> None:
    with reading(filled.engine) as connection:
        shown = store.show_call(connection, as_text("call", call_id(8)))
    assert [(one.number, one.target, one.outcome, one.cost) for one in shown.attempts] == [
        (1, "small", "failed", Decimal("0.001")),
        (2, "big", "ok", Decimal("0.003")),
    ]
    assert shown.call.cost == Decimal("0.004")
    assert shown.call.usage == Usage(input=2000, output=200, cached=400)
    assert shown.call.what_if == Decimal("0.00325")
    assert (shown.call.price_source, shown.call.price_as_of) == ("list", "2026-11-01")
    assert (shown.call.latency, shown.call.first_token) == (pytest.approx(0.5), 0.1)


@pytest.mark.parametrize("name", ["call_" + "0" * 32, "nonsense"])
def test_no_such_call(filled: Home, name: str) -> None:
    with reading(filled.engine) as connection, pytest.raises(NotFound):
        store.show_call(connection, name)


def test_usage_sums_what_the_calls_say(filled: Home) -> None:
    with reading(filled.engine) as connection:
        (everything,) = usage.sums(connection, (), Filter())
        by_target = {one.group: one for one in usage.sums(connection, ("target",), Filter())}
        both = usage.sums(connection, ("team", "workflow"), Filter(since=START + 0.1))
    assert (everything.group, everything.calls, everything.errors) == ((), 60, 3)
    assert everything.cost == Decimal("0.001") * 54 + Decimal("0.004") * 3
    assert everything.usage == Usage(input=60_000, output=6_000, cached=12_000)
    assert everything.what_if == Decimal("0.00325") * 57
    assert (everything.what_if_cost, everything.what_if_calls) == (everything.cost, 57)
    assert by_target["",].what_if is None, "what no baseline prices is unknown, not nothing"
    assert {key: one.calls for key, one in by_target.items()} == {("",): 3, ("big",): 3, ("small",): 54}
    assert by_target["small",].p50 == pytest.approx(0.5, rel=0.03)
    assert sum(one.calls for one in both) == 50
    assert [one.group for one in both] == sorted(one.group for one in both)


def test_usage_keeps_own_calls_apart_and_counts_merged_workflows_as_one(filled: Home) -> None:
    sorting = Sorting(own_keys=("key_0",), workflows={"w1": "w2", "w3": "w2"})
    with reading(filled.engine) as connection:
        callers, own = usage.sums(connection, (), Filter(), sorting)
        by_workflow = usage.sums(connection, ("workflow",), Filter(since=START + 0.1), sorting)
        some = usage.sums(connection, (), Filter(workflow="w2", same=("w1", "w3")))
    assert (callers.own, own.own) == (False, True)
    assert callers.calls + own.calls == 60
    assert sum(one.cost for one in (callers, own)) == Decimal("0.001") * 54 + Decimal("0.004") * 3
    groups = [(one.own, one.group) for one in by_workflow]
    assert groups == sorted(set(groups)), "callers first, each group once"
    assert not {("w1",), ("w3",)} & {group for _, group in groups}
    with reading(filled.engine) as connection:
        each = [one.calls for name in ("w1", "w2", "w3") for one in usage.sums(connection, (), Filter(workflow=name))]
    assert [one.calls for one in some] == [sum(each)]


def test_usage_by_day_is_utc(home: Home) -> None:
    home.begin("e1")
    midnight = 1_750_032_000.0  # 2025-06-16T00:00:00Z
    times = (midnight - 0.001, midnight, midnight + 86_399)
    home.write("e1", *[refused(0, call=IdMaker(lambda at=at: at)(), at=at) for at in times])
    load_once(home.path, home.engine, home.keys)
    with reading(home.engine) as connection:
        days = {one.group[0]: one.calls for one in usage.sums(connection, ("day",), Filter())}
        part = usage.sums(connection, ("day",), Filter(since=midnight - 1, until=midnight + 1))
    assert days == {"2025-06-15": 1, "2025-06-16": 2}
    assert {one.group[0]: one.calls for one in part} == {"2025-06-15": 1, "2025-06-16": 1}


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    since=st.none() | st.floats(START - 140_000, START + 140_000),
    until=st.none() | st.floats(START - 140_000, START + 140_000),
    team=st.sampled_from(["", "red"]),
    outcome=st.sampled_from(["", "ok", "refused"]),
)
def test_usage_is_that_of_the_calls_listed_whatever_the_span(spread: Home, since, until, team, outcome) -> None:
    wanted = Filter(since=since, until=until, team=team, outcome=outcome)
    with reading(spread.engine) as connection:
        listed = store.list_calls(connection, wanted, limit=1000).calls
        found = usage.sums(connection, ("workflow",), wanted)
    assert sum(one.calls for one in found) == len(listed)
    assert sum(one.errors for one in found) == sum(one.outcome == "refused" for one in listed)
    assert sum(one.usage.input for one in found) == sum(one.usage.input for one in listed)
    assert sum((one.cost for one in found), Decimal(0)) == sum((one.cost for one in listed), Decimal(0))
    assert sum((one.what_if or 0 for one in found), Decimal(0)) == sum((one.what_if or 0 for one in listed), Decimal(0))
    assert sum(one.what_if_calls for one in found) == sum(one.what_if is not None for one in listed)
    assert {one.group[0] for one in found} == {one.workflow for one in listed}


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Calls over three days, one each ten minutes, loaded in several batches."""
    made = Home(tmp_path_factory.mktemp("spread") / "home")
    made.begin("e1")
    for number in range(440):
        at = START - 130_000 + number * 601.0
        call = IdMaker(lambda at=at: at)()
        if number % 9 == 4:
            made.write("e1", refused(number, call=call, at=at))
        else:
            made.write("e1", opened(number, call=call, at=at), closed(number, call=call, at=at + 0.5))
    load_once(made.path, made.engine, made.keys, pace=Pace(batch_bytes=20_000))
    yield made
    made.close()


def test_percentiles_tell_slow_calls_from_fast_ones(home: Home) -> None:
    home.begin("e1")
    for number in range(100):
        slow = number >= 90
        home.write("e1", opened(number), closed(number, at=START + number * 0.01 + (8.0 if slow else 0.2)))
    load_once(home.path, home.engine, home.keys)
    with reading(home.engine) as connection:
        (found,) = usage.sums(connection, (), Filter())
    assert found.p50 == pytest.approx(0.2, rel=0.03)
    assert found.p95 == pytest.approx(8.0, rel=0.03)


def test_sums_do_not_pass_64_bits(home: Home) -> None:
    home.begin("e1")
    for number in range(4):
        home.write("e1", opened(number), closed(number, cost=Decimal("5000000.000000000001")))
    load_once(home.path, home.engine, home.keys)
    with reading(home.engine) as connection:
        (found,) = usage.sums(connection, (), Filter())
    assert found.cost == Decimal("20000000.000000000004")


def test_export_gives_every_match_oldest_first(filled: Home) -> None:
    with reading(filled.engine) as connection:
        found = list(store.export_calls(connection, Filter(team="red")))
        one = store.show_call(connection, found[4].call.id)
    assert [int(each.call.id[-10:], 16) for each in found] == [n for n in range(COUNT) if n % 2 == 0 or n % 20 == 7]
    assert found[4] == one


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Filter(), "autoindex_calls_1"),
        (Filter(key_id="key_1"), "ix_calls_key_id"),
        (Filter(team="red"), "ix_calls_team"),
        (Filter(workflow="w1"), "ix_calls_workflow"),
        (Filter(target="big"), "ix_calls_target"),
        (Filter(outcome="failed"), "ix_calls_trouble"),
        (Filter(since=START, until=START + 1), "autoindex_calls_1"),
    ],
)
def test_lists_are_read_off_an_index(filled: Home, wanted: Filter, index: str, database: str) -> None:
    if database != "sqlite":
        pytest.skip("its plan is SQLite's")

    query = store.matching(select(calls), wanted).order_by(calls.c.id.desc()).limit(50)
    compiled = query.compile(dialect=filled.engine.dialect)
    values = tuple(compiled.params[name] for name in compiled.positiontup)
    with reading(filled.engine) as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values)
        plan = " ".join(row[-1] for row in rows)
    assert index in plan
    assert "TEMP B-TREE" not in plan
