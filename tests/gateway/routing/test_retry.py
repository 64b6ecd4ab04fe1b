"""The retry budget cannot be overdrawn, and a wait is never longer than a caller should be kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from freehold.gateway.routing.retry import BASE_SECONDS, FLOOR_PER_MINUTE, MAX_WAIT_SECONDS, RetryBudget, wait

STEPS = st.lists(st.tuples(st.floats(0, 20), st.integers(0, 60), st.integers(0, 20)), max_size=40)


@given(st.floats(0, 1), STEPS)
def test_retries_stay_within_share_and_floor(ratio: float, steps: list[tuple[float, int, int]]) -> None:
    budget, now, calls, retries = RetryBudget(ratio, 0.0), 0.0, 0, 0
    for pause, called, wanted in steps:
        now += pause
        for _ in range(called):
            budget.calls += 1
        calls += called
        retries += sum(budget.take(now) for _ in range(wanted))
        assert retries <= FLOOR_PER_MINUTE + now * FLOOR_PER_MINUTE / 60 + calls * ratio + 1e-6


def test_a_quiet_route_may_retry_again_after_a_while() -> None:
    budget = RetryBudget(0.1, 0.0)
    assert [budget.take(0.0) for _ in range(11)] == [True] * 10 + [False]
    assert not budget.take(5.0)
    assert budget.take(7.0)


def test_a_busy_route_earns_retries() -> None:
    budget = RetryBudget(0.1, 0.0)
    for _ in range(10):
        budget.take(0.0)
    for _ in range(21):
        budget.calls += 1
    assert [budget.take(0.0) for _ in range(3)] == [True, True, False]


@given(st.integers(2, 20), st.none() | st.floats(0, 100), st.floats(0, 1, exclude_max=True))
def test_the_wait_is_what_was_asked_or_grows_and_ends(number: int, asked: float | None, roll: float) -> None:
    found = wait(number, asked, roll)
    if asked is not None and asked > MAX_WAIT_SECONDS:
        assert found is None
    elif asked is not None:
        assert found is not None and asked <= found <= asked + BASE_SECONDS
    else:
        assert found is not None and 0 <= found <= min(BASE_SECONDS * 2.0 ** (number - 1), MAX_WAIT_SECONDS)
