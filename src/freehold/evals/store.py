"""SQL of evaluation: annotations, runs, rows. Every function takes an open connection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, exists, func, or_, select, true, update

from freehold.core.crypto import sha256
from freehold.core.db import upsert
from freehold.core.errors import NotFound
from freehold.core.ids import as_text, from_text
from freehold.evals.tables import eval_rows, eval_runs, judgements
from freehold.evals.types import CANDIDATE, Annotation, Plan, Row, Run
from freehold.ledger.tables import bodies
from freehold.workflows.store import EXCHANGE
from freehold.workflows.tables import records

WHICH: tuple[tuple[str, ColumnElement[bool]], ...] = (
    ("all", true()),
    ("better", eval_rows.c.score > eval_rows.c.reference_score),
    ("differ", eval_rows.c.score != eval_rows.c.reference_score),
    ("failed", eval_rows.c.error != ""),
    ("ungraded", or_(eval_rows.c.score.is_(None), eval_rows.c.reference_score.is_(None))),
    ("worse", eval_rows.c.score < eval_rows.c.reference_score),
)
"""Which of a run's answers, by name."""
_AT_ONCE = 500


def known_records(connection: Connection, names: Sequence[str]) -> dict[str, bytes]:
    """Ids of records by what people call them: `rec_...`, or the id their log gave them."""
    found: dict[str, bytes] = {}
    wanted: dict[bytes, str] = {}
    for one in names:
        try:
            wanted[from_text(one)] = one
        except ValueError:
            continue
    for ids in _pieces(list(wanted)):
        for row in connection.execute(select(records.c.id).where(records.c.id.in_(ids))):
            found[wanted[row.id]] = row.id
    for texts in _pieces([one for one in names if one not in found]):
        query = select(records.c.id, records.c.external_id).where(records.c.external_id.in_(texts))
        for row in connection.execute(query):
            found[row.external_id] = row.id
    return found


class Brief(msgspec.Struct, frozen=True):
    """A record without its content."""

    id: bytes
    at: float
    assigned: str
    label: str
    model: str


def brief(connection: Connection, ids: Sequence[bytes]) -> dict[bytes, Brief]:
    """What rows say of records, whether their content is still kept or not."""
    found: dict[bytes, Brief] = {}
    columns = [records.c[name] for name in ("id", "at", "assigned", "label", "model")]
    for some in _pieces(ids):
        query = select(*columns).where(records.c.id.in_(some))
        found |= {row.id: Brief(*row) for row in connection.execute(query)}
    return found


def labels_of(connection: Connection, ids: Sequence[bytes]) -> dict[bytes, str]:
    """Sensitivity of records."""
    found: dict[bytes, str] = {}
    for some in _pieces(ids):
        query = select(records.c.id, records.c.label).where(records.c.id.in_(some))
        found |= {row.id: row.label for row in connection.execute(query)}
    return found


def until_of(connection: Connection, ids: Sequence[bytes]) -> dict[bytes, float]:
    """When the content of records is to go; whatever else is kept of them goes with it."""
    found: dict[bytes, float] = {}
    for some in _pieces(ids):
        query = select(bodies.c.call, bodies.c.retention_until).where(bodies.c.call.in_(some))
        query = query.where(bodies.c.side == EXCHANGE, bodies.c.erased_at.is_(None))
        found |= {row.call: row.retention_until for row in connection.execute(query)}
    return found


def contents(connection: Connection, ids: Sequence[bytes]) -> dict[tuple[bytes, str], bytes]:
    """Digests of the bodies of records that are still kept, by record and side."""
    found: dict[tuple[bytes, str], bytes] = {}
    for some in _pieces(ids):
        query = select(bodies.c.call, bodies.c.side, bodies.c.digest).where(
            bodies.c.call.in_(some), bodies.c.erased_at.is_(None), bodies.c.digest.is_not(None)
        )
        found |= {(row.call, row.side): row.digest for row in connection.execute(query)}
    return found


