"""The budget authority: grants slices of budgets to gateways, so that all together never pass a limit.

Each grant is committed before it is answered. What a living epoch holds counts as spent; once its gateway is gone
and its journal is stored, what its calls cost counts instead (the ledger's loader swaps the two in one transaction).
"""

from __future__ import annotations

import asyncio
import os
import struct
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

import msgspec
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from freehold.core.clock import Clock
from freehold.core.crypto import Verifier
from freehold.core.db import reading, writing
from freehold.core.errors import BadSignature, Unavailable
from freehold.core.money import ZERO
from freehold.core.snapshot import read_snapshot
from freehold.ledger.journal import epoch_over
from freehold.policy import store
from freehold.policy.leases import Ask, Grant, Hello, Lease, Return
from freehold.policy.periods import period_start, resets_at
from freehold.policy.types import Budget, Policy

_LENGTH = struct.Struct("<I")
_MAX_MESSAGE = 64 << 10
_GRAIN = Decimal("0.000001")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Ask).decode


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a budget stands in its current period. Dollars; `resets_at` in Unix seconds."""

    budget: str
    period: str
    limit: Decimal
    spent: Decimal
    """By ended calls that are stored."""
    held: Decimal
    """Lent to gateways and not known to be spent."""
    available: Decimal
    resets_at: int


def available(limit: Decimal, held: store.Held) -> Decimal:
    """What may still be granted. An epoch that cost more than it held counts with what it cost."""
    live = sum((max(amount, held.settled[epoch]) for epoch, amount in held.granted.items()), ZERO)
    return limit - held.spent - live


def grant_size(need: Decimal, want: Decimal, left: Decimal) -> Decimal:
    """How much to lend: the need, or up to a quarter of what is left, so that no gateway starves the others.

    All or nothing towards `need`; what goes beyond it is in whole microdollars, so a budget does not end in dust.
    """
    if left <= 0 or need > left:
        return ZERO
    extra = min(want, left / 4).quantize(_GRAIN, ROUND_DOWN)
    return min(max(need, extra), left)


def standing(engine: Engine, budget: Budget, now: float) -> Standing:
    """How a budget stands; reads only, so any process may ask."""
    start = period_start(budget.period, now)
    with reading(engine) as connection:
        held = store.held(connection, budget.id, start)
    settled = held.spent + sum(held.settled.values(), ZERO)
    left = available(budget.limit, held)
    return Standing(
        budget=budget.id,
        period=budget.period,
        limit=budget.limit,
        spent=settled,
        held=budget.limit - left - settled,
        available=left,
        resets_at=resets_at(budget.period, now),
    )


class Ledger:
    """The authority's decisions, without the socket. One process only may hold one (the writer, which is alone)."""

    def __init__(self, home: Path, engine: Engine, verifier: Verifier, clock: Clock) -> None:
        self._home = home
        self._engine = engine
        self._verifier = verifier
        self._clock = clock
        self._stamp: tuple[int, int] | None = None
        self._budgets: dict[str, Budget] = {}

    def lease(self, epoch: str, ask: Lease) -> Grant:
        """Grant a slice, durably. Nothing for an unknown budget, a period that is over or an epoch that is."""
        self._refresh()
        budget = self._budgets.get(ask.budget)
        if budget is None:
            return Grant(ask.budget, ask.period_start, ZERO, ZERO, ZERO, 0)
        now = self._clock()
        ends = resets_at(budget.period, now)
        if ask.period_start != period_start(budget.period, now) or ask.need < 0 or not self._alive(epoch):
            return Grant(ask.budget, ask.period_start, ZERO, ZERO, budget.limit, ends)
        with writing(self._engine) as connection:
            held = store.held(connection, ask.budget, ask.period_start)
            left = available(budget.limit, held)
            amount = grant_size(ask.need, ask.want, left)
            if amount:
                total = held.granted.get(epoch, ZERO) + amount
                store.set_granted(connection, epoch, ask.budget, ask.period_start, total)
        return Grant(ask.budget, ask.period_start, amount, left - amount, budget.limit, ends)

    def give_back(self, epoch: str, given: Return) -> None:
        """Take unspent money back; never more than the epoch holds beyond what its calls cost."""
        with writing(self._engine) as connection:
            held = store.held(connection, given.budget, given.period_start)
            granted = held.granted.get(epoch)
            if granted is None or given.amount <= 0:
                return
            left = max(granted - given.amount, ZERO)
            store.set_granted(connection, epoch, given.budget, given.period_start, left)

    def _alive(self, epoch: str) -> bool:
        # A lease is swept when its epoch's folder is over, so one must never be made for an epoch without a folder.
        folder = self._home / "journal" / epoch
        safe = bool(epoch) and not epoch.startswith(".") and "/" not in epoch
        return safe and folder.is_dir() and not epoch_over(folder)

    def _refresh(self) -> None:
        folder = self._home / "snapshots"
        try:
            found = (folder / "policy.snapshot").stat()
            stamp = (found.st_mtime_ns, found.st_ino)
            if stamp != self._stamp:
                _, policy = read_snapshot(folder, "policy", Policy, self._verifier)
                self._budgets = {one.id: one for one in policy.budgets}
                self._stamp = stamp
        except FileNotFoundError:
            self._budgets, self._stamp = {}, None
        except BadSignature:
            pass  # the last policy that was signed stays in force


class Authority:
    """Serves `home/run/writer.sock`; a `Service` of the writer's process."""

    def __init__(self, home: Path, engine: Engine, verifier: Verifier, clock: Clock) -> None:
        self._path = home / "run" / "writer.sock"
        self._ledger = Ledger(home, engine, verifier, clock)

    async def serve(self) -> None:
        """Answer gateways until cancelled."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path.unlink(missing_ok=True)
        loop = asyncio.get_running_loop()
        lines: set[_Line] = set()
        before = os.umask(0o177)
        try:
            server = await loop.create_unix_server(lambda: _Line(self._ledger, lines), str(self._path))
        finally:
            os.umask(before)
        try:
            async with server:
                await server.serve_forever()
        finally:
            for line in list(lines):
                line.close()
            self._path.unlink(missing_ok=True)


class _Line(asyncio.Protocol):
    """One gateway's connection. Anything it should not say closes it."""

    def __init__(self, ledger: Ledger, lines: set[_Line]) -> None:
        self._ledger = ledger
        self._lines = lines
        self._buffer = b""
        self._epoch = ""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._lines.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lines.discard(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            while len(self._buffer) >= 4:
                length = _LENGTH.unpack_from(self._buffer)[0]
                if length > _MAX_MESSAGE:
                    self.close()
                    return
                if len(self._buffer) < 4 + length:
                    return
                message = _decode(self._buffer[4 : 4 + length])
                self._buffer = self._buffer[4 + length :]
                self._answer(message)
        except (msgspec.DecodeError, OperationalError, Unavailable):
            # Not answered is not granted: the gateway asks again on a new connection.
            self.close()

    def _answer(self, message: Ask) -> None:
        if isinstance(message, Hello):
            self._epoch = message.epoch
        elif isinstance(message, Return):
            self._ledger.give_back(self._epoch, message)
        elif self._transport is not None:
            data = _encode(self._ledger.lease(self._epoch, message))
            self._transport.write(_LENGTH.pack(len(data)) + data)
