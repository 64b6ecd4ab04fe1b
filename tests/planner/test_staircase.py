"""Traffic at other volumes, and the fleets for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.planner.simulating import Site, fleets
from freehold.planner.staircase import VOLUMES, scaled
from freehold.planner.traffic import Columns, arrivals
from freehold.planner.types import Fleet, Replicas, Served, Slo


def trace(count=200):
    t = [float(one) * 3 for one in range(count)]
    return arrivals(Columns(t=t, input=[100 + one for one in range(count)], output=[10] * count), "made")


@given(st.floats(0.05, 5.0))
def test_another_volume_keeps_hours_and_lengths(volume):
    before, after = trace(), scaled(trace(), volume)
    assert after.span_seconds == before.span_seconds
    assert after.requests == pytest.approx(volume * before.requests, rel=0.05, abs=2)
    assert np.all(np.diff(after.t) >= 0)
    assert after.input.mean() == pytest.approx(before.input.mean(), rel=0.1)


@given(st.floats(0.05, 5.0), st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_no_call_of_another_volume_comes_after_the_end(volume, times):
    """Few calls have wide gaps, and copies are laid a part of a gap later."""
    before = arrivals(Columns(t=times, input=[9] * len(times), output=[9] * len(times)), "made", span_seconds=1e6 + 1)
    after = scaled(before, volume)
    assert after.t[0] >= 0.0
    assert after.t[-1] < after.span_seconds
    assert np.all(np.diff(after.t) >= 0)


class Machine:
    gpus, kv_tokens, max_batch = 2, 1000, 8

    def step_seconds(self, prefill_tokens, decoding, context_tokens):
        return 0.01


class Foretold:
    """A pool that knows the answers: a replica for each fifty calls."""

    def __init__(self, meets):
        self.meets = meets

    def map(self, function, chunks, tick):
        for one in chunks:
            tick()
            yield self.fleet(scaled(one.site.trace, one.volume), one.kind)

    def fleet(self, found, kind):
        size = max(found.requests // 50, 1)
        served = Served(
            requests=found.requests,
            served=found.requests,
            overflowed=0,
            unserved=0,
            ttft=(0.1, 0.2, 0.3),
            tpot=(0.01, 0.02, 0.03),
            attained=1.0,
            replica_hours=size * found.span_seconds / 3600,
            peak_replicas=size,
            utilisation=0.5,
            input_tokens=found.input_tokens,
            output_tokens=found.output_tokens,
            overflow_input_tokens=0,
            overflow_output_tokens=0,
            span_seconds=found.span_seconds,
        )
        return Fleet(
            rule=Replicas(kind=kind),
            served=served,
            gpus_per_replica=2,
            meets=self.meets,
            why="" if self.meets else "no",
        )


def stairs(told=lambda _done, _words: None, **more):
    (found,) = fleets([Site("a", trace(), Machine())], Slo(), Foretold(**more), told).stairs
    return found


def test_each_volume_is_simulated_and_hours_are_of_a_month():
    found, *others = stairs(meets=True)
    assert [[each.volume for each in one.stairs] for one in others] == [list(VOLUMES[one.kind]) for one in others]
    assert [one.volume for one in found.stairs] == list(VOLUMES["static"])
    replicas = [one.replicas for one in found.stairs]
    assert replicas == sorted(replicas)
    assert all(one.hours == pytest.approx(one.replicas * 730.5) for one in found.stairs)


def test_what_does_not_do_now_is_not_tried_at_other_volumes():
    for found in stairs(meets=False):
        assert [(one.volume, one.meets, one.why) for one in found.stairs] == [(1.0, False, "no")]


def test_how_far_it_is_only_rises():
    told = []
    stairs(lambda done, words: told.append((done, words)), meets=True)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert 0.0 <= told[0][0] < told[-1][0] < 1.0
    assert told[-1][1] == "hybrid fleet"
