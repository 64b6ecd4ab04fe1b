"""Joins a journal's frames into ended calls. Pure but for its own state; duplicates change nothing.

One `Join` for each epoch, since a call's frames all stand in the journal of the gateway that took it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from decimal import Decimal

import msgspec

from freehold.core.money import ZERO
from freehold.ledger.frames import Attempt, Body, Close, Frame, Open, Refused, Tried
from freehold.ledger.meter import Usage

Begun = list[Open | Attempt]
"""The frames of a call that has not ended: one `Open`, then its further `Attempt`s."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Open | Attempt]).decode


class Ended(msgspec.Struct, frozen=True):
    """A call that has ended. `begun` is None where its opening was loaded in an earlier life."""

    begun: Begun | None
    close: Close


class Joined(msgspec.Struct):
    """What one feeding gave."""

    ended: list[Ended]
    refused: list[Refused]
    bodies: list[Body]


class Join:
    """The calls of one epoch that are open, and which of them are written down in `pending`."""

    def __init__(self, stored: Iterable[tuple[bytes, bytes]] = (), logged: Collection[bytes] = ()) -> None:
        """`stored` is the content of `pending` for this epoch: call ids and their frames. `logged` are those of them
        whose intent stands in the audit tree.
        """
        self.open: dict[bytes, Begun] = {call: _decode(frames) for call, frames in stored}
        self._stored = set(self.open)
        self._unlogged = dict.fromkeys(call for call in self.open if call not in logged)
        self._changed: set[bytes] = set()
        self._gone: set[bytes] = set()

    def feed(self, frames: Iterable[Frame]) -> Joined:
        """Take frames in the order they were written."""
        found = Joined([], [], [])
        for frame in frames:
            kind = type(frame)
            if kind is Open:
                if frame.call not in self.open:
                    self.open[frame.call] = [frame]  # type: ignore[list-item]  # `type() is` does not narrow
                    self._changed.add(frame.call)
                    self._unlogged[frame.call] = None
            elif kind is Close:
                found.ended.append(Ended(self._end(frame.call), frame))  # type: ignore[arg-type]
            elif kind is Attempt:
                self._attempt(frame)  # type: ignore[arg-type]
            elif kind is Refused:
                found.refused.append(frame)  # type: ignore[arg-type]
            else:
                found.bodies.append(frame)  # type: ignore[arg-type]
        return found

    def abandon(self) -> list[Ended]:
        """The epoch is over: what is still open ends as lost, at what it had reserved."""
        lost = [Ended(begun, _lost(begun)) for begun in self.open.values()]
        for call in list(self.open):
            self._end(call)
        return lost

    @property
    def has_intents(self) -> bool:
        """Is a call open whose intent nobody has taken?"""
        return bool(self._unlogged)

    def opened(self, calls: Iterable[bytes]) -> list[Open]:
        """Openings of those of the calls that are open."""
        # A call begins with its Open.
        return [self.open[call][0] for call in calls if call in self.open]  # type: ignore[misc]

    def intents(self) -> list[Open]:
        """Openings of open calls, each told once, in the order they came."""
        found = [self.open[call][0] for call in self._unlogged]
        self._unlogged.clear()
        return found  # type: ignore[return-value]  # a call begins with its Open

    def unstored(self) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
        """What `pending` must be told: calls to write with their frames, and calls to delete. Told once."""
        write = [(call, _encode(self.open[call])) for call in self._changed if call in self.open]
        gone = list(self._gone)
        self._stored.update(call for call, _ in write)
        self._changed.clear()
        self._gone.clear()
        return write, gone

    def _end(self, call: bytes) -> Begun | None:
        begun = self.open.pop(call, None)
        self._unlogged.pop(call, None)
        self._changed.discard(call)
        if call in self._stored:
            self._stored.discard(call)
            self._gone.add(call)
        return begun

    def _attempt(self, frame: Attempt) -> None:
        begun = self.open.get(frame.call)
        if begun is None:
            return
        number = begun[-1].number if isinstance(begun[-1], Attempt) else 1
        if frame.number > number:
            begun.append(frame)
            self._changed.add(frame.call)


def reserved(begun: Begun) -> Decimal:
    """What the whole call has reserved by now."""
    return begun[-1].reserved


def _lost(begun: Begun) -> Close:
    """The close that the gateway did not live to write."""
    last = begun[-1].at
    start = begun[0].at
    tried = tuple(
        Tried(
            number=one.number if isinstance(one, Attempt) else 1,
            target=one.target,
            started=one.at - start,
            first_token=None,
            ended=(begun[at + 1].at if at + 1 < len(begun) else last) - start,
            outcome="lost",
            status=0,
            usage=Usage(estimated=True),
            cost=reserved(begun) if at + 1 == len(begun) else ZERO,
        )
        for at, one in enumerate(begun)
    )
    return Close(begun[0].call, last, "lost", 0, reserved(begun), tried, b"", 0)


def budgets(begun: Begun) -> tuple[str, ...]:
    """Every lease that an attempt of the call drew on."""
    return tuple(dict.fromkeys(one for frame in begun for one in frame.budgets))
