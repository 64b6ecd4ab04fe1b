from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.policy.periods import NEVER, period_start, resets_at

MOMENTS = st.floats(0, 4_000_000_000, allow_nan=False)
PERIODS = ("hour", "day", "week", "month")


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("hour", "2026-11-22T13:00:00", "2026-11-22T14:00:00"),
        ("day", "2026-11-22T00:00:00", "2026-11-23T00:00:00"),
        ("week", "2026-11-16T00:00:00", "2026-11-23T00:00:00"),  # the 22nd is a Sunday
        ("month", "2026-11-01T00:00:00", "2026-12-01T00:00:00"),
    ],
)
def test_known_periods(period: str, start: str, end: str) -> None:
    now = utc("2026-11-22T13:22:40")
    assert (period_start(period, now), resets_at(period, now)) == (utc(start), utc(end))


@pytest.mark.parametrize(
    ("now", "start", "end"),
    [
        ("2026-12-31T23:59:59", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("2028-02-29T12:00:00", "2028-02-01T00:00:00", "2028-03-01T00:00:00"),
        ("2027-01-31T00:00:00", "2027-01-01T00:00:00", "2027-02-01T00:00:00"),
    ],
)
def test_months_of_any_length(now: str, start: str, end: str) -> None:
    assert (period_start("month", utc(now)), resets_at("month", utc(now))) == (utc(start), utc(end))


@given(MOMENTS, st.sampled_from(PERIODS))
def test_periods_follow_each_other_without_gap(now: float, period: str) -> None:
    start, end = period_start(period, now), resets_at(period, now)
    assert start <= now < end
    assert period_start(period, start) == start
    assert period_start(period, end - 1) == start
    assert period_start(period, end) == end


@given(MOMENTS)
def test_a_total_never_resets(now: float) -> None:
    assert (period_start("total", now), resets_at("total", now)) == (0, NEVER)
    assert datetime.fromtimestamp(NEVER, UTC).year == 9999


def test_other_names_are_refused() -> None:
    with pytest.raises(ValueError, match="no period"):
        period_start("year", 0.0)
