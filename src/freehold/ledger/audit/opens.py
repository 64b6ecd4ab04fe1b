"""Calls without an outcome: what the journal and the tables say was begun, and nothing says how it ended.

Of a living gateway they are under way; of one that is gone they show a crash between intent and outcome.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from sqlalchemy import Connection

from freehold.core.ids import as_text
from freehold.ledger.audit import store as audit_store
from freehold.ledger.intake import store, tail
from freehold.ledger.intake.join import Join
from freehold.ledger.journal import epoch_over, segment_name

_LIMIT = 4 << 20


class Opens(msgspec.Struct, frozen=True):
    """Ids of calls. `known` are all that some frame tells of, ended or not."""

    under_way: tuple[str, ...]
    cut: tuple[str, ...]
    known: frozenset[bytes]
    torn: tuple[str, ...]
    """Journal files whose end is no whole frame, of gateways that are gone."""


def read(home: Path, connection: Connection) -> Opens:
    """What is open in the home as it lies, also what the writer has not loaded yet."""
    positions = store.read_positions(connection)
    folders = tail.epochs_in(home / "journal")
    under_way: list[str] = []
    cut: list[str] = []
    known: set[bytes] = set()
    torn: list[str] = []
    for name in sorted({*folders, *audit_store.pending_epochs(connection)}):
        join = Join(store.read_pending(connection, name))
        known.update(join.open)
        alive = False
        if name in folders:
            folder = home / "journal" / name
            alive = not _over(folder)
            place = positions.get(name) or (tail.first_segment(folder), 0)
            known.update(_follow(folder, place, join, [] if alive else torn))
        (under_way if alive else cut).extend(as_text("call", call) for call in join.open)
    return Opens(tuple(under_way), tuple(cut), frozenset(known), tuple(torn))


def _follow(folder: Path, place: tuple[int, int], join: Join, torn: list[str]) -> set[bytes]:
    """Feed the frames from a position on; the calls they tell of."""
    seen: set[bytes] = set()
    segment, offset = place
    while True:
        read = tail.look(folder, segment, offset, _LIMIT)
        join.feed(read.frames)
        seen.update(one.call for one in read.frames)
        if (read.segment, read.offset) == (segment, offset):
            break
        segment, offset = read.segment, read.offset
    path = folder / segment_name(segment)
    if path.exists() and path.stat().st_size > offset:
        torn.append(str(path))
    return seen


def _over(folder: Path) -> bool:
    """A copy that may not be written, or locked, is of no living gateway."""
    try:
        return epoch_over(folder)
    except OSError:
        return True
