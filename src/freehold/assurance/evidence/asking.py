"""How a query is asked of facts. Pure.

Invariant: a query is not even asked where a section it needs could not be read: the answer is then `unknown`. One that
looked at no record is never `met`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from freehold.assurance.evidence.facts import Facts
from freehold.assurance.evidence.types import Answer, Finding, Standing

LISTED = 50
"""Findings of one query that are listed; the others are counted."""
T = TypeVar("T")


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What a query found. `findings` speak against, `unclear` are records that do not tell."""

    looked_at: int
    said: str
    findings: tuple[Finding, ...] = ()
    unclear: tuple[Finding, ...] = ()


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """One question to the facts. `records` are the sections it needs."""

    name: str
    asked: str
    records: tuple[str, ...]
    judge: Callable[[Facts], Judged]


def ask(query: Query, facts: Facts) -> Answer:
    """The answer, with the facts it rests on."""
    missing = [one for one in query.records if getattr(facts, one) is None]
    if missing:
        why = {one.section: one.why for one in facts.unread}
        told = "; ".join(f"{one}: {why.get(one) or 'not read'}" for one in missing)
        return _answer(query, "unknown", f"could not be read: {told}", 0, ())
    judged = query.judge(facts)
    said = f"{judged.said}; {len(judged.unclear)} records do not tell" if judged.unclear else judged.said
    standing: Standing = "met" if judged.looked_at else "no_records"
    if judged.findings:
        standing = "not_met"
    elif judged.unclear:
        standing = "unknown"
    return _answer(query, standing, said, judged.looked_at, (*judged.findings, *judged.unclear))


def _answer(query: Query, standing: Standing, said: str, looked_at: int, findings: Sequence[Finding]) -> Answer:
    listed = sorted(findings, key=lambda one: (one.record, one.why))
    return Answer(
        query=query.name,
        asked=query.asked,
        standing=standing,
        said=said,
        records=query.records,
        looked_at=looked_at,
        findings=tuple(listed[:LISTED]),
        more=max(0, len(listed) - LISTED),
    )


def there(section: Sequence[T] | None) -> Sequence[T]:
    """A section that `records` names: it was read."""
    assert section is not None
    return section


def against(found: Iterable[tuple[str, str]]) -> tuple[Finding, ...]:
    """Findings out of records and reasons; an empty reason is none."""
    return tuple(Finding(record, why) for record, why in found if why)


def share(good: int, of: int, what: str) -> str:
    """`3 of 5 active keys end by themselves` out of `active keys: end by themselves`; says so where there is none."""
    noun, _, how = what.partition(": ")
    return f"{good} of {of} {noun} {how}" if of else f"there are no {noun}"


def each(records: Sequence[T], why: Callable[[T], str], name: Callable[[T], str], what: str) -> Judged:
    """Every record must be free of a reason against it; `what` is as in `share`."""
    found = against((name(one), why(one)) for one in records)
    return Judged(looked_at=len(records), said=share(len(records) - len(found), len(records), what), findings=found)
