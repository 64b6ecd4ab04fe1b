"""A gateway's side of money budgets: slices it was granted, reserved from and settled to without waiting.

The sum of all slices never exceeds the budget (the authority's promise), and reservations never exceed the slice,
so the limit holds whatever the gateways do.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from freehold.core.money import ZERO


class Slice:
    """What this process may still spend of one budget in one period. Dollars."""

    __slots__ = ("budget", "exhausted", "left", "limit", "period_start", "resets_at", "spoken")

    def __init__(self, budget: str, period_start: int, resets_at: float, limit: Decimal) -> None:
        self.budget = budget
        self.period_start = period_start
        self.resets_at = resets_at
        self.limit = limit
        self.left = ZERO
        self.spoken = f"{budget}@{period_start}"
        self.exhausted = False
        """True where the authority granted less than was needed: the budget's end is near."""


class Reservation(msgspec.Struct):
    """Money set aside for one call. Settled once; settling again does nothing."""

    amount: Decimal
    slices: tuple[Slice, ...]
    settled: bool = False


class Shortage(msgspec.Struct, frozen=True):
    """This budget's slice does not cover the amount."""

    budget: str
    amount: Decimal


NOTHING = Reservation(ZERO, (), True)


class Purse:
    """The slices of one process by budget id."""

    def __init__(self) -> None:
        self.slices: dict[str, Slice] = {}

    def grant(self, slice_: Slice, amount: Decimal, *, exhausted: bool) -> None:
        """Add what the authority granted; a later period replaces an earlier one."""
        held = self.slices.get(slice_.budget)
        if held is None or held.period_start < slice_.period_start:
            self.slices[slice_.budget] = held = slice_
        if held.period_start == slice_.period_start:
            held.left += amount
            held.limit = slice_.limit
            held.exhausted = exhausted

    def reserve(self, budgets: Iterable[str], amount: Decimal, now: float) -> Reservation | Shortage:
        """Set `amount` aside in every budget, or in none."""
        if not amount:
            return NOTHING
        drawn: list[Slice] = []
        for budget in dict.fromkeys(budgets):  # one named twice is drawn on once
            held = self.slices.get(budget)
            if held is None or held.left < amount or now >= held.resets_at:
                return Shortage(budget, amount)
            drawn.append(held)
        for held in drawn:
            held.left -= amount
        return Reservation(amount, tuple(drawn))

    def widen(self, reservation: Reservation, amount: Decimal) -> bool:
        """Raise a reservation to `amount`; False (and nothing changed) where a slice does not cover it."""
        more = amount - reservation.amount
        if more <= 0 or not reservation.slices:
            return True
        if any(held.left < more for held in reservation.slices):
            return False
        for held in reservation.slices:
            held.left -= more
        reservation.amount = amount
        return True

    @staticmethod
    def settle(reservation: Reservation, spent: Decimal) -> None:
        """Give back what was not spent, once. Spending beyond the reservation is taken from the slice as well."""
        if reservation.settled:
            return
        reservation.settled = True
        back = reservation.amount - spent
        if back:
            for held in reservation.slices:
                held.left += back
