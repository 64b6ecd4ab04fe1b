"""Buckets: no more than a minute's worth at once, no more than the rate in the long run, and the wait told is true."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from freehold.policy.limits import Bucket

STEPS = st.lists(st.tuples(st.floats(0, 30), st.integers(1, 40)), max_size=60)


@given(st.integers(1, 100), STEPS)
def test_what_is_let_through_stays_within_burst_and_rate(per_minute: int, steps: list[tuple[float, int]]) -> None:
    bucket, now, taken = Bucket(per_minute, 0.0), 0.0, 0
    for pause, amount in steps:
        now += pause
        full = bucket.level + (now - bucket.at) * bucket.rate >= per_minute
        if not bucket.take(amount, now):
            taken += amount
            # A full bucket lets a call larger than itself pass; it is paid back before anything else passes.
            assert taken <= per_minute + now * bucket.rate + (amount if full else 0) + 1e-6


@given(st.integers(1, 600), st.integers(1, 50), STEPS)
def test_after_the_wait_it_told_it_lets_through(per_minute: int, amount: int, steps: list[tuple[float, int]]) -> None:
    bucket, now = Bucket(per_minute, 0.0), 0.0
    for pause, some in steps:
        now += pause
        bucket.take(some, now)
    level = bucket.level
    wait = bucket.take(amount, now)
    if wait:
        assert bucket.level >= level  # nothing was taken
        assert bucket.take(amount, now + wait + 1e-6) == 0.0


@given(st.integers(1, 100), st.lists(st.floats(-50, 50), max_size=20))
def test_corrections_never_fill_it_above_its_brim(per_minute: int, amounts: list[float]) -> None:
    bucket = Bucket(per_minute, 0.0)
    for amount in amounts:
        bucket.correct(amount)
        assert bucket.level <= per_minute
        limit, remaining, resets_in = bucket.state()
        assert limit == per_minute and 0 <= remaining <= per_minute
        assert resets_in >= 0


def test_it_refills_evenly() -> None:
    bucket = Bucket(60, 0.0)
    assert all(bucket.take(1, 0.0) == 0.0 for _ in range(60))
    assert bucket.take(1, 0.0) == 1.0
    assert bucket.take(1, 1.0) == 0.0
    assert bucket.take(2, 2.0) == 1.0
