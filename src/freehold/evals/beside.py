"""Candidate and incumbent on one recorded call, with words: what was asked, what each said, what people said of it.

Who may not read words is told how many characters there are, and the scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec
from sqlalchemy import Engine

from freehold.core.db import reading
from freehold.core.errors import NotFound
from freehold.core.ids import as_text
from freehold.core.money import from_pico
from freehold.evals import store
from freehold.evals.annotations import Annotations
from freehold.evals.contents import Content, Contents
from freehold.evals.runs import side_name
from freehold.evals.types import AGAIN, CANDIDATE, Annotation, Row
from freehold.grading.types import Answer
from freehold.workflows.exchange import Exchange, exchange
from freehold.workflows.records import Record
from freehold.workflows.shelf import Shelf
from freehold.workflows.store import Which

MOST_CHARACTERS = 100_000
"""Of one text; a longer one is cut, and `characters` says so."""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One text. `text` is None where the asker may not read it."""

    characters: int
    text: str | None = None
    tool_calls: tuple[tuple[str, str], ...] = ()
    """Name and arguments."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of what was asked."""

    role: str
    said: Said


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What a person said of the call. `target` is whose answer is scored; empty for the recorded one."""

    who: str
    at: float
    kind: str
    target: str
    score: float | None
    said: Said | None
    note: str


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides on one call. Scores lie in [0, 1], latency in seconds, cost in US dollars, times in Unix seconds."""

    record: str
    at: float
    workflow: str
    label: str
    model: str
    """That gave the recorded answer."""
    readable: bool
    kept: bool
    """False where the call's words are erased, or past their retention."""
    asked: tuple[Asked, ...] = ()
    recorded: Said | None = None
    run: str = ""
    target: str = ""
    """The candidate; empty outside a run."""
    candidate: Said | None = None
    again: Said | None = None
    """The incumbent, asked once more."""
    score: float | None = None
    reference_score: float | None = None
    error: str = ""
    latency: float | None = None
    cost: Decimal | None = None
    words: tuple[Word, ...] = ()
    """Of people, oldest first."""


class Reader(msgspec.Struct, frozen=True):
    """Who reads words, and where they lie."""

    engine: Engine
    shelf: Shelf
    contents: Contents
    readable: bool


def beside(reader: Reader, ids: Sequence[bytes], run: str = "", rows: Iterable[Row] = ()) -> list[Beside]:
    """Calls in the order of `ids`, those that are not recorded left out; `rows` are the run's of them."""
    graded = {one.record: one for one in rows}
    with reading(reader.engine) as connection:
        known = store.brief(connection, ids)
        said = {one: store.list_annotations(connection, record=one) for one in ids}
        right = [each for every in said.values() for each in every if each.kind == "answer"]
    texts: dict[tuple[bytes, str], Content] = {}
    whole: dict[bytes, Record] = {}
    if ids:
        whole = {one.id: one for one in reader.shelf.records(Which(ids=tuple(ids)))}
        sides = [(one, side_name(run, side)) for one in ids for side in (CANDIDATE, AGAIN) if run]
        texts = reader.contents.load(sides)
    opened = {one.id: one for one in Annotations(reader.engine, reader.contents).opened(right)}
    found = []
    for one in ids:
        if one in known:
            people = tuple(_word(opened.get(each.id, each), readable=reader.readable) for each in said[one])
            head = Head(run=run, row=graded.get(one), words=people, readable=reader.readable)
            found.append(_beside(known[one], whole.get(one), texts, head))
    return found


def one_beside(reader: Reader, record: str, run: str = "") -> Beside:
    """One call by its id, `rec_...` or its log's own. Raises NotFound."""
    with reading(reader.engine) as connection:
        number = store.known_records(connection, [record]).get(record)
        if number is None:
            raise NotFound(f"there is no record {record[:60]!r}", hint="list some: freehold workflows samples WORKFLOW")
        row = store.graded_one(connection, run, number) if run else None
    return beside(reader, [number], run, () if row is None else (row,))[0]


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a call whether its words are kept or not."""

    run: str
    row: Row | None
    words: tuple[Word, ...]
    readable: bool


def _beside(
    brief: store.Brief, record: Record | None, texts: Mapping[tuple[bytes, str], Content], head: Head
) -> Beside:
    row, may = head.row, head.readable
    told = exchange(record) if record is not None else None
    return Beside(
        record=as_text("rec", brief.id),
        at=brief.at,
        workflow=brief.assigned,
        label=brief.label,
        model=brief.model,
        readable=may,
        kept=told is not None,
        asked=() if told is None else _asked(told, readable=may),
        recorded=None if told is None else said_of(told.answer, readable=may),
        run=head.run,
        target=row.target if row else "",
        candidate=_side(texts, brief.id, head, CANDIDATE),
        again=_side(texts, brief.id, head, AGAIN),
        score=row.score if row else None,
        reference_score=row.reference_score if row else None,
        error=row.error if row else "",
        latency=row.latency if row else None,
        cost=from_pico(row.cost) if row and row.cost is not None else None,
        words=head.words,
    )


def _side(texts: Mapping[tuple[bytes, str], Content], record: bytes, head: Head, side: str) -> Said | None:
    found = texts.get((record, side_name(head.run, side)))
    return None if found is None or found.answer is None else said_of(found.answer, readable=head.readable)


def _asked(told: Exchange, *, readable: bool) -> tuple[Asked, ...]:
    turns = (("system", told.system), *told.turns) if told.system else told.turns
    return tuple(Asked(role=role, said=_text(text, readable=readable)) for role, text in turns)


def said_of(answer: Answer, *, readable: bool) -> Said:
    """An answer as it may be shown."""
    calls = tuple((one.name, one.arguments) for one in answer.tool_calls)
    length = len(answer.text) + sum(len(name) + len(arguments) for name, arguments in calls)
    if not readable:
        return Said(characters=length)
    return Said(characters=length, text=answer.text[:MOST_CHARACTERS], tool_calls=calls)


def _text(text: str, *, readable: bool) -> Said:
    return Said(characters=len(text), text=text[:MOST_CHARACTERS] if readable else None)


def _word(one: Annotation, *, readable: bool) -> Word:
    said = None if one.answer is None else said_of(one.answer, readable=readable)
    note = one.note if readable else ""
    return Word(who=one.who, at=one.at, kind=one.kind, target=one.target, score=one.score, said=said, note=note)
