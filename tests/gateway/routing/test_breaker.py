"""The breaker: opens on what fails, lets one probe through after its rest, and never stays shut for good."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from freehold.gateway.routing.breaker import IN_A_ROW, MAX_REST_SECONDS, REST_SECONDS, Breaker


def test_opens_after_failures_in_a_row_and_probes_once_after_the_rest() -> None:
    breaker = Breaker()
    for _ in range(IN_A_ROW - 1):
        breaker.failed(0.0)
    assert breaker.allows(0.0)
    breaker.failed(0.0)
    assert not breaker.allows(REST_SECONDS - 0.01) and breaker.reason == "failing"
    assert breaker.allows(REST_SECONDS)
    breaker.begin(REST_SECONDS)
    assert not breaker.allows(REST_SECONDS)  # one probe at a time
    breaker.succeeded()
    assert breaker.allows(REST_SECONDS) and not breaker.reason


def test_a_failed_probe_rests_twice_as_long_up_to_a_minute() -> None:
    breaker, now, rests = Breaker(), 0.0, []
    for _ in range(IN_A_ROW):
        breaker.failed(now)
    for _ in range(6):
        rests.append(breaker.until - now)
        now = breaker.until
        breaker.begin(now)
        breaker.failed(now)
    assert rests == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]


def test_half_of_the_last_twenty_opens_it_even_with_successes_between() -> None:
    breaker = Breaker()
    for _ in range(9):
        breaker.failed(0.0)
        breaker.succeeded()
    assert breaker.allows(0.0)
    breaker.failed(0.0)
    assert not breaker.allows(0.0)


def test_old_failures_are_forgotten() -> None:
    breaker = Breaker()
    for _ in range(200):
        breaker.failed(0.0)
        for _ in range(3):
            breaker.succeeded()
        assert breaker.allows(0.0)


def test_a_probe_whose_caller_hung_up_lets_another_one_try() -> None:
    breaker = Breaker()
    for _ in range(IN_A_ROW):
        breaker.failed(0.0)
    breaker.begin(10.0)
    breaker.released()
    assert breaker.allows(10.0)


def test_a_target_that_asks_for_a_pause_gets_it_without_counting_as_broken() -> None:
    breaker = Breaker()
    breaker.rest(0.0, 3.0)
    assert not breaker.allows(2.9) and breaker.allows(3.0)
    breaker.begin(3.0)
    assert breaker.allows(3.0)  # no probe: it is not broken
    breaker.rest(3.0, 1e9)
    assert breaker.until == 3.0 + MAX_REST_SECONDS


class BreakerMachine(RuleBasedStateMachine):
    """Calls begin (even while open, where nothing else is left), and each ends in one way."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = 0.0
        self.calls = 0
        self.probes = 0

    @rule(seconds=st.floats(0, 90))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def begin(self) -> None:
        self.breaker.begin(self.now)
        self.calls += 1

    @precondition(lambda self: self.calls)
    @rule(how=st.sampled_from(["ok", "failed", "rest", "released"]), asked=st.floats(0, 500))
    def end(self, how: str, asked: float) -> None:
        self.calls -= 1
        if how == "ok":
            self.breaker.succeeded()
            assert self.breaker.allows(self.now)
        elif how == "failed":
            self.breaker.failed(self.now)
        elif how == "rest":
            self.breaker.rest(self.now, asked)
        else:
            self.breaker.released()

    @invariant()
    def no_rest_is_longer_than_the_longest(self) -> None:
        assert self.breaker.until <= self.now + MAX_REST_SECONDS

    @invariant()
    def with_nothing_under_way_it_opens_again_in_time(self) -> None:
        if not self.calls:
            assert self.breaker.allows(self.now + MAX_REST_SECONDS)


BreakerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestBreaker = BreakerMachine.TestCase


def test_calls_under_way_when_it_opens_do_not_lengthen_the_rest() -> None:
    breaker = Breaker()
    for _ in range(20):
        breaker.failed(100.0)
    assert breaker.until == 100.0 + REST_SECONDS
    breaker.begin(breaker.until)
    breaker.failed(breaker.until)
    assert breaker.until == 100.0 + REST_SECONDS + 2 * REST_SECONDS
