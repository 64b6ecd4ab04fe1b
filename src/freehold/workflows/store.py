"""SQL of recorded calls and of imports. A record's id begins with its time, so a span of time is a range of ids."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, delete, func, select, update

from freehold.core.db import insert_many, upsert
from freehold.core.errors import NotFound
from freehold.core.ids import as_text
from freehold.identity.tables import keys
from freehold.identity.types import SERVICE
from freehold.ledger.meter import Usage
from freehold.ledger.store import forget_bodies, relabel_bodies
from freehold.ledger.tables import bodies, calls
from freehold.workflows.known.tables import workflows
from freehold.workflows.records import Record
from freehold.workflows.sums import store as record_sums
from freehold.workflows.tables import collected, imports, records

EXCHANGE = "exchange"
"""The side of the ledger's bodies under which a record's content is kept."""

_TOKENS = ("input", "output", "cached", "cache_write", "cache_write_1h", "reasoning")
_SAME = (
    *("id", "at", "source", "import_id", "external_id", "vendor", "model", "target", "route", "owned", "app"),
    *("conversation", "label", "consent", "status", "latency", "first_token", "assigned"),
)
_AT_ONCE = 5000


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """Which records. Empty fields do not filter; `since` and `until` are Unix seconds, the latter excluded."""

    workflow: str = ""
    """Id of the workflow they are assigned to."""
    source: str = ""
    since: float | None = None
    until: float | None = None
    answered: bool = False
    """Only those with an answer."""
    ids: tuple[bytes, ...] = ()
    unassigned: bool = False
    """Only those of no workflow yet."""


class Found(msgspec.Struct, frozen=True):
    """A record without its content, and the digest under which that is kept."""

    record: Record
    digest: bytes


class Captured(msgspec.Struct, frozen=True):
    """An ended call as a row, with the digests of its kept bodies (None where none is) and until when they are."""

    row: dict[str, Any]
    asked: bytes | None
    answered: bytes | None
    until: float | None


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What was said of some records of an import."""

    label: str
    vendor: str
    app: str
    consent: bool | None
    calls: int


class ImportRow(msgspec.Struct, frozen=True, kw_only=True):
    """One import as stored. `files` holds name, bytes, sha256, formats and counts of each."""

    id: bytes
    started: float
    ended: float | None = None
    label: str
    files: list[dict[str, Any]] = []
    new: int = 0
    known: int = 0
    skipped: int = 0
    rejected: int = 0
    error: str = ""


def known(connection: Connection, ids: Iterable[bytes]) -> set[bytes]:
    """Those of the ids that are recorded already."""
    return set(connection.execute(select(records.c.id).where(records.c.id.in_(list(ids)))).scalars())


def insert(connection: Connection, rows: Sequence[tuple[Record, bytes]]) -> int:
    """Records with the SHA-256 of their requests; how many were new. What is recorded already stays as it is."""
    fresh = {one.id: (one, digest) for one, digest in rows}
    for one in known(connection, fresh):
        del fresh[one]
    insert_many(connection, records, [_row(one, digest) for one, digest in fresh.values()])
    record_sums.add(connection, fresh)
    return len(fresh)


def scan(connection: Connection, which: Which, after: bytes = b"", limit: int = 500) -> list[Found]:
    """Records in order of time whose content is still kept, from the one after `after` on."""
    query = _matching(select(records, bodies.c.digest).join(bodies, _content()), which)
    query = query.where(records.c.id > after).order_by(records.c.id).limit(limit)
    return [Found(_record(one), one["digest"]) for one in connection.execute(query).mappings()]


def any_workflow(connection: Connection) -> bool:
    """True once a workflow was found."""
    return connection.execute(select(workflows.c.id).limit(1)).first() is not None


def latest(connection: Connection, which: Which, limit: int) -> tuple[bytes, ...]:
    """Ids of the last records that match, oldest first."""
    query = _matching(select(records.c.id), which).order_by(records.c.id.desc()).limit(limit)
    return tuple(reversed([bytes(one) for one in connection.execute(query).scalars()]))


def count(connection: Connection, which: Which) -> int:
    """How many records match, with and without content."""
    return int(connection.execute(_matching(select(func.count()).select_from(records), which)).scalar_one())


def counts(connection: Connection) -> dict[str, int]:
    """Records by workflow assigned; under the empty name those of none."""
    query = select(records.c.assigned, func.count()).group_by(records.c.assigned)
    return {name: int(number) for name, number in connection.execute(query)}


def assign(connection: Connection, workflows: Sequence[tuple[bytes, str]]) -> None:
    """Write down the workflows of records, as (record id, workflow id)."""
    grouped: dict[str, list[bytes]] = {}
    for record, workflow in workflows:
        grouped.setdefault(workflow, []).append(record)
    for workflow, ids in grouped.items():
        for at in range(0, len(ids), _AT_ONCE):
            which = records.c.id.in_(ids[at : at + _AT_ONCE])
            connection.execute(update(records).where(which).values(assigned=workflow))
    if grouped:
        record_sums.clear(connection)


def keep_import(connection: Connection, one: ImportRow) -> None:
    """Write an import down, over what was said of it before."""
    row = {**msgspec.structs.asdict(one), "files": json.dumps(one.files)}
    upsert(connection, imports, [row], tuple(name for name in row if name != "id"))


def list_imports(connection: Connection, limit: int = 50) -> list[ImportRow]:
    """Imports, newest first."""
    query = select(imports).order_by(imports.c.id.desc()).limit(limit)
    found = connection.execute(query).mappings()
    return [ImportRow(**{**one, "files": json.loads(one["files"])}) for one in found]


