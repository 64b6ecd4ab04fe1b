"""Erasure of whom calls are about: their key goes, and with it what ties leaves and bodies to anything.

First the key is taken out of use, then rows and bodies go batch by batch, each batch with an entry in the log that
names its leaves and digests what stays; then the key is destroyed. Run again after any interruption, it goes on.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, Engine

from freehold.core.db import reading, writing
from freehold.ledger import capture, store
from freehold.ledger.audit.leaves import ERASED, gathered, sum_of
from freehold.ledger.audit.rowsum import row_sum
from freehold.ledger.audit.store import append
from freehold.ledger.audit.subjects import Doomed, Subjects
from freehold.ledger.keeping import store as keeping
from freehold.ledger.keeping.holds import refuse

_AT_ONCE = 500
_BLANK: dict[str, object] = {"subject": "", "request_sha256": b"", "response_sha256": b""}
"""What of a call's row tells of whom it was about; what it cost, and where it ran, stays."""


class Order(msgspec.Struct, frozen=True):
    """Who is erased, and for whom and why; `subject` is the name in rows."""

    subject: str
    why: str
    by: str


class Gone(msgspec.Struct, frozen=True):
    """How many calls and bodies were erased."""

    calls: int
    bodies: int


def erase_subject(engine: Engine, bodies: capture.Bodies, order: Order, now: float) -> Gone:
    """Erase a subject for good. Raises Held where a legal hold covers any call about them: then nothing is erased."""
    subjects = bodies.subjects
    with subjects.exclusive(), reading(engine) as connection:
        check_holds(connection, order.subject)
        subjects.doom(order.subject, keeping.last_leaf_of(connection, order.subject))
    total = Gone(0, 0)
    for grave in subjects.doomed():
        if grave.subject == order.subject:
            done = _bury(engine, bodies, grave, order, now)
            total = Gone(total.calls + done.calls, total.bodies + done.bodies)
            _destroy(subjects, grave)
    return total


def check_holds(connection: Connection, subject: str) -> None:
    """Raises Held where a legal hold covers a call about a subject."""
    found = keeping.held_calls(connection, subject, keeping.holds(connection, active=True))
    refuse("what is known of them", found)


def _bury(engine: Engine, bodies: capture.Bodies, grave: Doomed, order: Order, now: float) -> Gone:
    count = erased = 0
    while True:
        with writing(engine) as connection:
            found = keeping.calls_about(connection, grave.subject, grave.last, _AT_ONCE)
            if not found:
                break
            leaves = [row["leaf"] for row, _ in found]
            keeping.blank(connection, leaves, _BLANK)
            left = sum_of([row_sum({**row, **_BLANK}, tried) for row, tried in found])
            which = store.bodies_of_calls([row["id"] for row, _ in found])
            erased += store.mark_erased(connection, which, order.why, now, limit=_AT_ONCE * 8)
            content = {"leaves": gathered(leaves), "rows": left, "why": order.why, "subject": grave.subject}
            append(connection, now, ERASED, order.by, content)
        count += len(found)
    capture.finish(engine, bodies)
    return Gone(count, erased)


def _destroy(subjects: Subjects, grave: Doomed) -> None:
    with subjects.exclusive():
        subjects.destroy(grave)
