"""The purse: under any order of grants, reservations and settlements no more is spent than was granted."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from freehold.policy.budgets import NOTHING, Purse, Reservation, Shortage, Slice

BUDGETS = ("key/a", "team/b", "route/c")
MONEY = st.decimals("0", "5", places=3)
NOW, END = 10.0, 100.0


class PurseMachine(RuleBasedStateMachine):
    """Spending stays within each reservation, as the call machine's bound promises."""

    def __init__(self) -> None:
        super().__init__()
        self.purse = Purse()
        self.granted = dict.fromkeys(BUDGETS, Decimal(0))
        self.spent = dict.fromkeys(BUDGETS, Decimal(0))
        self.open: list[Reservation] = []
        self.settled: list[Reservation] = []

    @rule(budget=st.sampled_from(BUDGETS), amount=MONEY)
    def grant(self, budget: str, amount: Decimal) -> None:
        self.purse.grant(Slice(budget, 0, END, Decimal(100)), amount, exhausted=not amount)
        self.granted[budget] += amount

    @rule(budgets=st.lists(st.sampled_from(BUDGETS), min_size=1, max_size=4), amount=MONEY)
    def reserve(self, budgets: list[str], amount: Decimal) -> None:
        before = {name: held.left for name, held in self.purse.slices.items()}
        found = self.purse.reserve(budgets, amount, NOW)
        if isinstance(found, Shortage):
            assert {name: held.left for name, held in self.purse.slices.items()} == before
            assert self.purse.slices.get(found.budget) is None or self.purse.slices[found.budget].left < amount
        elif amount:
            assert {one.budget for one in found.slices} == set(budgets)
            self.open.append(found)
        else:
            assert found is NOTHING

    @precondition(lambda self: self.open)
    @rule(data=st.data(), amount=MONEY)
    def widen(self, data, amount: Decimal) -> None:
        reservation = data.draw(st.sampled_from(self.open))
        before = reservation.amount
        if self.purse.widen(reservation, amount):
            assert reservation.amount == max(before, amount)
        else:
            assert reservation.amount == before
            assert any(held.left < amount - before for held in reservation.slices)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), share=st.decimals("0", "1", places=2))
    def settle(self, data, share: Decimal) -> None:
        reservation = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        spent = reservation.amount * share
        self.purse.settle(reservation, spent)
        for held in reservation.slices:
            self.spent[held.budget] += spent
        self.settled.append(reservation)

    @precondition(lambda self: self.settled)
    @rule(data=st.data(), amount=MONEY)
    def settle_again(self, data, amount: Decimal) -> None:
        before = {name: held.left for name, held in self.purse.slices.items()}
        self.purse.settle(data.draw(st.sampled_from(self.settled)), amount)
        self.purse.settle(NOTHING, amount)
        assert {name: held.left for name, held in self.purse.slices.items()} == before

    @invariant()
    def every_dollar_is_somewhere(self) -> None:
        for name, held in self.purse.slices.items():
            reserved = sum((one.amount for one in self.open if any(s.budget == name for s in one.slices)), Decimal(0))
            assert held.left + reserved + self.spent[name] == self.granted[name]
            assert held.left >= 0
            assert reserved + self.spent[name] <= self.granted[name]


PurseMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40)
TestPurse = PurseMachine.TestCase


@given(MONEY, MONEY, MONEY)
def test_spending_beyond_the_reservation_comes_out_of_the_slice(
    granted: Decimal, amount: Decimal, spent: Decimal
) -> None:
    purse = Purse()
    purse.grant(Slice("b", 0, END, Decimal(9)), granted, exhausted=False)
    found = purse.reserve(("b",), amount, NOW)
    if isinstance(found, Reservation) and found is not NOTHING:
        purse.settle(found, spent)
        assert purse.slices["b"].left == granted - spent


def test_a_slice_of_a_period_that_ended_is_not_spent() -> None:
    purse = Purse()
    purse.grant(Slice("b", 0, END, Decimal(9)), Decimal(5), exhausted=False)
    assert isinstance(purse.reserve(("b",), Decimal(1), END), Shortage)
    purse.grant(Slice("b", 1, END * 2, Decimal(9)), Decimal(2), exhausted=False)
    assert purse.slices["b"].left == 2  # nothing of the old period is carried over
    purse.grant(Slice("b", 0, END, Decimal(9)), Decimal(7), exhausted=False)
    assert purse.slices["b"].left == 2  # nor does a late grant of it count


def test_a_reservation_of_the_old_period_gives_back_to_the_old_period() -> None:
    purse = Purse()
    purse.grant(Slice("b", 0, END, Decimal(9)), Decimal(5), exhausted=False)
    found = purse.reserve(("b",), Decimal(3), NOW)
    assert isinstance(found, Reservation)
    purse.grant(Slice("b", 1, END * 2, Decimal(9)), Decimal(2), exhausted=False)
    purse.settle(found, Decimal(1))
    assert purse.slices["b"].left == 2
