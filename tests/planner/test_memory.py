"""What fits: a table of public models with outcomes that are known from practice, and the laws behind it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.planner.errors import PlanError
from freehold.planner.estimate import placed, replica, smallest
from freehold.planner.gpus import gpu, gpus
from freehold.planner.memory import Layout, Serving, copies, formats, rank_weights, room, weight_bytes
from freehold.planner.shapes import shape

KNOWN = (
    ("SmolLM2-135M", "bf16", "T4", 1, True),
    ("Llama-3.1-8B", "bf16", "T4", 1, False),
    ("Llama-3.1-8B", "int4", "T4", 1, True),
    ("Llama-3.1-8B", "Q4_K_M", "T4", 1, True),
    ("Llama-3.1-8B", "bf16", "L4", 1, True),
    ("Llama-3.1-8B", "bf16", "A10G", 1, True),
    ("Llama-3.1-8B", "bf16", "RTX-4090", 1, True),
    ("Llama-2-13B", "bf16", "RTX-4090", 1, False),
    ("Llama-2-13B", "bf16", "A100-40GB", 1, True),
    ("Phi-4", "bf16", "L4", 1, False),
    ("Phi-4", "bf16", "L40S", 1, True),
    ("Gemma-3-27B", "bf16", "A100-40GB", 1, False),
    ("Gemma-3-27B", "bf16", "H100", 1, True),
    ("Gemma-3-27B", "int4", "RTX-4090", 1, True),
    ("Llama-3.3-70B", "bf16", "H100", 1, False),
    ("Llama-3.3-70B", "bf16", "H100", 2, True),
    ("Llama-3.3-70B", "bf16", "MI300X", 1, True),
    ("Llama-3.3-70B", "fp8", "H200", 1, True),
    ("Llama-3.3-70B", "fp8", "L40S", 1, False),
    ("Llama-3.3-70B", "fp4", "B200", 1, True),
    ("Llama-3.3-70B", "int4", "A100-80GB", 1, True),
    ("Llama-3.3-70B", "int4", "RTX-4090", 1, False),
    ("Llama-3.3-70B", "int4", "RTX-4090", 2, True),
    ("Llama-3.3-70B", "Q4_K_M", "RTX-4090", 1, False),
    ("Llama-3.3-70B", "Q2_K", "RTX-4090", 1, False),
    ("Qwen2.5-72B", "bf16", "A100-80GB", 1, False),
    ("Qwen2.5-72B", "bf16", "A100-80GB", 4, True),
    ("Mixtral-8x7B", "bf16", "A100-80GB", 1, False),
    ("Mixtral-8x7B", "bf16", "A100-80GB", 2, True),
    ("Mixtral-8x7B", "int4", "L4", 1, False),
    ("Mixtral-8x22B", "bf16", "H100", 2, False),
    ("Mixtral-8x22B", "bf16", "H100", 8, True),
    ("DBRX", "bf16", "A100-80GB", 2, False),
    ("DBRX", "bf16", "A100-80GB", 4, True),
    ("Command-R-Plus", "bf16", "A100-80GB", 2, False),
    ("Command-R-Plus", "bf16", "A100-80GB", 4, True),
    ("Mistral-Large-2", "bf16", "H100", 2, False),
    ("Mistral-Large-2", "bf16", "H100", 4, True),
    ("Falcon-180B", "bf16", "A100-40GB", 8, False),
    ("Falcon-180B", "bf16", "A100-80GB", 8, True),
    ("Llama-4-Scout-17B-16E", "int4", "H100", 1, True),
    ("Llama-4-Scout-17B-16E", "bf16", "H100", 2, False),
    ("Llama-4-Scout-17B-16E", "bf16", "H100", 4, True),
    ("Llama-4-Maverick-17B-128E", "fp8", "H100", 4, False),
    ("Llama-4-Maverick-17B-128E", "fp8", "H100", 8, True),
    ("gpt-oss-120b", "fp4", "H100", 1, True),
    ("gpt-oss-120b", "fp4", "L40S", 1, False),
    ("gpt-oss-20b", "fp4", "RTX-4090", 1, True),
    ("Qwen3-235B-A22B", "bf16", "H100", 4, False),
    ("Qwen3-235B-A22B", "bf16", "H100", 8, True),
    ("Qwen3-235B-A22B", "fp8", "H100", 2, False),
    ("Qwen3-235B-A22B", "fp8", "H100", 4, True),
    ("Llama-3.1-405B", "bf16", "H100", 8, False),
    ("Llama-3.1-405B", "bf16", "H100", 16, True),
    ("Llama-3.1-405B", "bf16", "H200", 8, True),
    ("Llama-3.1-405B", "fp8", "H100", 4, False),
    ("Llama-3.1-405B", "fp8", "H100", 8, True),
    ("Llama-3.1-405B", "int4", "H100", 4, True),
    ("DeepSeek-R1", "bf16", "H200", 8, False),
    ("DeepSeek-R1", "fp8", "H100", 8, False),
    ("DeepSeek-R1", "fp8", "H20", 8, True),
    ("DeepSeek-R1", "fp8", "H200", 8, True),
    ("DeepSeek-R1", "fp8", "MI300X", 8, True),
    ("DeepSeek-R1", "fp4", "B200", 2, False),
    ("DeepSeek-R1", "fp4", "B200", 8, True),
    ("Kimi-K2", "fp8", "H100", 8, False),
    ("Kimi-K2", "fp8", "B200", 8, True),
)


@pytest.mark.parametrize(("model", "precision", "card", "count", "fits"), KNOWN)
def test_what_is_known_to_fit_fits_and_what_does_not_does_not(model, precision, card, count, fits):
    found = room(placed(shape(model), gpu(card), count, precision))
    assert found.fits is fits, found
    assert bool(found.kv_tokens) is fits


@pytest.mark.parametrize(
    ("model", "precision", "gigabytes"),
    [
        ("Llama-3.1-8B", "bf16", 16.06),
        ("Llama-3.1-8B", "Q4_K_M", 4.92),
        ("Llama-3.1-8B", "Q8_0", 8.54),
        ("gpt-oss-120b", "fp4", 65.2),
        ("DeepSeek-R1", "fp8", 688.6),
        ("Llama-3.1-405B", "bf16", 811.7),
        ("Llama-3.3-70B", "int4", 39.8),
    ],
)
def test_weights_are_as_large_as_the_published_files(model, precision, gigabytes):
    assert weight_bytes(shape(model), precision) / 1e9 == pytest.approx(gigabytes, rel=0.07)


@pytest.mark.parametrize(
    ("model", "each"),
    [
        ("Llama-2-7B", 2 * 32 * 32 * 128 * 2),  # every head has its own
        ("Llama-3.1-70B", 2 * 80 * 8 * 128 * 2),  # groups share
        ("Falcon-7B", 2 * 32 * 1 * 64 * 2),  # all share one
        ("DeepSeek-R1", 61 * 576 * 2),  # one latent vector
        ("Qwen3-Next-80B-A3B", 2 * 12 * 2 * 256 * 2),  # every fourth layer
        ("gpt-oss-120b", 2 * 18 * 8 * 64 * 2),  # every second layer has a window
    ],
)
def test_the_cache_of_a_token_follows_the_kind_of_attention(model, each):
    assert shape(model).kv_bytes_per_token == each


def test_heads_cannot_be_split_further_so_tensor_parallelism_keeps_copies():
    assert copies(shape("Llama-3.1-70B"), Layout(tensor=8)) == 1.0
    assert copies(shape("Qwen2.5-7B"), Layout(tensor=8)) == 2.0
    assert copies(shape("DeepSeek-R1"), Layout(tensor=8)) == 8.0
    assert copies(shape("DeepSeek-R1"), Layout(data=8)) == 1.0
    tensor, data = (
        room(Serving(shape("DeepSeek-R1"), gpu("H200"), one, "fp8")).kv_tokens
        for one in (Layout(tensor=8), Layout(data=8))
    )
    assert data > 2 * tensor


def test_windows_hold_less_the_longer_the_sequences():
    gemma = shape("Gemma-3-27B")
    whole = replica(gemma, gpu("H100"), 1, "bf16").kv_tokens
    plain = gemma.kv_bytes_per_token + gemma.kv_window_bytes_per_token
    assert whole > 1.5 * 18e9 / plain


def test_a_narrower_cache_holds_twice_the_tokens():
    wide, narrow = (replica(shape("Llama-3.1-8B"), gpu("H100"), 1, "fp8", one).kv_tokens for one in ("bf16", "fp8"))
    assert narrow == pytest.approx(2 * wide, rel=0.01)


def test_the_fewest_accelerators_are_found_and_none_where_none_do():
    assert smallest(shape("Llama-3.3-70B"), gpu("H100"), "bf16") == 2
    assert smallest(shape("Llama-3.1-405B"), gpu("T4"), "bf16") == 0


def test_what_does_not_fit_says_how_much_it_needs():
    found = replica(shape("Llama-3.3-70B"), gpu("H100"), 1, "bf16")
    assert found.kv_tokens == 0
    assert "GiB" in found.why


@settings(max_examples=60, deadline=None)
@given(
    model=st.sampled_from(("Llama-3.1-8B", "Mixtral-8x7B", "DeepSeek-R1", "gpt-oss-120b", "Qwen3-Next-80B-A3B")),
    card=st.sampled_from([one.name for one in gpus()]),
    precision=st.sampled_from([one.name for one in formats()]),
    count=st.sampled_from((1, 2, 4, 8, 16)),
)
def test_nothing_ever_lies_beyond_the_memory(model, card, precision, count):
    one = placed(shape(model), gpu(card), count, precision)
    found = room(one)
    assert rank_weights(one) * one.layout.gpus >= weight_bytes(one.shape, precision) * 0.99
    if found.fits:
        assert found.weights + found.overhead < found.memory
        assert found.kv_tokens >= 1024 or found.kv_tokens >= one.shape.context


@pytest.mark.parametrize("bad", [{"gpus": 0}, {"precision": "fp3"}, {"kv_precision": "int2"}, {"gpus": 100_000}])
def test_what_makes_no_sense_is_named(bad):
    asked = {"gpus": 1, "precision": "bf16", "kv_precision": "bf16", **bad}
    with pytest.raises(PlanError) as caught:
        replica(shape("Llama-3.1-8B"), gpu("H100"), asked["gpus"], asked["precision"], asked["kv_precision"])
    assert caught.value.param == next(iter(bad))