def of_import(connection: Connection, import_id: bytes, limit: int) -> list[bytes]:
    """Ids of the first records of an import."""
    query = select(records.c.id).where(records.c.import_id == import_id).order_by(records.c.id).limit(limit)
    return [bytes(one) for one in connection.execute(query).scalars()]


def workflows_of_import(connection: Connection, import_id: bytes) -> frozenset[str]:
    """Ids of the workflows that its records are assigned to."""
    query = select(records.c.assigned).where(records.c.import_id == import_id, records.c.assigned != "").distinct()
    return frozenset(connection.execute(query).scalars())


def said_of_import(connection: Connection, import_id: bytes) -> list[Said]:
    """What was said of its records, and of how many, most first."""
    names = ("label", "vendor", "app", "consent")
    columns = [records.c[name] for name in names]
    query = select(*columns, func.count().label("calls")).where(records.c.import_id == import_id).group_by(*columns)
    found = [Said(**one) for one in connection.execute(query).mappings()]
    return sorted(found, key=lambda one: (-one.calls, one.label, one.vendor, one.app))


def say_of_import(connection: Connection, import_id: bytes, label: str, values: dict[str, Any]) -> int:
    """Write other values over those of its records that have this label; how many there are."""
    which = (records.c.import_id == import_id) & (records.c.label == label)
    if "label" in values:
        relabel_bodies(connection, select(records.c.id).where(which), values["label"])
    record_sums.clear(connection)
    return connection.execute(update(records).where(which).values(**values)).rowcount


def forget(connection: Connection, ids: Sequence[bytes]) -> None:
    """Records whose content is gone, and what is left of that, go."""
    if connection.execute(delete(records).where(records.c.id.in_(ids))).rowcount:
        record_sums.clear(connection)
    forget_bodies(connection, ids)


def show_import(connection: Connection, import_id: bytes) -> ImportRow:
    """One import. Raises NotFound."""
    found = connection.execute(select(imports).where(imports.c.id == import_id)).mappings().first()
    if found is None:
        raise NotFound(f"there is no import {as_text('imp', import_id)}", hint="list them: freehold imports list")
    return ImportRow(**{**found, "files": json.loads(found["files"])})


def collected_to(connection: Connection, name: str) -> int:
    """The leaf up to which ended calls were looked at; -1 before the first."""
    found = connection.execute(select(collected.c.leaf).where(collected.c.name == name)).scalar()
    return -1 if found is None else int(found)


def keep_collected(connection: Connection, name: str, leaf: int) -> None:
    """Calls up to this leaf need not be looked at again."""
    upsert(connection, collected, [{"name": name, "leaf": leaf}], ("leaf",))


def captured_calls(connection: Connection, after: int, limit: int) -> list[Captured]:
    """Ended calls after a leaf, oldest first, with what is kept of them. Freehold's own calls are left out."""
    asked, answered = bodies.alias("asked"), bodies.alias("answered")
    joined = calls.outerjoin(asked, _side(asked, "request")).outerjoin(answered, _side(answered, "response"))
    own = select(keys.c.id).where(keys.c.role == SERVICE)
    query = (
        select(calls, asked.c.digest.label("asked"), answered.c.digest.label("answered"), asked.c.retention_until)
        .select_from(joined)
        .where(calls.c.leaf > after, calls.c.key_id.not_in(own))
        .order_by(calls.c.leaf)
        .limit(limit)
    )
    return [
        Captured(dict(one), one["asked"], one["answered"], one["retention_until"])
        for one in connection.execute(query).mappings()
    ]


def last_leaf(connection: Connection) -> int:
    """Of the call that ended last; -1 where none did."""
    found = connection.execute(select(func.max(calls.c.leaf))).scalar()
    return -1 if found is None else int(found)


def erased(connection: Connection, ids: Sequence[bytes]) -> set[bytes]:
    """Those of the calls of which a body was erased."""
    query = select(bodies.c.call).where(bodies.c.call.in_(ids), bodies.c.erased_at.is_not(None))
    return set(connection.execute(query).scalars())


def _side(table: Any, side: str) -> ColumnElement[bool]:
    kept: ColumnElement[bool] = (table.c.call == calls.c.id) & (table.c.side == side) & table.c.erased_at.is_(None)
    return kept


def _content() -> ColumnElement[bool]:
    kept = bodies.c.erased_at.is_(None) & bodies.c.digest.is_not(None)
    return (bodies.c.call == records.c.id) & (bodies.c.side == EXCHANGE) & kept


def _matching(query: Select[Any], which: Which) -> Select[Any]:
    if which.workflow:
        query = query.where(records.c.assigned == which.workflow)
    if which.unassigned:
        query = query.where(records.c.assigned == "")
    if which.source:
        query = query.where(records.c.source == which.source)
    if which.since is not None:
        query = query.where(records.c.id >= _id_at(which.since))
    if which.until is not None:
        query = query.where(records.c.id < _id_at(which.until))
    if which.answered:
        query = query.where(records.c.answered)
    if which.ids:
        query = query.where(records.c.id.in_(which.ids))
    return query


def _id_at(seconds: float) -> bytes:
    return (max(int(seconds * 1000), 0) << 80).to_bytes(16, "big")


def _row(one: Record, digest: bytes) -> dict[str, Any]:
    usage = one.usage
    row = {name: getattr(one, name) for name in _SAME}
    row |= {name: getattr(usage, name) for name in _TOKENS}
    row["usage_estimated"] = usage.estimated
    row["workflow_named"] = one.workflow
    row["answered"] = one.answered
    row["request_sha256"] = digest
    return row


def _record(row: Any) -> Record:
    usage = Usage(**{name: row[name] for name in _TOKENS}, estimated=row["usage_estimated"])
    return Record(workflow=row["workflow_named"], usage=usage, request=b"", **{name: row[name] for name in _SAME})
