from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.planner.simulate import Tuning, run, simulate
from freehold.planner.traffic import Blocks
from freehold.planner.types import Replicas, Slo
from tests.planner.queues import STEP, Clockwork, Machine, erlang_c, fleet_of, poisson

ALONE = Replicas(kind="static", least=1, most=1, maintenance=0.0)
LOOSE = Slo(ttft_seconds=1e9, tpot_seconds=1e9)


def waits(trace, speed):
    """Seconds from arrival to the beginning of the first step."""
    return run(trace, speed, LOOSE, ALONE, Tuning()).ttft - STEP


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_one_server_with_constant_service_waits_as_pollaczek_and_khinchine_say(load):
    service = 2.0
    trace = poisson(load / service, 120_000, np.full(120_000, service / STEP), seed=3)
    expected = load * service / (2.0 * (1.0 - load))
    assert waits(trace, Clockwork()).mean() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.5), (4, 0.7)])
def test_many_servers_with_random_service_wait_as_erlang_says(servers, load):
    mean, count = 3.0, 250_000
    random = np.random.default_rng(2)
    outputs = np.maximum(np.round(random.exponential(mean / STEP, count)), 1)
    rate = servers * load / mean
    found = waits(poisson(rate, count, outputs, seed=8), Clockwork(max_batch=servers))
    waiting = erlang_c(servers, servers * load)
    assert found.mean() == pytest.approx(waiting * mean / (servers * (1.0 - load)), rel=0.02)
    assert (found > 1.5 * STEP).mean() == pytest.approx(waiting, rel=0.02)


requests = st.integers(1, 60).flatmap(
    lambda count: st.fixed_dictionaries(
        {
            "t": st.lists(st.floats(0.0, 30.0), min_size=count, max_size=count),
            "input": st.lists(st.integers(0, 3000), min_size=count, max_size=count),
            "output": st.lists(st.integers(0, 400), min_size=count, max_size=count),
        }
    )
)


@settings(max_examples=80, deadline=None)
@given(
    trace=requests,
    kind=st.sampled_from(["static", "autoscaled", "hybrid"]),
    replicas=st.integers(1, 4),
    kv=st.integers(500, 6000),
    batch=st.integers(1, 8),
)
def test_every_arrival_is_served_overflowed_or_unserved_exactly_once(trace, kind, replicas, kv, batch):
    arrivals = fleet_of(trace, 31.0)
    least = 1 if kind == "autoscaled" else replicas
    rule = Replicas(kind=kind, least=least, most=replicas, lag_seconds=10.0, maintenance=0.1)
    speed = Machine(kv_tokens=kv, max_batch=batch)
    found = simulate(arrivals, speed, Slo(ttft_seconds=0.5, tpot_seconds=0.05), rule)
    assert found.served + found.overflowed + found.unserved == found.requests == arrivals.requests
    too_long = int((arrivals.input + np.maximum(arrivals.output, 1) > kv).sum())
    assert found.unserved == (0 if kind == "hybrid" else too_long)
    assert found.overflowed == 0 or kind == "hybrid"
    assert 0 <= found.overflow_input_tokens <= found.input_tokens == arrivals.input_tokens
    assert 0.0 <= found.utilisation <= 1.0


@settings(max_examples=40, deadline=None)
@given(trace=requests, kv=st.integers(3500, 6000), batch=st.integers(1, 8))
def test_nobody_is_answered_faster_than_alone(trace, kv, batch):
    arrivals, speed = fleet_of(trace, 31.0), Machine(kv_tokens=kv, max_batch=batch)
    found = run(arrivals, speed, LOOSE, ALONE, Tuning(chunk=512))
    least = speed.weights + speed.per_token * np.maximum(np.minimum(arrivals.input, 512), 1)
    assert (found.ttft >= least - 1e-9).all()
    several = arrivals.output > 1
    assert (found.tpot[several] >= speed.weights).all()


