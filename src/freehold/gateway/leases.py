"""The gateway's line to the budget authority: asks for slices ahead of need, and for calls that wait for one.

A call waits only where no slice covers it; it is refused when the authority says no, or does not answer in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Protocol, cast

import msgspec

from freehold.core.clock import at
from freehold.core.errors import BudgetExhausted, BudgetUnavailable, FreeholdError
from freehold.core.money import usd
from freehold.policy.budgets import Purse, Slice
from freehold.policy.leases import Ask, Grant, Hello, Lease
from freehold.policy.periods import period_start
from freehold.policy.types import Budget

WAIT_SECONDS = 2.0
"""Longest a call waits for the authority."""
PART = Decimal(50)
"""A slice is at least a fiftieth of its budget where there is that much."""
FIRST_PAUSE, LAST_PAUSE = 0.05, 0.5
"""Seconds between attempts to reach the authority."""
CALLS_AHEAD = Decimal(20)
_LENGTH = struct.Struct("<I")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Grant).decode


class Waiting(Protocol):
    """A call that waits for money."""

    deadline: float

    def granted(self, error: FreeholdError | None) -> None:
        """The answer is there."""


class LeaseClient(asyncio.Protocol):
    """One connection to the authority, remade when it breaks. `budgets` is replaced with each policy snapshot."""

    def __init__(self, purse: Purse, epoch: str, clock: Callable[[], float]) -> None:
        self.purse = purse
        self.budgets: dict[str, Budget] = {}
        self._epoch = epoch
        self._clock = clock
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._waiting: dict[str, list[tuple[Decimal, Waiting]]] = {}
        self._asked: dict[str, float] = {}
        self._needs: dict[str, Decimal] = {}

    @property
    def connected(self) -> bool:
        """Is the authority there?"""
        return self._transport is not None

    async def keep_connected(self, path: Path) -> None:
        """Connect to the socket at `path`, again and again; ends only by cancellation."""
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while True:
            if self._transport is None and self.budgets:
                with contextlib.suppress(OSError):
                    await loop.create_unix_connection(lambda: self, str(path))
            pause = FIRST_PAUSE if self._transport is not None else min(pause * 1.5, LAST_PAUSE)
            await asyncio.sleep(pause)

    # From the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who we are, and ask again for what calls wait for."""
        self._transport = cast(asyncio.Transport, transport)
        self._buffer = b""
        self._asked.clear()
        self._say(Hello(self._epoch))
        for budget in self.budgets:
            self._request(budget, max((amount for amount, _ in self._waiting.get(budget, ())), default=Decimal(0)))

    def connection_lost(self, exc: Exception | None) -> None:
        """The authority is away; slices in hand stay good."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Grants."""
        buffer = self._buffer + data
        while len(buffer) >= 4:
            length = _LENGTH.unpack_from(buffer)[0]
            if len(buffer) < 4 + length:
                break
            grant, buffer = _decode(buffer[4 : 4 + length]), buffer[4 + length :]
            self._granted(grant)
        self._buffer = buffer

    def _granted(self, grant: Grant) -> None:
        self._asked.pop(grant.budget, None)
        held = Slice(grant.budget, grant.period_start, grant.resets_at, grant.limit)
        self.purse.grant(held, grant.amount, exhausted=not grant.amount)
        waiting = self._waiting.pop(grant.budget, [])
        left = self.purse.slices[grant.budget].left
        for amount, call in waiting:
            if left >= amount:
                call.granted(None)
                left = self.purse.slices[grant.budget].left
            elif grant.amount:  # granted for somebody else's smaller need: ask for this one
                self.ask(grant.budget, amount, call)
            else:
                call.granted(self._exhausted(grant, amount))

    def _exhausted(self, grant: Grant, amount: Decimal) -> BudgetExhausted:
        return BudgetExhausted(
            f"the budget {grant.budget} of {usd(grant.limit)} has {usd(max(grant.remaining, Decimal(0)))} left, "
            f"this call may cost up to {usd(amount)}; it resets at {at(grant.resets_at):%Y-%m-%d %H:%M} UTC",
            param=grant.budget,
            reset_at=at(grant.resets_at),
            retry_after=max(grant.resets_at - self._clock(), 1.0),
        )

    # For the plane

    def ask(self, budget: str, amount: Decimal, call: Waiting) -> None:
        """Ask for at least `amount` more; `call.granted` follows, at once where the budget does not exist."""
        if budget not in self.budgets:
            call.granted(BudgetUnavailable(f"the budget {budget} is drawn on but not declared", param=budget))
            return
        self._waiting.setdefault(budget, []).append((amount, call))
        call.deadline = self._clock() + WAIT_SECONDS
        held = self.purse.slices.get(budget)
        self._request(budget, amount - held.left if held is not None and held.left > 0 else amount)

    def forget(self, call: Waiting) -> None:
        """The call no longer waits."""
        for waiting in self._waiting.values():
            waiting[:] = [one for one in waiting if one[1] is not call]

    def top_up(self) -> None:
        """Ask ahead for slices that run low or whose period has ended; called by the plane's sweep."""
        now = self._clock()
        for budget, rule in self.budgets.items():
            held = self.purse.slices.get(budget)
            if held is None or now >= held.resets_at or (not held.exhausted and held.left < self._want(rule) / 2):
                self._request(budget, Decimal(0))

    def _want(self, rule: Budget) -> Decimal:
        return max(rule.limit / PART, self._needs.get(rule.id, Decimal(0)) * CALLS_AHEAD)

    def _request(self, budget: str, need: Decimal) -> None:
        rule = self.budgets[budget]
        if need > self._needs.get(budget, Decimal(0)):
            self._needs[budget] = need
        now = self._clock()
        if self._transport is None or (not need and 0.0 <= now - self._asked.get(budget, -9.0) < 1.0):
            return
        self._asked[budget] = now
        self._say(Lease(budget, period_start(rule.period, now), need, max(self._want(rule), need)))

    def _say(self, message: Ask) -> None:
        data = _encode(message)
        assert self._transport is not None
        self._transport.write(_LENGTH.pack(len(data)) + data)
