"""The log's leaves, computed anew from the rows they were made of, in order; what is missing or odd is named.

Rows are read span by span; a span that the database cannot read is halved until the row at fault is alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from freehold.core.errors import BadSignature
from freehold.core.ids import as_text
from freehold.ledger import receipts
from freehold.ledger.audit import store
from freehold.ledger.audit.rowsum import row_sum
from freehold.ledger.audit.salts import Salts
from freehold.ledger.errors import Erased

ERASED = "subject.erased"
"""Kind of the change that says which leaves lost their salt, and what is left of their rows."""
MISSING = "is missing"
_SPAN = 2000


class Leaf(msgspec.Struct, frozen=True):
    """One leaf as the rows tell it."""

    number: int
    what: str
    """`call_...`, `intent of call_...`, or `change` with its kind."""
    statement: Mapping[str, Any] | None = None
    """None where the leaf was erased, or cannot be computed."""
    salt: bytes = b""
    left: str = ""
    """Of an erased one: the digest of what is left of its row."""
    problem: str = ""


class Erasure(msgspec.Struct, frozen=True):
    """One logged erasure: the leaves it took, and the digest of what stayed of their rows."""

    leaf: int | None
    """Its own; None while it waits for the writer."""
    leaves: tuple[int, ...]
    rows: str


def erasures(connection: Connection) -> list[Erasure]:
    """Every erasure that is logged. One that cannot be read names no leaf, so that its leaves show as changed."""
    found = []
    for leaf, content in store.erasures(connection, ERASED):
        try:
            said = msgspec.json.decode(content, type=dict[str, Any])
            found.append(Erasure(leaf, spread(said["leaves"]), str(said["rows"])))
        except (msgspec.MsgspecError, KeyError, ValueError, TypeError, AttributeError):
            continue
    return found


def spread(text: str) -> tuple[int, ...]:
    """Leaves out of text such as `3,7-9`. Raises ValueError."""
    found: list[int] = []
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        found.extend(range(int(first), int(last or first) + 1))
    return tuple(found)


def gathered(leaves: list[int]) -> str:
    """Sorted leaves as text, the inverse of `spread`."""
    spans: list[list[int]] = []
    for one in leaves:
        if spans and spans[-1][1] == one - 1:
            spans[-1][1] = one
        else:
            spans.append([one, one])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def sum_of(sums: list[str]) -> str:
    """Digest over what is left of erased rows: of their own digests, in the order of their leaves."""
    return sha256("".join(sums).encode()).hexdigest()


def read(connection: Connection, salts: Salts, taken: set[int]) -> Iterator[Leaf]:
    """Every leaf from 0 on. Those in `taken` are erased; a number that no row has comes with a problem."""
    end = store.last_leaf(connection) + 1
    for first in range(0, end, _SPAN):
        yield from read_span(connection, salts, taken, (first, min(first + _SPAN, end)))


def read_span(connection: Connection, salts: Salts, taken: set[int], span: tuple[int, int]) -> Iterator[Leaf]:
    """The leaves `[first, end)`."""
    first, end = span
    try:
        rows = store.leaves_between(connection, first, end)
    except (SQLAlchemyError, TypeError, ValueError) as error:
        if end - first == 1:
            yield Leaf(first, "row", problem=f"cannot be read: {type(error).__name__}")
            return
        middle = (first + end) // 2
        yield from read_span(connection, salts, taken, (first, middle))
        yield from read_span(connection, salts, taken, (middle, end))
        return
    found: dict[int, Leaf] = {}
    for row, tried in rows.calls:
        _add(found, _call(row, tried, salts, erased=row["leaf"] in taken))
    for row in rows.changes:
        _add(found, _change(row, salts))
    for row in rows.intents:
        _add(found, _intent(row, salts))
    for number in rows.astray:
        _add(found, Leaf(number, "attempt", problem="is an attempt of a call that is not there"))
    for number in range(first, end):
        yield found.get(number) or Leaf(number, "row", problem=MISSING)


def _add(found: dict[int, Leaf], leaf: Leaf) -> None:
    other = found.get(leaf.number)
    if other is not None:
        leaf = msgspec.structs.replace(leaf, problem=f"is claimed twice: by {other.what} and by {leaf.what}")
    found[leaf.number] = leaf


def _call(row: store.Row, tried: list[store.Row], salts: Salts, *, erased: bool) -> Leaf:
    def made() -> Leaf:
        what = as_text("call", row["id"])
        if erased:
            return Leaf(row["leaf"], what, left=row_sum(row, tried))
        return Leaf(row["leaf"], what, receipts.statement_of(row, tried), salts.of_call(row))

    return _guarded(row["leaf"], "call", made)


def _change(row: store.Row, salts: Salts) -> Leaf:
    def made() -> Leaf:
        said = receipts.change_of(row["at"], row["kind"], row["actor"], row["content"], row["form"])
        return Leaf(row["leaf"], f"change {row['kind']}", said, salts.of_change(row["leaf"]))

    return _guarded(row["leaf"], "change", made)


def _intent(row: store.Row, salts: Salts) -> Leaf:
    def made() -> Leaf:
        what = f"intent of {as_text('call', row['call'])}"
        return Leaf(row["leaf"], what, receipts.intent_of(row), salts.of_intent(row["call"]))

    return _guarded(row["leaf"], "intent", made)


def _guarded(number: int, what: str, made: Callable[[], Leaf]) -> Leaf:
    """A row that was changed may hold values of any kind."""
    try:
        return made()
    except Erased as error:
        return Leaf(number, what, problem=f"{error.message}, and no erasure of it is logged")
    except BadSignature as error:
        return Leaf(number, what, problem=error.message)
    except (TypeError, ValueError, AttributeError, ArithmeticError, KeyError, msgspec.MsgspecError):
        return Leaf(number, what, problem="was changed: it holds values of another kind")
