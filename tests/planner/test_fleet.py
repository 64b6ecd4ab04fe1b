from __future__ import annotations

import msgspec
import numpy as np
import pytest

from freehold.planner.course import Sampled, course
from freehold.planner.errors import PlanError
from freehold.planner.fleet import kept, smallest
from freehold.planner.scaling import away, spare_for
from freehold.planner.simulate import Tuning, simulate
from freehold.planner.traffic import Lengths, rates
from freehold.planner.types import Replicas, Slo
from tests.planner.queues import Machine, poisson

KINDS = ("static", "autoscaled", "hybrid")
BARE = Replicas(kind="static", least=1, most=200, spare=0, maintenance=0.0)


def chat(rate, seconds=200.0, seed=4):
    count = int(rate * seconds)
    random = np.random.default_rng(seed)
    made = poisson(rate, count, np.maximum(random.exponential(120.0, count), 1), seed)
    return msgspec.structs.replace(made, input=np.maximum(random.exponential(900.0, count), 1).astype(np.int64))


def day(rate, bins=144):
    """A day that is four times as busy at noon as at midnight."""
    shape = 1.0 - 0.6 * np.cos(2.0 * np.pi * np.arange(bins) / bins)
    values = np.quantile(np.random.default_rng(1).exponential(1.0, 4000), (np.arange(256) + 0.5) / 256)
    lengths = Lengths(
        np.zeros(1), np.maximum(900.0 * values, 1)[None].round(), np.maximum(120 * values, 1)[None].round()
    )
    return rates(rate * shape, 86400.0 / bins, lengths, "day")


@pytest.mark.parametrize("kind", KINDS)
def test_the_smallest_fleet_keeps_the_slo_and_accounts_for_every_call(kind):
    trace = chat(40.0)
    found = smallest(trace, Machine(), Slo(), kind)
    served = found.served
    assert found.meets and not found.why and kept(served) >= 0.99
    assert served.served + served.overflowed + served.unserved == trace.requests
    assert found.rule.kind == kind and served.peak_replicas <= found.rule.most


def test_one_replica_fewer_does_not_keep_it():
    trace = chat(60.0)
    found = smallest(trace, Machine(), Slo(), "static", rule=BARE)
    assert found.meets and found.rule.least > 1
    fewer = msgspec.structs.replace(found.rule, least=found.rule.least - 1, most=found.rule.least - 1)
    assert kept(simulate(trace, Machine(), Slo(), fewer)) < 0.99


def test_a_spare_replica_and_maintenance_come_on_top():
    trace = chat(60.0)
    bare = smallest(trace, Machine(), Slo(), "static", rule=BARE)
    whole = smallest(trace, Machine(), Slo(), "static")
    assert whole.served.peak_replicas >= bare.served.peak_replicas + 1


def test_more_traffic_never_needs_fewer_replicas():
    sizes = [smallest(chat(rate), Machine(), Slo(), "static").served.peak_replicas for rate in (5.0, 40.0, 80.0)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]


def test_an_autoscaled_fleet_of_a_day_is_paid_for_less_than_a_static_one():
    trace = day(100.0)
    static, scaled = (smallest(trace, Machine(), Slo(), kind) for kind in ("static", "autoscaled"))
    assert static.meets and scaled.meets
    assert static.served.replica_hours == pytest.approx(24.0 * static.served.peak_replicas)
    assert scaled.served.replica_hours < 0.95 * static.served.replica_hours
    assert len(scaled.served.timeline) <= 500


def test_following_never_costs_more_than_standing_by():
    bursts = poisson(60.0, 6000, np.full(6000, 60), seed=2)
    jumps = np.floor(bursts.t / 10.0) * 97.0 + bursts.t % 10.0  # ten busy seconds in every 97
    trace = msgspec.structs.replace(bursts, t=jumps, input=np.full(6000, 1500), span_seconds=float(jumps[-1]) + 1.0)
    static, scaled = (smallest(trace, Machine(), Slo(), kind) for kind in ("static", "autoscaled"))
    assert static.meets and scaled.meets
    assert scaled.served.replica_hours <= 1.02 * static.served.replica_hours


def test_sampled_minutes_tell_what_the_whole_trace_tells():
    trace = chat(45.0, seconds=600.0)
    whole, tuning = course(trace, Machine(), Slo()), Tuning()
    sampled = Sampled(trace, Machine(), Slo(), tuning, seed=0)
    for count in (1, 3, 5):
        rule = msgspec.structs.replace(BARE, least=count, most=count)
        all_, some = whole.served(rule, tuning), sampled.served(rule, tuning)
        assert some.requests == all_.requests and some.replica_hours == pytest.approx(all_.replica_hours, rel=0.06)
        assert kept(some) == pytest.approx(kept(all_), abs=0.12)  # a minute of ten
    busy, bare = whole.served(rule, tuning), sampled.served(rule, tuning)
    assert bare.utilisation == pytest.approx(busy.utilisation, abs=0.1)
    assert bare.tpot[0] == pytest.approx(busy.tpot[0], rel=0.1)


def test_a_model_that_does_not_fit_serves_nobody_and_says_so():
    for kind in KINDS:
        found = smallest(chat(5.0), Machine(kv_tokens=0), Slo(), kind)
        assert not found.meets and "does not fit" in found.why
        assert found.served.served == 0 and found.served.replica_hours == 0.0


def test_where_no_fleet_keeps_the_slo_it_says_what_binds_and_still_shows_one():
    found = smallest(chat(20.0), Machine(), Slo(ttft_seconds=0.02), "static")
    assert not found.meets and "do not help" in found.why and "first token" in found.why
    assert found.served.served > 0 and found.served.peak_replicas < 64


def test_fewer_replicas_allowed_than_needed_is_told():
    found = smallest(chat(120.0), Machine(), Slo(), "static", rule=msgspec.structs.replace(BARE, most=2))
    assert not found.meets and found.served.peak_replicas == 2 and "within the SLO" in found.why


@pytest.mark.parametrize("change", [{"least": 0}, {"least": 3, "most": 2}, {"maintenance": 1.0}, {"spare": -1}])
def test_limits_that_contradict_each_other_are_refused(change):
    with pytest.raises(PlanError) as caught:
        smallest(chat(1.0), Machine(), Slo(), "static", rule=msgspec.structs.replace(BARE, **change))
    assert caught.value.param == "replicas"


def test_the_same_search_gives_the_same_bytes():
    trace = day(20.0)
    first, second = (msgspec.json.encode(smallest(trace, Machine(), Slo(), "autoscaled")) for _ in range(2))
    assert first == second


def test_each_replica_is_away_for_its_share_of_the_time():
    times = np.linspace(0.0, 86400.0, 20_000, endpoint=False)
    for index in range(3):
        assert np.mean([away(index, 3, 0.05, 86400.0, now) for now in times]) == pytest.approx(0.05, abs=0.002)


def test_spares_grow_with_the_fleet_and_its_maintenance():
    assert spare_for(1, 0.0, 1) == 1
    assert spare_for(10, 0.01, 1) == 1
    assert spare_for(100, 0.05, 1) > 5
