"""Steps and steady states: what physics says must hold, whatever the constants."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.planner.estimate import placed, replica
from freehold.planner.gpus import gpu
from freehold.planner.memory import Layout, Serving, room, weight_bytes
from freehold.planner.regimes import Load, largest, reached, steady
from freehold.planner.roofline import Constants, Roofline, peak
from freehold.planner.shapes import shape

MODELS = ("Llama-3.1-8B", "Mixtral-8x7B", "DeepSeek-R1", "gpt-oss-120b", "Qwen3.5-397B-A17B")


def roofline(model="Llama-3.1-8B", card="H100", count=1, precision="bf16", constants=None):
    return Roofline(placed(shape(model), gpu(card), count, precision), constants or Constants())


def test_one_sequence_cannot_be_faster_than_reading_the_weights():
    for model, count in (("Llama-3.1-8B", 1), ("Llama-3.1-70B", 4)):
        one = placed(shape(model), gpu("H100"), count, "bf16")
        read = (weight_bytes(one.shape, "bf16") - one.shape.embedding) / count / gpu("H100").bandwidth
        assert Roofline(one, Constants()).step(0, 1, 500) > read


def test_a_long_prompt_cannot_be_faster_than_its_multiplications():
    least = 2.0 * 8.03e9 * 8192 / gpu("H100").flops["bf16"]
    assert roofline().step(8192, 0, 0) > least


def test_an_empty_step_takes_no_time():
    assert roofline().step(0, 0, 0) == 0.0


@settings(max_examples=120, deadline=None)
@given(
    model=st.sampled_from(MODELS),
    card=st.sampled_from(("H100", "MI300X", "RTX-PRO-6000-SE", "B200")),
    count=st.sampled_from((1, 2, 8)),
    sizes=st.tuples(st.integers(0, 16384), st.integers(1, 2048), st.integers(0, 10**6)),
    more=st.sampled_from(("prefill", "decoding", "context")),
)
def test_more_work_never_takes_less_time(model, card, count, sizes, more):
    one = roofline(model, card, count, "fp8")
    work = dict(zip(("prefill", "decoding", "context"), sizes, strict=True))
    before = one.step(**work)
    after = one.step(**{**work, more: work[more] * 2 + 1})
    assert 0.0 < before <= after * (1 + 1e-9) or one.one.layout.pipeline > 1


def test_a_mixture_reads_no_more_than_all_its_experts_and_few_for_few_tokens():
    one = roofline("Mixtral-8x7B", "H100", 2)
    few, many, all_of_it = one.weights_read(1), one.weights_read(64), one.weights_read(10**6)
    assert few < 0.45 * all_of_it
    assert few < many <= all_of_it


def test_arithmetic_falls_back_to_the_next_wider_that_the_card_has():
    plain = Constants(compute_fp8=1.0, compute_fp4=1.0)
    assert peak(gpu("A100"), "fp8", plain) == gpu("A100").flops["bf16"]
    assert peak(gpu("H100"), "fp4", plain) == gpu("H100").flops["fp8"]
    assert peak(gpu("B200"), "fp4", plain) == gpu("B200").flops["fp4"]


def test_a_replica_is_what_the_simulator_runs_on():
    one = replica(shape("Llama-3.1-8B"), gpu("H100"), 1, "bf16")
    assert (one.gpus, one.max_batch) == (1, 2048)
    assert one.kv_tokens > 300_000
    assert one.step_seconds(0, 8, 8000) < one.step_seconds(2048, 8, 8000)
    assert 0.004 < one.step_seconds(0, 1, 1000) < 0.02


def test_probed_speed_scales_every_step():
    slow = roofline(constants=Constants(speed=0.5))
    assert slow.step(100, 10, 5000) == pytest.approx(2 * roofline().step(100, 10, 5000))


def at(concurrency=0.0, regime="closed_loop", **more):
    one = placed(shape("Llama-3.1-8B"), gpu("H100"), 1, "bf16")
    load = Load(regime=regime, input_tokens=1024, output_tokens=256, concurrency=concurrency, **more)
    return reached(Roofline(one, Constants()), room(one), load)


def test_more_at_once_gives_more_in_all_and_less_to_each():
    points = [at(size) for size in (1, 4, 16, 64, 256)]
    rates = [one.output_tokens_per_second for one in points]
    assert rates == sorted(rates)
    each = [one.tpot_seconds for one in points]
    assert each == sorted(each)
    assert at(regime="offline_max").output_tokens_per_second >= rates[-1]


def test_what_waits_for_memory_waits_before_its_first_token():
    queued, running = at(4096.0), at(100.0)
    assert queued.sequences < 1000
    assert queued.ttft_seconds > 10 * running.ttft_seconds


def test_tighter_limits_leave_less():
    free = at(regime="offline_max").output_tokens_per_second
    rates = [
        at(regime="server_slo", ttft_limit=2.0, tpot_limit=limit).output_tokens_per_second
        for limit in (0.2, 0.05, 0.02)
    ]
    assert free > rates[0] >= rates[1] > rates[2]


def test_a_static_batch_pays_its_prompts_first():
    found = at(32.0, regime="static_batch")
    assert found.ttft_seconds > at(32.0).ttft_seconds
    assert found.sequences == 32


def test_nothing_is_reached_where_nothing_fits():
    one = placed(shape("Llama-3.1-70B"), gpu("L4"), 1, "bf16")
    assert reached(Roofline(one, Constants()), room(one), Load()) is None
    small = placed(shape("Llama-3.1-8B"), gpu("L4"), 1, "bf16")
    assert reached(Roofline(small, Constants()), room(small), Load(input_tokens=500_000)) is None


def test_the_largest_that_keeps_a_limit_is_found():
    assert largest(lambda size: size < 37.0, 1000.0) == pytest.approx(37.0, rel=0.01)
    assert largest(lambda size: size < 37.0, 20.0) == 20.0
    assert largest(lambda size: False, 20.0) == 0.0


def test_slow_links_cost_tensor_parallelism_more():
    fast, slow = gpu("H100"), msgspec.structs.replace(gpu("H100"), link_bandwidth=0.0)
    steps = [
        Roofline(Serving(shape("Llama-3.1-70B"), card, Layout(tensor=8), "bf16"), Constants()).step(4096, 0, 0)
        for card in (fast, slow)
    ]
    assert steps[1] > 1.3 * steps[0]


def test_a_steady_state_serves_prompts_as_often_as_answers():
    one = roofline()
    found = steady(one, Load(input_tokens=100_000, output_tokens=10), 64.0)
    prompts = found.output_tokens_per_second / 10 * 100_000
    assert prompts < 1.05 * 8192 / one.step(8192, 0, 0, 50_000)


def test_a_pipeline_reads_its_weights_for_each_of_its_batches():
    """Eight stages hold an eighth each, but one sequence goes through them in turn."""
    model, card = shape("Llama-3.1-70B"), gpu("RTX-PRO-6000-SE")
    alone, piped, tensor = (
        Roofline(Serving(model, card, one, "fp8"), Constants()).step(0, 1, 1000)
        for one in (Layout(), Layout(pipeline=8), Layout(tensor=8))
    )
    assert piped >= 0.99 * alone > 1.5 * tensor
