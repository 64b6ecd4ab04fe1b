"""SQL of planning: traffic out of the ledger's calls and out of recorded or imported logs. Reads only.

Contents are never read: times, counts of tokens and names of workflows are all that a plan needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Column, Connection, Select, select

from freehold.ledger.tables import calls
from freehold.planner.errors import BadTrace
from freehold.planner.traffic import Arrivals, Columns, arrivals
from freehold.workflows.known.tables import workflows
from freehold.workflows.tables import records

_AT_ONCE = 20_000
_NO_ANSWER = ("refused",)
Progress = Callable[[int], None]
"""Takes how many rows were read."""


def from_ledger(
    connection: Connection,
    *,
    since: float | None = None,
    until: float | None = None,
    workflow: str = "",
    progress: Progress | None = None,
) -> Arrivals:
    """The calls that the gateway sent anywhere, by arrival; `since` and `until` in Unix seconds, the latter excluded.

    `workflow` is a name or an id. Raises BadTrace where no call is left.
    """
    names = _names(connection)
    query = _between(select(calls.c.at, *_tokens(calls.c), calls.c.workflow), calls.c.id, since, until)
    query = query.where(calls.c.outcome.not_in(_NO_ANSWER), calls.c.input > 0).order_by(calls.c.id)
    if workflow:
        query = query.where(calls.c.workflow.in_(_alike(names, workflow)))
    return _trace(_rows(connection, query, progress), names, "ledger")


def from_records(
    connection: Connection,
    *,
    source: str = "",
    since: float | None = None,
    until: float | None = None,
    progress: Progress | None = None,
) -> Arrivals:
    """Recorded calls, imported ones included; `source` is a format, or `live`. Raises BadTrace where none is left."""
    query = _between(select(records.c.at, *_tokens(records.c), records.c.assigned), records.c.id, since, until)
    query = query.where(records.c.input > 0).order_by(records.c.id)
    if source:
        query = query.where(records.c.source == source)
    return _trace(_rows(connection, query, progress), _names(connection), f"records {source}".strip())


def _trace(rows: Iterator[Any], names: dict[str, str], source: str) -> Arrivals:
    columns = Columns()
    for at, asked, answered, cached, workflow in rows:
        columns.t.append(at)
        columns.input.append(asked)
        columns.output.append(answered)
        columns.cached.append(min(cached, asked))
        columns.workflow.append(names.get(workflow, workflow))
    if not columns.t:
        raise BadTrace(f"{source}: no call with tokens in this time", param="since")
    return arrivals(columns, source)


def _rows(connection: Connection, query: Select[Any], progress: Progress | None) -> Iterator[Any]:
    seen = 0
    for some in connection.execution_options(yield_per=_AT_ONCE).execute(query).partitions():
        yield from some
        seen += len(some)
        if progress is not None:
            progress(seen)


def _tokens(columns: Any) -> tuple[Column[int], ...]:
    return columns.input, columns.output, columns.cached


def _between(query: Select[Any], column: Column[bytes], since: float | None, until: float | None) -> Select[Any]:
    """A span of time is a range of ids, which begin with their time."""
    if since is not None:
        query = query.where(column >= _id_at(since))
    if until is not None:
        query = query.where(column < _id_at(until))
    return query


def _id_at(seconds: float) -> bytes:
    return (max(int(seconds * 1000), 0) << 80).to_bytes(16, "big")


def _names(connection: Connection) -> dict[str, str]:
    """Names of workflows by id, where one was merged into another that one's."""
    found = {
        row.id: (row.name, row.into)
        for row in connection.execute(select(workflows.c.id, workflows.c.name, workflows.c.into))
    }
    return {one: found.get(into, (name, ""))[0] if into else name for one, (name, into) in found.items()}


def _alike(names: dict[str, str], workflow: str) -> list[str]:
    wanted = names.get(workflow, workflow)
    return [wanted, *(one for one, name in names.items() if name == wanted)]
