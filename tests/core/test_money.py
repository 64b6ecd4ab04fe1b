from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.core.money import from_pico, to_pico, usd


@given(st.integers(-(2**63), 2**63 - 1))
def test_picodollars_come_back_exactly(amount: int) -> None:
    assert to_pico(from_pico(amount)) == amount


@given(st.decimals(-9_000_000, 9_000_000, places=12))
def test_dollars_to_twelve_places_come_back_exactly(amount: Decimal) -> None:
    assert from_pico(to_pico(amount)) == amount


def test_beyond_that_the_nearest_even() -> None:
    assert [to_pico(Decimal(f"{n}.5e-12")) for n in range(4)] == [0, 2, 2, 4]


@pytest.mark.parametrize(
    ("amount", "text"), [("0", "$0"), ("1234.5", "$1,234.50"), ("0.0000123", "$0.000012"), ("0.25", "$0.25")]
)
def test_for_people(amount: str, text: str) -> None:
    assert usd(Decimal(amount)) == text
