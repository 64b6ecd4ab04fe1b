"""What the pairs of moves come to, remembered by whoever asks often: only pairs that are new are read and counted.

Pairs are never changed nor taken away, so what is remembered stays true. Several threads may ask at once: each would
come to the same.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from freehold.evals.proof.detector import Delay
from freehold.moves import store
from freehold.moves.machine import Measured
from freehold.moves.measure import Fold, Point, detection, fold, grown, weigh
from freehold.moves.types import Move


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    found: Fold
    measured: Measured
    share: float = -1.0
    delay: Delay | None = None


class _Grown(msgspec.Struct, frozen=True, kw_only=True):
    """Points after each `every` pairs, and the fold after the last of them."""

    every: int = 1
    points: tuple[Point, ...] = ()
    found: Fold = Fold()


class Remembered:
    """Folds of moves, by the move's id."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._grown: dict[str, _Grown] = {}

    def measured(self, connection: Connection, move: Move) -> Measured:
        """What all pairs of a move say."""
        return self._look(connection, move).measured

    def delay(self, connection: Connection, move: Move, share: float) -> Delay:
        """How long a drop would stay unseen where `share` of the calls are compared; see `measure.detection`."""
        known = self._look(connection, move)
        if known.delay is None or known.share != share:
            made = detection(move.rule, known.found, share)
            known = self._known[move.id] = msgspec.structs.replace(known, share=share, delay=made)
            return made
        return known.delay

    def trajectory(self, connection: Connection, move: Move, most: int) -> list[Point]:
        """How the evidence grew, in at most so many points and one more: after all pairs."""
        known = self._grown.get(move.id, _Grown())
        new = store.pairs_of(connection, move.id, known.found.proof.pairs)
        every = known.every
        while (known.found.proof.pairs + len(new)) // every > most:
            every *= 2
        if every != known.every:
            known, new = _Grown(every=every), store.pairs_of(connection, move.id)
        whole = len(new) - len(new) % every
        found, more = grown(move.rule, known.found, new[:whole], every)
        points = (*known.points, *more)
        self._grown[move.id] = _Grown(every=every, points=points, found=found)
        return [*points, *grown(move.rule, found, new[whole:], every)[1]]

    def _look(self, connection: Connection, move: Move) -> _Known:
        known = self._known.get(move.id)
        before = known.found if known else Fold()
        new = store.pairs_of(connection, move.id, before.proof.pairs)
        if known is not None and not new:
            return known
        found = fold(move.rule, before, new)
        made = self._known[move.id] = _Known(found=found, measured=weigh(move.rule, found))
        return made
