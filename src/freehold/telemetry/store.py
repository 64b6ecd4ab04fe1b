"""SQL of telemetry: sums of the ledger for a scrape. Every query is bounded by a span of hours or of leaves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, case, func, select, text

from freehold.core.db import upsert
from freehold.jobs.tables import jobs
from freehold.ledger.tables import attempts, calls, usage_hours
from freehold.moves.tables import moves
from freehold.telemetry.tables import collectors

SUMS = ("calls", "input", "output", "cached", "reasoning", "cost_micro", "cost_pico")


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How far a collector was told, as `tables.collectors` says. Times in Unix seconds."""

    endpoint: str
    leaf: int
    at: float = 0.0
    left_out: int = 0
    failures: int = 0
    retry_at: float = 0.0
    error: str = ""


def hours(connection: Connection, first: int, end: int | None, own_keys: Sequence[str]) -> list[Any]:
    """Sums of the hours from `first` to before `end`, by owner (own, route, target, outcome, latency_step)."""
    table = usage_hours.c
    own = case((table.key_id.in_(own_keys), 1), else_=0).label("own")
    groups = (own, table.route, table.target, table.outcome, table.latency_step)
    query = select(*groups, *(func.sum(table[name]).label(name) for name in SUMS)).where(table.hour >= first)
    if end is not None:
        query = query.where(table.hour < end)
    by = ("own", *groups[1:])  # by name: databases compare no expressions
    return list(connection.execute(query.group_by(*by)).mappings())


def owned(connection: Connection, targets: Iterable[str]) -> dict[str, bool]:
    """Of each target, whether the newest call it answered says it is owned."""
    found: dict[str, bool] = {}
    for name in targets:
        query = select(calls.c.owned).where(calls.c.target == name).order_by(calls.c.id.desc()).limit(1)
        found[name] = bool(connection.execute(query).scalar())
    return found


def errors(connection: Connection, after: int, last: int) -> list[tuple[str, str, int]]:
    """Calls that ended with an error in a span of leaves: code, outcome, how many."""
    table = calls.c
    query = select(table.error, table.outcome, func.count()).where(table.leaf > after, table.leaf <= last)
    query = query.where(table.error != "").group_by(table.error, table.outcome)
    return [(str(code), str(outcome), int(count)) for code, outcome, count in connection.execute(query)]


def tried(connection: Connection, after: int, last: int) -> list[tuple[str, bool, str, int]]:
    """Attempts in a span of leaves: target, owned, outcome, how many."""
    table = attempts.c
    groups = (table.target, table.owned, table.outcome)
    query = select(*groups, func.count()).where(table.leaf > after, table.leaf <= last).group_by(*groups)
    return [(str(one[0]), bool(one[1]), str(one[2]), int(one[3])) for one in connection.execute(query)]


def first_tokens(
    connection: Connection, after: int, last: int, bounds: Sequence[float]
) -> list[tuple[str, bool, int, int, float]]:
    """Times to the first token in a span of leaves: route, owned, index into `bounds`, how many, their sum."""
    table = calls.c
    steps = [(table.first_token <= bound, index) for index, bound in enumerate(bounds)]
    step = case(*steps, else_=len(bounds)).label("step")
    groups = (table.route, table.owned, step)
    query = select(*groups, func.count(), func.sum(table.first_token)).where(table.leaf > after, table.leaf <= last)
    query = query.where(table.first_token.is_not(None)).group_by(table.route, table.owned, "step")
    return [(str(a), bool(b), int(c), int(d), float(e)) for a, b, c, d, e in connection.execute(query)]


def scans(connection: Connection, after: int, last: int) -> list[str]:
    """What guards saw in a span of leaves, as the column holds it."""
    query = select(calls.c.scan).where(calls.c.leaf > after, calls.c.leaf <= last, calls.c.scan != "")
    return list(connection.execute(query).scalars())


def jobs_by_state(connection: Connection) -> list[tuple[str, str, int]]:
    """Jobs by kind and state."""
    query = select(jobs.c.kind, jobs.c.state, func.count()).group_by(jobs.c.kind, jobs.c.state)
    return [(str(kind), str(state), int(count)) for kind, state, count in connection.execute(query)]


def moves_by_stage(connection: Connection) -> list[tuple[str, int]]:
    """Moves by the stage they are at."""
    query = select(moves.c.stage, func.count()).group_by(moves.c.stage)
    return [(str(stage), int(count)) for stage, count in connection.execute(query)]


def standing(connection: Connection, endpoint: str) -> Standing | None:
    """How far a collector was told; None where it never was."""
    row = connection.execute(select(collectors).where(collectors.c.endpoint == endpoint)).mappings().first()
    return None if row is None else Standing(**row)


def keep(connection: Connection, standing: Standing) -> None:
    """Write down how far, and how it went."""
    row = msgspec.structs.asdict(standing)
    upsert(connection, collectors, [row], tuple(name for name in row if name != "endpoint"))


def ended(connection: Connection, after: int, limit: int) -> list[tuple[Any, list[Any]]]:
    """The next calls behind a leaf with their attempts, in storage form and in the order of their leaves."""
    query = select(calls).where(calls.c.leaf > after).order_by(calls.c.leaf).limit(limit)
    found = connection.execute(query).mappings().all()
    sent = select(attempts).where(attempts.c.leaf.in_([one["leaf"] for one in found]))
    tried: dict[int, list[Any]] = {}
    for one in connection.execute(sent.order_by(attempts.c.leaf, attempts.c.number)).mappings():
        tried.setdefault(one["leaf"], []).append(one)
    return [(one, tried.get(one["leaf"], [])) for one in found]


def refusals(connection: Connection, since: bytes, most: int) -> list[tuple[str, int]]:
    """Calls that were refused since an id: error and how many, of the newest `most`."""
    trouble = text("calls.outcome <> 'ok'")  # spelled out, so that the partial index counts
    newest = select(calls.c.error).where(trouble, calls.c.outcome == "refused", calls.c.id >= since)
    counted = newest.order_by(calls.c.id.desc()).limit(most).subquery()
    query = select(counted.c.error, func.count()).group_by(counted.c.error).order_by(func.count().desc())
    return [(str(code), int(count)) for code, count in connection.execute(query)]
