from __future__ import annotations

import msgspec
import numpy as np
import pytest

from freehold.planner.errors import PlanError
from freehold.planner.fleet import smallest
from freehold.planner.packing import Sharing, Slice, Tenant, merged, packed
from freehold.planner.types import Replicas, Slo
from tests.planner.queues import Machine, poisson

RULE = Replicas(kind="static", least=1, most=50, spare=0, maintenance=0.0)


def tenant(name, rate, base="llama", **more):
    count = int(rate * 120.0)
    trace = poisson(rate, count, np.full(count, 60), seed=len(name))
    trace = msgspec.structs.replace(trace, input=np.full(count, 500), span_seconds=130.0)
    return Tenant(name=name, trace=trace, speed=Machine(), base=base, **more)


def ways(*tenants, slo=None):
    slo = slo or Slo()
    alone = {one.name: smallest(one.trace, one.speed, slo, "static", rule=RULE) for one in tenants}
    return {way: packed(way, tenants, alone, slo, ("static", RULE)) for way in ("apart", "adapters", "together")}


def test_small_workflows_of_one_base_share_a_replica():
    found = ways(tenant("a", 2.0, adapter_tokens=500), tenant("bb", 3.0, adapter_tokens=500))
    assert found["apart"].gpu_hours == pytest.approx(2.0 * found["adapters"].gpu_hours)
    assert all(one.meets for one in found.values())
    shared = found["adapters"].fleets["a + bb"].served
    assert shared.requests == shared.served == int(2.0 * 120) + int(3.0 * 120)


def test_models_of_different_bases_share_a_machine_but_not_a_replica():
    found = ways(tenant("a", 1.0, weight_tokens=100_000), tenant("bb", 2.0, base="qwen", weight_tokens=100_000))
    assert found["adapters"].gpu_hours == found["apart"].gpu_hours
    assert found["together"].gpu_hours == pytest.approx(found["apart"].gpu_hours / 2.0)
    assert list(found["together"].fleets) == ["bb + a"]


def test_models_that_do_not_fit_beside_each_other_stay_apart():
    found = ways(tenant("a", 1.0, weight_tokens=500_000), tenant("bb", 2.0, base="qwen", weight_tokens=500_000))
    assert found["together"].gpu_hours == found["apart"].gpu_hours


def test_a_tight_slo_keeps_models_apart():
    slo = Slo(ttft_seconds=0.5, tpot_seconds=0.008)
    found = ways(tenant("a", 1.0, weight_tokens=1000), tenant("bb", 1.0, base="qwen", weight_tokens=1000), slo=slo)
    assert found["together"].gpu_hours == found["apart"].gpu_hours


def test_sharing_costs_time_and_room():
    machine = Machine()
    sharing, part = Sharing(machine, 3, 5000), Slice(machine, 0.25, 1000)
    assert sharing.step_seconds(0, 4, 100) == pytest.approx(machine.step_seconds(0, 4, 100) + 0.002)
    assert sharing.kv_tokens == machine.kv_tokens - 5000
    assert part.step_seconds(0, 4, 100) == pytest.approx(4.0 * machine.step_seconds(0, 4, 100))


def test_merging_keeps_every_call_in_order_of_time():
    one, two = tenant("a", 2.0), tenant("bb", 3.0)
    found = merged([one.trace, two.trace], ["a", "bb"])
    assert (np.diff(found.t) >= 0.0).all()
    assert found.of("a").t.tolist() == one.trace.t.tolist() and found.of("bb").input_tokens == two.trace.input_tokens


def test_packing_needs_workflows_with_names_of_their_own():
    for tenants in ((), (tenant("a", 1.0), tenant("a", 1.0))):
        with pytest.raises(PlanError):
            packed("apart", tenants, {}, Slo())