def add_annotations(connection: Connection, found: Sequence[Annotation]) -> int:
    """Judgements; those that are there already stay as they are. How many were new."""
    if not found:
        return 0
    there: set[bytes] = set()
    for ids in _pieces([one.id for one in found]):
        there |= set(connection.execute(select(judgements.c.id).where(judgements.c.id.in_(ids))).scalars())
    fresh = {one.id: one for one in found if one.id not in there}
    columns = ("id", "record", "kind", "target", "score", "who", "at", "note")
    upsert(connection, judgements, [{name: getattr(one, name) for name in columns} for one in fresh.values()])
    return len(fresh)


def forget_judgements(connection: Connection, ids: Sequence[bytes]) -> None:
    """What people said of records that are gone goes too."""
    for some in _pieces(ids):
        connection.execute(delete(judgements).where(judgements.c.record.in_(some)))


def list_annotations(
    connection: Connection,
    workflow: str = "",
    kind: str = "",
    record: bytes = b"",
    limit: int | None = None,
    *,
    newest: bool = False,
) -> list[Annotation]:
    """Judgements, oldest (or `newest`) first, without content. Empty arguments do not filter."""
    order = (judgements.c.at, judgements.c.id)
    query = select(judgements).order_by(*(one.desc() if newest else one for one in order))
    if workflow:
        # Not joined: a database would go through every record of the workflow, and there are few judgements.
        mine = (records.c.id == judgements.c.record) & (records.c.assigned == workflow)
        query = query.where(exists().where(mine))
    if kind:
        query = query.where(judgements.c.kind == kind)
    if record:
        query = query.where(judgements.c.record == record)
    if limit is not None:
        query = query.limit(limit)
    return [Annotation(**one) for one in connection.execute(query).mappings()]


def add_run(connection: Connection, run: Run) -> None:
    """A new run; one that is there already stays as it is.

    Its id may also be any other text, such as who wants it and for what: the same text is then the same run.
    """
    row = {"id": _number(run.id), "workflow": run.plan.workflow, "target": run.plan.target, "scorecard": ""}
    upsert(connection, eval_runs, [{**row, **_run_columns(run)}])


def keep_run(connection: Connection, run: Run, scorecard: str = "") -> None:
    """A run's new state; its scorecard too, where there is one."""
    values = _run_columns(run) | ({"scorecard": scorecard} if scorecard else {})
    connection.execute(update(eval_runs).where(eval_runs.c.id == _number(run.id)).values(**values))


def load_run(connection: Connection, run: str) -> Run:
    """Raises NotFound."""
    return _run(_run_row(connection, run))


def scorecard_of(connection: Connection, run: str) -> str:
    """The scorecard as JSON; empty while there is none. Raises NotFound."""
    return str(_run_row(connection, run)["scorecard"])


def list_runs(connection: Connection, workflow: str = "", limit: int = 50) -> list[Run]:
    """Runs, newest first."""
    query = select(eval_runs).order_by(eval_runs.c.at.desc(), eval_runs.c.id.desc()).limit(limit)
    if workflow:
        query = query.where(eval_runs.c.workflow == workflow)
    return [_run(one) for one in connection.execute(query).mappings()]


def add_rows(connection: Connection, run: str, found: Iterable[Row]) -> None:
    """Graded answers; one that is there already stays as it is, so nothing is counted twice."""
    number = _number(run)
    upsert(connection, eval_rows, [{"run": number, **msgspec.structs.asdict(one)} for one in found])


def rows_of(connection: Connection, run: str) -> list[Row]:
    """Every graded answer, in order of the calls."""
    query = select(eval_rows).where(eval_rows.c.run == _number(run)).order_by(eval_rows.c.record, eval_rows.c.side)
    return [
        Row(**{name: value for name, value in one.items() if name != "run"})
        for one in connection.execute(query).mappings()
    ]


def graded(connection: Connection, run: str) -> int:
    """How many answers of a run are graded, of the candidate's and of the incumbent's asked again."""
    query = select(func.count()).where(eval_rows.c.run == _number(run))
    return int(connection.execute(query).scalar_one())


