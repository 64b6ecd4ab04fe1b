"""SQL of moves. An event is written under its number: who comes second with the same number wrote nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, func, insert, select, true, update

from freehold.core.canonical import exact
from freehold.core.errors import Conflict, NotFound
from freehold.evals.proof.validity import Health
from freehold.moves.machine import apply, begin
from freehold.moves.tables import move_events, moves, pairs
from freehold.moves.types import ENDED, Event, Move, Pair, Plan, Rule

_NO_RECORD = bytes(16)
WHICH: tuple[tuple[str, ColumnElement[bool]], ...] = (
    ("all", true()),
    ("better", pairs.c.candidate > pairs.c.incumbent),
    ("differ", pairs.c.candidate != pairs.c.incumbent),
    ("invalid", ~pairs.c.valid),
    ("worse", pairs.c.candidate < pairs.c.incumbent),
)
"""Which pairs of a move, by name."""


def add(connection: Connection, move: Move, actor: str) -> None:
    """Write down a new move with its first event. Raises Conflict where the workflow has one under way."""
    active = select(moves.c.id).where(moves.c.workflow == move.plan.workflow, moves.c.stage.not_in(ENDED))
    found = connection.execute(active).scalar()
    if found is not None:
        hint = f"roll it back first: freehold moves rollback {move.plan.workflow}"
        raise Conflict(f"{move.plan.workflow} has a move under way already: {found}", hint=hint)
    rule, plan = msgspec.to_builtins(move.rule), msgspec.to_builtins(move.plan)
    row = {
        "id": move.id,
        "workflow": move.plan.workflow,
        "began": move.began,
        "rule": exact(rule).decode(),
        "rule_sha256": move.rule.digest(),
        "plan": exact(plan).decode(),
        "actor": actor,
        "stage": move.stage,
        "cursor": _NO_RECORD,
        "wanted": "[]",
    }
    connection.execute(insert(moves), [row])
    _write(connection, move.id, Event(0, move.began, "began", actor, {"rule": rule, "plan": plan}))


def append(connection: Connection, move: Move, event: Event) -> Move:
    """Write one event down, inside a `writing` transaction; the move after it.

    Raises Conflict where the move has gone on meanwhile: load it again and decide anew.
    """
    stored = connection.execute(select(func.count()).where(move_events.c.move == move.id)).scalar_one()
    if stored != move.events:
        raise Conflict(f"{move.id} has gone on meanwhile")
    after = apply(move, event)
    _write(connection, move.id, event)
    if after.stage != move.stage:
        connection.execute(update(moves).where(moves.c.id == move.id).values(stage=after.stage))
    return after


def load(connection: Connection, move: str) -> Move:
    """A move by its id. Raises NotFound."""
    row = connection.execute(select(moves).where(moves.c.id == move)).mappings().first()
    if row is None:
        raise NotFound(f"there is no move {move!r}", hint="list them: freehold moves list")
    return _folded(connection, row)


def latest(connection: Connection, workflow: str) -> Move | None:
    """The newest move of a workflow."""
    query = select(moves).where(moves.c.workflow == workflow).order_by(moves.c.began.desc(), moves.c.id.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else _folded(connection, row)


def under_way(connection: Connection, workflow: str) -> Move | None:
    """The move of a workflow that has not ended; there is at most one."""
    row = connection.execute(select(moves).where(moves.c.workflow == workflow, moves.c.stage.not_in(ENDED))).mappings()
    found = row.first()
    return None if found is None else _folded(connection, found)


def moving(connection: Connection) -> frozenset[str]:
    """Ids of workflows that have a move under way."""
    return frozenset(connection.execute(select(moves.c.workflow).where(moves.c.stage.not_in(ENDED))).scalars())


def active(connection: Connection) -> list[Move]:
    """Moves that are under way, oldest first."""
    query = select(moves).where(moves.c.stage.not_in(ENDED)).order_by(moves.c.began)
    return [_folded(connection, row) for row in connection.execute(query).mappings().all()]


def everything(connection: Connection, limit: int = 200) -> list[Move]:
    """All moves, newest first."""
    query = select(moves).order_by(moves.c.began.desc(), moves.c.id.desc()).limit(limit)
    return [_folded(connection, row) for row in connection.execute(query).mappings().all()]


def events(connection: Connection, move: str) -> list[Event]:
    """What happened to a move, in order."""
    query = select(move_events).where(move_events.c.move == move).order_by(move_events.c.number)
    return [
        Event(row.number, row.at, row.kind, row.actor, json.loads(row.content)) for row in connection.execute(query)
    ]


def cursor(connection: Connection, move: str) -> bytes:
    """The last record that was looked at for pairing."""
    return bytes(connection.execute(select(moves.c.cursor).where(moves.c.id == move)).scalar_one())


def wanted(connection: Connection, move: str) -> tuple[bytes, ...]:
    """Records that a person must annotate before pairing goes on."""
    found = connection.execute(select(moves.c.wanted).where(moves.c.id == move)).scalar_one()
    return tuple(bytes.fromhex(one) for one in json.loads(found))


def keep_wanted(connection: Connection, move: str, records: Sequence[bytes]) -> None:
    """Write down which records wait for a person; none where pairing goes on."""
    text = json.dumps([one.hex() for one in records])
    connection.execute(update(moves).where(moves.c.id == move).values(wanted=text))


def keep_health(connection: Connection, move: str, health: Health) -> None:
    """Write down what the form of a candidate's answers came to; it is shown, and decides nothing from here."""
    text = msgspec.json.encode(health).decode()
    connection.execute(update(moves).where(moves.c.id == move).values(health=text))