@settings(max_examples=30, deadline=None)
@given(trace=requests)
def test_the_clock_and_the_busy_time_agree(trace):
    arrivals = fleet_of(trace, 31.0)
    found = run(arrivals, Clockwork(max_batch=4), LOOSE, ALONE, Tuning())
    steps = found.busy / STEP
    tokens = int(np.maximum(arrivals.output, 1).sum())
    assert tokens / 4 - 1e-6 <= steps <= tokens + int(np.ceil(arrivals.input / 2048 + 1).sum())


def test_the_same_inputs_give_the_same_bytes():
    trace = poisson(5.0, 500, np.full(500, 50), seed=1)
    rule = Replicas(kind="autoscaled", least=1, most=4)
    first, second = (msgspec.json.encode(simulate(trace, Machine(), Slo(), rule)) for _ in range(2))
    assert first == second


def test_a_full_cache_sends_the_last_one_back_and_still_answers_all():
    trace = fleet_of({"t": [0.0] * 10, "input": [100] * 10, "output": [500] * 10}, 100.0)
    found = run(trace, Machine(kv_tokens=2000, max_batch=10), LOOSE, ALONE, Tuning())
    assert found.preempted > 0
    assert not np.isnan(found.ttft).any()


def test_a_known_prefix_is_not_computed_again():
    trace = fleet_of({"t": [0.0, 50.0], "input": [4096, 4096], "output": [1, 1]}, 60.0)
    blocks = Blocks(np.array([0, 8, 16]), np.array([*range(8), *range(8)]))
    cold = run(trace, Machine(), LOOSE, ALONE, Tuning()).ttft
    warm = run(msgspec.structs.replace(trace, blocks=blocks), Machine(), LOOSE, ALONE, Tuning()).ttft
    assert warm[0] == pytest.approx(cold[0])
    assert warm[1] < cold[1] / 5


def test_an_autoscaler_follows_the_load_after_its_lag_and_is_paid_from_the_wish():
    quiet, busy = np.arange(0.0, 600.0, 2.0), np.arange(600.0, 1800.0, 0.02)
    t = [*quiet.tolist(), *busy.tolist()]
    trace = fleet_of({"t": t, "input": [1000] * len(t), "output": [50] * len(t)}, 1800.0)
    rule = Replicas(kind="autoscaled", least=1, most=8, lag_seconds=120.0, spare=0, maintenance=0.0)
    found = simulate(trace, Machine(), Slo(), rule, Tuning(per_replica=0.5))
    sizes = {at: size for at, size, _, _ in found.timeline}
    assert sizes[540.0] == 1 and sizes[1740.0] > 1
    assert found.peak_replicas * 0.3 < found.replica_hours / 0.5 < found.peak_replicas
    late = msgspec.structs.replace(rule, lag_seconds=900.0)
    assert simulate(trace, Machine(), Slo(), late, Tuning(per_replica=0.5)).attained < found.attained


def test_a_hybrid_keeps_what_it_can_and_sends_the_rest_away():
    trace = poisson(60.0, 4000, np.full(4000, 100), seed=5)
    trace = msgspec.structs.replace(trace, input=np.full(4000, 2000))
    slo = Slo(ttft_seconds=1.0, tpot_seconds=0.1)
    static = simulate(trace, Machine(), slo, ALONE)
    hybrid = simulate(trace, Machine(), slo, msgspec.structs.replace(ALONE, kind="hybrid"), Tuning(admit=0.7))
    assert static.attained < 0.5
    assert hybrid.overflowed > 0 and hybrid.attained > 0.95


def test_progress_goes_from_nothing_to_all():
    told: list[float] = []
    trace = poisson(50.0, 5000, np.full(5000, 5), seed=1)
    simulate(trace, Machine(), Slo(), ALONE, progress=told.append)
    assert told[0] == 0.0 and told[-1] == 1.0 and told == sorted(told)