def page_of(connection: Connection, run: str, which: str, after: bytes, limit: int) -> list[Row]:
    """The candidate's graded answers of one of `WHICH`, in order of the calls, from the one after `after` on."""
    query = select(eval_rows).where(_candidates(run), eval_rows.c.record > after, dict(WHICH)[which])
    found = connection.execute(query.order_by(eval_rows.c.record).limit(limit)).mappings()
    return [_graded(one) for one in found]


def graded_one(connection: Connection, run: str, record: bytes) -> Row | None:
    """The candidate's graded answer to one call."""
    query = select(eval_rows).where(_candidates(run), eval_rows.c.record == record)
    found = connection.execute(query).mappings().first()
    return None if found is None else _graded(found)


def tallies(connection: Connection, run: str) -> dict[str, int]:
    """How many of the candidate's answers there are of each of `WHICH`."""
    sums = [func.count().filter(law).label(name) for name, law in WHICH]
    found = connection.execute(select(*sums).where(_candidates(run))).mappings().one()
    return {name: int(found[name]) for name, _ in WHICH}


def undecided(connection: Connection, run: str, limit: int) -> list[bytes]:
    """Calls on which the two sides score differently and nobody said what is right, in order of the calls."""
    query = select(eval_rows.c.record).where(_candidates(run), dict(WHICH)["differ"], ~_said("answer"))
    return [bytes(one) for one in connection.execute(query.order_by(eval_rows.c.record).limit(limit)).scalars()]


def decided(connection: Connection, run: str) -> int:
    """Calls on which the two sides score differently and somebody said what is right."""
    query = select(func.count()).where(_candidates(run), dict(WHICH)["differ"], _said("answer"))
    return int(connection.execute(query).scalar_one())


def scoreable(connection: Connection, run: str, target: str, limit: int) -> list[tuple[bytes, bool]]:
    """The latest calls the candidate answered, latest first, and whether somebody scored its answer."""
    scored = _said("score", target).label("scored")
    query = select(eval_rows.c.record, scored).where(_candidates(run), eval_rows.c.error == "")
    query = query.order_by(eval_rows.c.record.desc()).limit(limit)
    return [(bytes(one.record), bool(one.scored)) for one in connection.execute(query)]


def scored(connection: Connection, run: str, target: str) -> int:
    """Calls of a run of which somebody scored the candidate's answer."""
    joined = judgements.join(eval_rows, (eval_rows.c.record == judgements.c.record) & _candidates(run))
    said = (judgements.c.kind == "score") & (judgements.c.target == target)
    query = select(func.count(judgements.c.record.distinct())).select_from(joined).where(said)
    return int(connection.execute(query).scalar_one())


def _candidates(run: str) -> ColumnElement[bool]:
    return and_(eval_rows.c.run == _number(run), eval_rows.c.side == CANDIDATE)


def _said(kind: str, target: str = "") -> ColumnElement[bool]:
    mine = (judgements.c.record == eval_rows.c.record) & (judgements.c.kind == kind) & (judgements.c.target == target)
    return exists().where(mine)


def _graded(row: RowMapping) -> Row:
    return Row(**{str(name): value for name, value in row.items() if name != "run"})


def _number(run: str) -> bytes:
    try:
        return from_text(run)
    except ValueError:
        return sha256(run.encode())[:16]


def _run_row(connection: Connection, run: str) -> RowMapping:
    try:
        number = _number(run)
    except ValueError:
        number = b""
    found = connection.execute(select(eval_runs).where(eval_runs.c.id == number)).mappings().first()
    if found is None:
        raise NotFound(f"there is no evaluation {run!r}", hint="list them: freehold evals list")
    return found


def _run_columns(run: Run) -> dict[str, Any]:
    names = ("at", "state", "dataset", "examples", "actor", "ended_at", "error")
    return {"plan": msgspec.json.encode(run.plan).decode(), **{name: getattr(run, name) for name in names}}


def _run(row: RowMapping) -> Run:
    names = ("at", "state", "dataset", "examples", "actor", "ended_at", "error")
    plan = msgspec.json.decode(row["plan"], type=Plan)
    return Run(id=as_text("ev", row["id"]), plan=plan, **{name: row[name] for name in names})


def _pieces(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[at : at + _AT_ONCE] for at in range(0, len(values), _AT_ONCE))
