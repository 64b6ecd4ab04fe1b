"""SQL of files and batches. Whatever a caller asks for is asked together with its key's id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from freehold.batches.tables import batch_files, batch_lines, batches, vendor_batches, vendor_lines
from freehold.batches.types import OPEN, Batch, File, Passage, Problem, Tokens
from freehold.core.db import upsert
from freehold.ledger.tables import bodies

SIDE = "file"
"""Of the row in `bodies` that holds a file's content under the file's id."""
_LIVE = bodies.c.erased_at.is_(None) & bodies.c.digest.is_not(None)
_encode = msgspec.json.encode


def add_file(connection: Connection, file: File, team: str, digest: bytes) -> None:
    """Store a file whose content is kept under `digest` already."""
    connection.execute(insert(batch_files), [msgspec.structs.asdict(file)])
    row = {
        "call": file.id,
        "side": SIDE,
        "digest": digest,
        "label": file.label,
        "size": file.bytes,
        "kept_at": file.created_at,
        "retention_until": file.expires_at,
        "key_id": file.key_id,
        "team": team,
    }
    connection.execute(insert(bodies), [row])


def find_file(connection: Connection, key_id: str, file: bytes) -> tuple[File, bytes] | None:
    """A file of this key that is still kept, with its content's digest."""
    query = _files(bodies.c.digest).where(batch_files.c.id == file, batch_files.c.key_id == key_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else (_file(row), row["digest"])


def list_files(connection: Connection, key_id: str, wanted: Page, purpose: str = "") -> list[File]:
    """Files of this key that are still kept; one more than the page where there are more."""
    query = _files().where(batch_files.c.key_id == key_id)
    if purpose:
        query = query.where(batch_files.c.purpose == purpose)
    return [_file(one) for one in connection.execute(_paged(query, batch_files.c.id, wanted)).mappings()]


def bytes_of(connection: Connection, key_id: str) -> int:
    """What a key's files hold together."""
    query = select(func.sum(bodies.c.size)).where(bodies.c.key_id == key_id, bodies.c.side == SIDE, _LIVE)
    return int(connection.execute(query).scalar() or 0)


class Mark(msgspec.Struct, frozen=True):
    """What of an open batch says whether it is its turn."""

    id: bytes
    key_id: str
    status: str
    expires_at: float


class Page(msgspec.Struct, frozen=True):
    """A part of a list, by id."""

    limit: int
    after: bytes | None = None
    ascending: bool = False


def add_batch(connection: Connection, batch: Batch, sealed: bytes) -> None:
    """Store a new batch. `sealed` is what its maker said of it."""
    connection.execute(insert(batches), [{"id": batch.id, **_columns(batch), "sealed": sealed}])


def save(connection: Connection, batch: Batch) -> None:
    """Store a batch's new values; what its maker said stays."""
    connection.execute(update(batches).where(batches.c.id == batch.id).values(**_columns(batch)))


def find_batch(connection: Connection, key_id: str, batch: bytes) -> tuple[Batch, bytes] | None:
    """A batch of this key, with what its maker said of it, sealed."""
    query = select(batches).where(batches.c.id == batch, batches.c.key_id == key_id)
    row = connection.execute(query).mappings().first()
    return None if row is None else (_batch(row), row["sealed"])


def list_batches(connection: Connection, key_id: str, wanted: Page) -> list[tuple[Batch, bytes]]:
    """Batches of this key, newest first; one more than the page where there are more."""
    query = _paged(select(batches).where(batches.c.key_id == key_id), batches.c.id, wanted)
    return [(_batch(one), one["sealed"]) for one in connection.execute(query).mappings()]


def any_batch(connection: Connection, batch: bytes) -> Batch | None:
    """A batch, whoever's it is."""
    row = connection.execute(select(batches).where(batches.c.id == batch)).mappings().first()
    return None if row is None else _batch(row)


def every_batch(connection: Connection, status: str, limit: int) -> list[Batch]:
    """Batches of all keys, newest first: `open` ones, those of a status, or with an empty one all."""
    query = select(batches).order_by(batches.c.id.desc()).limit(limit)
    if status:
        query = query.where(batches.c.status.in_(OPEN if status == "open" else (status,)))
    return [_batch(one) for one in connection.execute(query).mappings()]


def waiting(connection: Connection, key_id: str) -> int:
    """How many batches of a key have not ended."""
    query = select(func.count()).select_from(batches).where(batches.c.key_id == key_id, batches.c.status.in_(OPEN))
    return int(connection.execute(query).scalar() or 0)


def open_batches(connection: Connection) -> list[Mark]:
    """Batches that have not ended, oldest first."""
    columns = [batches.c[name] for name in Mark.__struct_fields__]
    query = select(*columns).where(batches.c.status.in_(OPEN)).order_by(batches.c.id)
    return [Mark(*one) for one in connection.execute(query)]


def answered(connection: Connection, batch: bytes) -> set[int]:
    """Numbers of the lines that are done."""
    return set(connection.execute(select(batch_lines.c.number).where(batch_lines.c.batch == batch)).scalars())


def add_line(connection: Connection, batch: Batch, line: tuple[int, bool, bytes], usage: Tokens) -> bool:
    """Write down what became of a line (number, good, sealed), with its count; False where that was done before."""
    number, good, sealed = line
    row = {"batch": batch.id, "number": number, "good": good, "sealed": sealed}
    try:
        with connection.begin_nested():
            connection.execute(insert(batch_lines), [row])
    except IntegrityError:
        return False
    column = batches.c.completed if good else batches.c.failed
    told = connection.execute(select(batches.c.usage).where(batches.c.id == batch.id)).scalar_one()
    total = msgspec.json.decode(told, type=Tokens).plus(usage)
    values = {column.name: column + 1, "usage": _encode(total).decode()}
    connection.execute(update(batches).where(batches.c.id == batch.id).values(**values))
    return True


def lines(connection: Connection, batch: bytes, *, good: bool) -> Iterable[tuple[int, bytes]]:
    """Lines for the output file, or for the error file, in the input's order."""
    mine = (batch_lines.c.batch == batch) & (batch_lines.c.good == good)
    query = select(batch_lines.c.number, batch_lines.c.sealed).where(mine).order_by(batch_lines.c.number)
    return [(int(number), bytes(sealed)) for number, sealed in connection.execute(query)]


def drop_lines(connection: Connection, batch: bytes) -> None:
    """They stand in files now."""
    connection.execute(delete(batch_lines).where(batch_lines.c.batch == batch))


def passage_of(connection: Connection, batch: bytes) -> Passage | None:
    """How a batch stands with its vendor; None where it was never to be passed."""
    row = connection.execute(select(vendor_batches).where(vendor_batches.c.batch == batch)).mappings().first()
    return None if row is None else Passage(**row)


def save_passage(connection: Connection, passage: Passage) -> None:
    """Store it, whether it is new or not."""
    row = msgspec.structs.asdict(passage)
    upsert(connection, vendor_batches, [row], tuple(name for name in row if name not in ("id", "batch")))


def add_passed(connection: Connection, passage: bytes, number: int, sealed: bytes) -> None:
    """Keep a line that is ready to leave."""
    row = {"passage": passage, "number": number, "sealed": sealed, "settled": False}
    upsert(connection, vendor_lines, [row], ("sealed",))


def passed_lines(connection: Connection, passage: bytes) -> list[tuple[int, bytes, bool]]:
    """Number, what is sealed and whether it is settled, in the input's order."""
    query = select(vendor_lines).where(vendor_lines.c.passage == passage).order_by(vendor_lines.c.number)
    return [(one.number, bytes(one.sealed), one.settled) for one in connection.execute(query)]


def passed_numbers(connection: Connection, passage: bytes) -> set[int]:
    """Numbers of the lines that are ready, or gone."""
    query = select(vendor_lines.c.number).where(vendor_lines.c.passage == passage)
    return set(connection.execute(query).scalars())


def settle_passed(connection: Connection, passage: bytes, number: int) -> None:
    """The end of its call stands in the journal."""
    mine = (vendor_lines.c.passage == passage) & (vendor_lines.c.number == number)
    connection.execute(update(vendor_lines).where(mine).values(settled=True))


def drop_passed(connection: Connection, passage: bytes) -> None:
    """Nothing of them is waited for any more."""
    connection.execute(delete(vendor_lines).where(vendor_lines.c.passage == passage))


def forget(connection: Connection, now: float, before: float) -> None:
    """Drop batches that ended `before`, and expired files whose content is gone by `now`."""
    connection.execute(delete(batches).where(batches.c.expires_at < before, batches.c.status.not_in(OPEN)))
    connection.execute(delete(vendor_batches).where(vendor_batches.c.batch.not_in(select(batches.c.id))))
    connection.execute(delete(batch_files).where(batch_files.c.expires_at < now, _gone()))


def forget_key(connection: Connection, key_id: str) -> None:
    """Drop what is known of a key's files that are gone, and of its batches that ended."""
    connection.execute(delete(batches).where(batches.c.key_id == key_id, batches.c.status.not_in(OPEN)))
    connection.execute(delete(batch_files).where(batch_files.c.key_id == key_id, _gone()))


def _gone() -> ColumnElement[bool]:
    return batch_files.c.id.not_in(select(bodies.c.call).where(bodies.c.side == SIDE, _LIVE))


def _files(*more: ColumnElement[Any]) -> Select[Any]:
    whole = bodies.c.call == batch_files.c.id
    return select(batch_files, *more).join(bodies, whole & (bodies.c.side == SIDE)).where(_LIVE)


def _paged(query: Select[Any], column: ColumnElement[bytes], wanted: Page) -> Select[Any]:
    if wanted.after is not None:
        query = query.where(column > wanted.after if wanted.ascending else column < wanted.after)
    return query.order_by(column if wanted.ascending else column.desc()).limit(wanted.limit + 1)


def _file(row: Any) -> File:
    return File(**{name: row[name] for name in File.__struct_fields__})


_JSON: Sequence[tuple[str, Any]] = (
    ("problems", tuple[Problem, ...]),
    ("times", dict[str, float]),
    ("usage", Tokens),
)


def _columns(batch: Batch) -> dict[str, Any]:
    kept = {name: getattr(batch, name) for name in Batch.__struct_fields__ if name not in ("id", "said")}
    return {**kept, **{name: _encode(kept[name]).decode() for name, _ in _JSON}}


def _batch(row: Any) -> Batch:
    plain = {name: row[name] for name in Batch.__struct_fields__ if name != "said"}
    return Batch(**{**plain, **{name: msgspec.json.decode(row[name], type=kind) for name, kind in _JSON}})
