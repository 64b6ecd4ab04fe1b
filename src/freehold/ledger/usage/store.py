"""SQL of usage: tokens, money and time in groups, from sums by the day and the hour, and from calls at the ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, Select, Table, case, func, select
from sqlalchemy.sql.elements import KeyedColumnElement

from freehold.core.money import from_pico
from freehold.ledger.intake.rollup import SUMS
from freehold.ledger.meter import Usage
from freehold.ledger.records import Filter, Group, Sorting, UsageRow, percentile
from freehold.ledger.store import matching, named
from freehold.ledger.tables import calls, usage_days, usage_hours

_MICRO = 1_000_000
_HOUR = 3600
_DAY = 86400
_ALIKE = Sorting()
_COLUMNS = {"key": "key_id", "route": "route", "target": "target", "team": "team", "workflow": "workflow"}
_NO_ERROR = ("ok", "cancelled")
_TOKENS = ("input", "output", "cached", "cache_write", "cache_write_1h", "reasoning")


def sums(connection: Connection, by: Sequence[Group], wanted: Filter, sorting: Sorting = _ALIKE) -> list[UsageRow]:
    """Usage in groups by the given columns (none: one row), in the order of the groups. Days are UTC, ISO dates.

    Callers' calls come first; Freehold's own, told by `sorting`, are rows of their own.
    Whole days and hours are read from their sums; only the ends of a span that begins or ends within an hour, from
    calls.
    """
    first = None if wanted.since is None else math.ceil(wanted.since / _HOUR)
    last = None if wanted.until is None else math.floor(wanted.until / _HOUR)
    if first is not None and last is not None and first >= last:
        queries = [_usage_of_calls(by, wanted, sorting)]
    else:
        queries = _usage_of_sums(by, wanted, (first, last), sorting)
        if first is not None and first * _HOUR != wanted.since:
            queries.append(_usage_of_calls(by, replace(wanted, until=float(first * _HOUR)), sorting))
        if last is not None and last * _HOUR != wanted.until:
            queries.append(_usage_of_calls(by, replace(wanted, since=float(last * _HOUR)), sorting))
    found: dict[tuple[bool, tuple[str, ...]], list[Any]] = {}
    for query in queries:
        for one in connection.execute(query).mappings():
            key = tuple(_group_text(name, one[f"by_{name}"], sorting) for name in by)
            found.setdefault((bool(one["own"]), key), []).append(one)
    return [_usage_row(key, found[key]) for key in sorted(found)]


def _usage_of_sums(
    by: Sequence[Group], wanted: Filter, hours: tuple[int | None, int | None], sorting: Sorting
) -> list[Select[Any]]:
    """The whole days of a span of hours, and the hours at its ends."""
    first, last = hours
    begins = None if first is None else -(-first // 24)
    ends = None if last is None else last // 24
    if begins is not None and ends is not None and begins >= ends:
        return [_usage_of(usage_hours, by, wanted, hours, sorting)]
    queries = [_usage_of(usage_days, by, wanted, (begins, ends), sorting)]
    if first is not None and begins is not None and first < begins * 24:
        queries.append(_usage_of(usage_hours, by, wanted, (first, begins * 24), sorting))
    if last is not None and ends is not None and ends * 24 < last:
        queries.append(_usage_of(usage_hours, by, wanted, (ends * 24, last), sorting))
    return queries


def _usage_of(
    source: Table, by: Sequence[Group], wanted: Filter, span: tuple[int | None, int | None], sorting: Sorting
) -> Select[Any]:
    table = source.c
    first, last = span
    at = table.day if source is usage_days else table.hour
    own = _own(table.key_id, sorting)
    day = (at if source is usage_days else func.floor(table.hour / 24)).label("by_day")
    groups = [day if name == "day" else table[_COLUMNS[name]].label(f"by_{name}") for name in by]
    sums = [func.sum(table[name]).label(name) for name in SUMS]
    errors = func.sum(case((table.outcome.in_(_NO_ERROR), 0), else_=table.calls)).label("errors")
    steps = _steps(table.latency_step, sorting)
    query = named(select(*groups, own, *steps, errors, *sums), source, wanted)
    if first is not None:
        query = query.where(at >= first)
    if last is not None:
        query = query.where(at < last)
    return query.group_by(*(one.name for one in groups), "own", *steps)  # by name: databases compare no expressions


def _steps(column: ColumnElement[int], sorting: Sorting) -> tuple[ColumnElement[int], ...]:
    """Grouped by latency step as well: the sums of a group's steps are its sums, and the steps give percentiles."""
    return (column,) if sorting.percentiles else ()


def _own(key: ColumnElement[str], sorting: Sorting) -> KeyedColumnElement[Any]:
    return case((key.in_(sorting.own_keys), 1), else_=0).label("own")


def _usage_of_calls(by: Sequence[Group], wanted: Filter, sorting: Sorting) -> Select[Any]:
    table = calls.c
    own = _own(table.key_id, sorting)
    day = func.floor(table.at / _DAY).label("by_day")
    groups = [day if name == "day" else table[_COLUMNS[name]].label(f"by_{name}") for name in by]
    priced = table.what_if.is_not(None)
    sums: list[ColumnElement[Any]] = [
        func.count().label("calls"),
        func.sum(case((table.outcome.in_(_NO_ERROR), 0), else_=1)).label("errors"),
        *(func.sum(table[name]).label(name) for name in _TOKENS),
        func.sum(case((table.estimated, 1), else_=0)).label("estimated"),
        *_money("cost", table.cost),
        *_money("what_if", func.coalesce(table.what_if, 0)),
        *_money("what_if_cost", case((priced, table.cost), else_=0)),
        func.sum(case((priced, 1), else_=0)).label("what_if_calls"),
    ]
    steps = _steps(table.latency_step, sorting)
    named_groups = (*(one.name for one in groups), "own")
    return matching(select(*groups, own, *steps, *sums), wanted).group_by(*named_groups, *steps)


def _group_text(name: Group, value: Any, sorting: Sorting) -> str:
    if name == "workflow":
        return sorting.workflows.get(str(value), str(value))
    return datetime.fromtimestamp(int(value) * _DAY, UTC).date().isoformat() if name == "day" else str(value)


def _money(name: str, column: ColumnElement[Any]) -> tuple[KeyedColumnElement[Any], KeyedColumnElement[Any]]:
    """Two sums, of whole microdollars and of the rest: one alone would pass 64 bits at nine million dollars."""
    return func.sum(column // _MICRO).label(f"{name}_micro"), func.sum(column % _MICRO).label(f"{name}_pico")


def _usage_row(key: tuple[bool, tuple[str, ...]], rows: list[Any]) -> UsageRow:
    def total(name: str) -> int:
        return sum(int(one[name]) for one in rows)

    def money(name: str) -> Any:
        return from_pico(total(f"{name}_micro") * _MICRO + total(f"{name}_pico"))

    steps: dict[int, int] = {}
    for one in rows:
        if "latency_step" in one:
            steps[one["latency_step"]] = steps.get(one["latency_step"], 0) + int(one["calls"])
    tokens: dict[str, Any] = {name: total(name) for name in _TOKENS}
    return UsageRow(
        group=key[1],
        own=key[0],
        calls=total("calls"),
        errors=total("errors"),
        usage=Usage(**tokens, estimated=total("estimated") > 0),
        cost=money("cost"),
        what_if=money("what_if") if total("what_if_calls") else None,
        what_if_cost=money("what_if_cost"),
        what_if_calls=total("what_if_calls"),
        p50=percentile(steps, 0.50),
        p95=percentile(steps, 0.95),
    )
