from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.ledger.records import percentile, seconds_of, step_of
from tests.postgres import EACH_DATABASE

pytestmark = EACH_DATABASE


@given(st.floats(0.0001, 100_000))
def test_a_step_is_within_three_percent_of_its_time(seconds: float) -> None:
    assert seconds_of(step_of(seconds)) == pytest.approx(seconds, rel=0.03)


@given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=50), st.sampled_from([0.5, 0.95, 1.0]))
def test_percentiles_are_those_of_the_times(times: list[float], share: float) -> None:
    steps: dict[int, int] = {}
    for one in times:
        steps[step_of(one)] = steps.get(step_of(one), 0) + 1
    expected = sorted(times)[math.ceil(len(times) * share) - 1]
    assert percentile(steps, share) == pytest.approx(expected, rel=0.03)


def test_times_out_of_bounds_have_a_step_too() -> None:
    assert step_of(0.0) == step_of(-1.0) == 0
    assert step_of(1e300) < 32768
    assert percentile({}, 0.5) == 0.0