def health(connection: Connection, move: str) -> Health:
    """What the form of a candidate's answers came to when it was last looked at."""
    text = connection.execute(select(moves.c.health).where(moves.c.id == move)).scalar()
    return msgspec.json.decode(text, type=Health) if text else Health()


def add_pairs(connection: Connection, move: str, made: Sequence[Pair], looked_at: bytes) -> int:
    """Write pairs down and move the cursor, in one transaction; how many were new.

    A record that has a pair already is passed over: work done twice counts once.
    """
    known = set()
    if made:
        query = select(pairs.c.record).where(pairs.c.move == move, pairs.c.record.in_([one.record for one in made]))
        known = {bytes(one) for one in connection.execute(query).scalars()}
    number = connection.execute(select(func.count()).where(pairs.c.move == move)).scalar_one()
    new = [one for one in made if one.record not in known]
    rows = [{"move": move, "number": number + at, **msgspec.structs.asdict(one)} for at, one in enumerate(new)]
    if rows:
        connection.execute(insert(pairs), rows)
    connection.execute(update(moves).where(moves.c.id == move, moves.c.cursor < looked_at).values(cursor=looked_at))
    return len(rows)


def pairs_of(connection: Connection, move: str, after: int = 0) -> list[Pair]:
    """The pairs of a move but for the first `after`, in the order the evidence counts them."""
    query = select(pairs).where(pairs.c.move == move, pairs.c.number >= after).order_by(pairs.c.number)
    return [_pair(row) for row in connection.execute(query).mappings()]


def page_of(connection: Connection, move: str, which: str, before: int | None, limit: int) -> list[tuple[int, Pair]]:
    """Pairs of one of `WHICH` with their numbers, newest first, from the one before `before` on."""
    query = select(pairs).where(pairs.c.move == move, dict(WHICH)[which]).order_by(pairs.c.number.desc()).limit(limit)
    if before is not None:
        query = query.where(pairs.c.number < before)
    return [(row["number"], _pair(row)) for row in connection.execute(query).mappings()]


def _pair(row: Any) -> Pair:
    names = Pair.__struct_fields__
    return Pair(**{name: row[name] for name in names})


def _folded(connection: Connection, row: Any) -> Move:
    rule = msgspec.convert(json.loads(row["rule"]), Rule)
    plan = msgspec.convert(json.loads(row["plan"]), Plan)
    move = begin(row["id"], row["began"], rule, plan)
    for event in events(connection, row["id"])[1:]:
        move = apply(move, event)
    return move


def _write(connection: Connection, move: str, event: Event) -> None:
    row = {"move": move, "number": event.number, "at": event.at, "kind": event.kind, "actor": event.actor}
    connection.execute(insert(move_events), [{**row, "content": exact(event.content).decode()}])
