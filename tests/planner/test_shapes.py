"""Shapes: public names, config.json of many families, headers of safetensors and GGUF, and files that are none."""

from __future__ import annotations

import contextlib
import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.planner.errors import UnknownGpu, UnknownShape
from freehold.planner.facts import rows
from freehold.planner.gpus import gpu, gpus
from freehold.planner.shape_files import from_config, safetensors
from freehold.planner.shapes import bare, named, shape

LLAMA = {
    "model_type": "llama",
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
}
MIXTRAL = {**LLAMA, "model_type": "mixtral", "vocab_size": 32000, "num_local_experts": 8, "num_experts_per_tok": 2}
DEEPSEEK = {
    "model_type": "deepseek_v3",
    "num_hidden_layers": 61,
    "hidden_size": 7168,
    "intermediate_size": 18432,
    "moe_intermediate_size": 2048,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "vocab_size": 129280,
    "kv_lora_rank": 512,
    "q_lora_rank": 1536,
    "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 128,
    "v_head_dim": 128,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "first_k_dense_replace": 3,
    "quantization_config": {"quant_method": "fp8"},
}
GPT_OSS = {
    "model_type": "gpt_oss",
    "num_hidden_layers": 36,
    "hidden_size": 2880,
    "intermediate_size": 2880,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "vocab_size": 201088,
    "num_local_experts": 128,
    "num_experts_per_tok": 4,
    "sliding_window": 128,
    "layer_types": ["sliding_attention", "full_attention"] * 18,
    "quantization_config": {"quant_method": "mxfp4"},
}
QWEN_NEXT = {
    "model_type": "qwen3_next",
    "num_hidden_layers": 48,
    "hidden_size": 2048,
    "intermediate_size": 5120,
    "moe_intermediate_size": 512,
    "shared_expert_intermediate_size": 512,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "head_dim": 256,
    "vocab_size": 151936,
    "num_experts": 512,
    "num_experts_per_tok": 10,
    "full_attention_interval": 4,
    "linear_num_value_heads": 32,
    "linear_key_head_dim": 128,
    "linear_value_head_dim": 128,
}
GEMMA = {
    "text_config": {
        "model_type": "gemma3_text",
        "num_hidden_layers": 62,
        "hidden_size": 5376,
        "intermediate_size": 21504,
        "num_attention_heads": 32,
        "num_key_value_heads": 16,
        "head_dim": 128,
        "vocab_size": 262208,
        "sliding_window": 1024,
        "sliding_window_pattern": 6,
        "tie_word_embeddings": True,
    }
}
QWEN = {
    **LLAMA,
    "model_type": "qwen2",
    "num_hidden_layers": 28,
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "sliding_window": 131072,
    "use_sliding_window": False,
}


def file(folder, config):
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path


@pytest.mark.parametrize(
    ("config", "public", "near"),
    [
        (LLAMA, "Llama-3.1-8B", 0.01),
        (MIXTRAL, "Mixtral-8x7B", 0.01),
        (DEEPSEEK, "DeepSeek-R1", 0.02),
        (GPT_OSS, "gpt-oss-120b", 0.02),
        (QWEN_NEXT, "Qwen3-Next-80B-A3B", 0.03),
        (GEMMA, "Gemma-3-27B", 0.03),
        (QWEN, "Qwen2.5-7B", 0.01),
    ],
)
def test_a_config_says_what_the_table_says_of_the_same_model(tmp_path, config, public, near):
    read, known = shape(file(tmp_path, config)), named(public)
    assert read.parameters == pytest.approx(known.parameters, rel=near)
    assert read.active == pytest.approx(known.active, rel=0.25)
    assert read.kv_bytes_per_token == known.kv_bytes_per_token
    assert read.kv_window_bytes_per_token == known.kv_window_bytes_per_token
    assert (read.window, read.latent, read.experts, read.experts_per_token, read.native) == (
        known.window,
        known.latent,
        known.experts,
        known.experts_per_token,
        known.native,
    )
    assert read.expert_parameters == pytest.approx(known.expert_parameters, rel=0.02)
    assert read.attention_flops == known.attention_flops
    assert bool(read.state_bytes) is bool(known.state_bytes)


@pytest.mark.parametrize(
    ("spelt", "name"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "Llama-3.1-8B"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct-FP8", "Llama-3.1-8B"),
        ("RedHatAI/Llama-3.3-70B-Instruct-quantized-w8a8", "Llama-3.1-70B"),
        ("deepseek-ai/DeepSeek-R1-0528", "DeepSeek-V3"),
        ("openai/gpt-oss-120b", "gpt-oss-120b"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", "Qwen3-30B-A3B"),
        ("llama2-70b-chat-hf", "Llama-2-70B"),
    ],
)
def test_names_are_found_however_variants_are_called(spelt, name):
    assert named(spelt).name == name


@pytest.mark.parametrize("name", ["nothing", "", "Llama-3.1-9B"])
def test_an_unknown_name_is_refused_and_near_ones_are_told(name):
    with pytest.raises(UnknownShape) as caught:
        shape(name or "/nowhere/at/all")
    assert name != "Llama-3.1-9B" or "Llama-3.1-8B" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"num_hidden_layers": None}, "num_hidden_layers"),
        ({"num_hidden_layers": 0}, "num_hidden_layers"),
        ({"hidden_size": -4096}, "hidden_size"),
        ({"num_attention_heads": "many"}, "num_attention_heads"),
        ({"vocab_size": True}, "vocab_size"),
        ({"hidden_size": 1e99}, "hidden_size"),
    ],
)
def test_a_wrong_field_is_named_with_its_file(tmp_path, change, field):
    config = {name: value for name, value in {**LLAMA, **change}.items() if value is not None}
    with pytest.raises(UnknownShape) as caught:
        shape(file(tmp_path, config))
    assert caught.value.param == field
    assert "config.json" in caught.value.message


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', "[" * 100_000])
def test_what_is_no_config_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UnknownShape):
        shape(tmp_path)


def tensors(path, **sizes):
    header, place = {"__metadata__": {"format": "pt"}}, 0
    for name, (dtype, sides, width) in sizes.items():
        length = width
        for side in sides:
            length *= side
        header[name] = {"dtype": dtype, "shape": list(sides), "data_offsets": [place, place + int(length)]}
        place += int(length)
    told = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(told)) + told + bytes(place))
    return path


def test_weights_beside_a_config_count_to_the_byte(tmp_path):
    small = {**LLAMA, "num_hidden_layers": 1, "hidden_size": 64, "intermediate_size": 128, "vocab_size": 100}
    small |= {"num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": True}
    file(tmp_path, small)
    tensors(tmp_path / "model.safetensors", a=("BF16", (100, 64), 2), b=("F32", (64, 480), 4))
    found = shape(tmp_path)
    assert found.weight_bytes == 100 * 64 * 2 + 64 * 480 * 4
    assert shape(tmp_path / "model.safetensors").weight_bytes == found.weight_bytes


@pytest.mark.parametrize("raw", [b"", b"\x00" * 8, struct.pack("<Q", 2**60), struct.pack("<Q", 2) + b"[]"])
def test_what_is_no_safetensors_file_is_refused(tmp_path, raw):
    path = tmp_path / "model.safetensors"
    path.write_bytes(raw)
    with pytest.raises(UnknownShape):
        safetensors([path])


def test_a_tensor_that_lies_about_its_length_is_refused(tmp_path):
    path = tensors(tmp_path / "model.safetensors", a=("BF16", (8, 8), 2))
    path.write_bytes(path.read_bytes().replace(b'"shape": [8, 8]', b'"shape": [9, 8]'))
    with pytest.raises(UnknownShape, match="as long as"):
        safetensors([path])


@pytest.fixture
def gguf_model(tmp_path):
    gguf = pytest.importorskip("gguf")
    import numpy as np

    path = tmp_path / "small.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("small")
    writer.add_block_count(2)
    writer.add_embedding_length(256)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_context_length(512)
    writer.add_tensor("token_embd.weight", np.zeros((32, 256), dtype=np.float16))
    quantised = np.zeros((256, 144), dtype=np.uint8)
    writer.add_tensor("blk.0.ffn_up.weight", quantised, raw_dtype=gguf.GGMLQuantizationType.Q4_K)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_gguf_file_counts_each_tensor_by_its_own_type(gguf_model):
    found = shape(gguf_model)
    assert found.weight_bytes == 32 * 256 * 2 + 256 * 144
    assert found.parameters == 32 * 256 + 256 * 256
    assert found.kv_bytes_per_token == 2 * 2 * (64 + 64) * 2
    assert (found.native, found.context, found.layers) == ("Q4_K_M", 512, 2)


@settings(max_examples=80, deadline=None)
@given(cut=st.integers(0, 2000), place=st.integers(0, 2000), byte=st.integers(0, 255))
def test_a_damaged_gguf_file_is_refused_or_read_and_never_worse(tmp_path_factory, gguf_bytes, cut, place, byte):
    raw = bytearray(gguf_bytes[: max(len(gguf_bytes) - cut, 0)])
    if place < len(raw):
        raw[place] = byte
    path = tmp_path_factory.mktemp("damaged") / "model.gguf"
    path.write_bytes(raw)
    with contextlib.suppress(UnknownShape):
        assert shape(path).layers >= 1


@pytest.fixture(scope="module")
def gguf_bytes():
    text = lambda value: struct.pack("<Q", len(value)) + value.encode()  # noqa: E731
    number = lambda name, value: text(name) + struct.pack("<II", 4, value)  # noqa: E731
    fields = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        number("llama.block_count", 2),
        number("llama.embedding_length", 64),
        number("llama.attention.head_count", 4),
        text("tokenizer.scores") + struct.pack("<IIQ", 9, 6, 3) + struct.pack("<3f", 1, 2, 3),
    ]
    tensor = text("token_embd.weight") + struct.pack("<IQQIQ", 2, 64, 10, 1, 0)
    return b"GGUF" + struct.pack("<IQQ", 3, 1, len(fields)) + b"".join(fields) + tensor + bytes(64)


def test_sizes_alone_give_a_shape_that_adds_up():
    dense, mixed = bare("x", 8e9, 8e9), bare("y", 100e9, 10e9)
    assert 24 <= dense.layers <= 40
    assert not dense.experts
    assert mixed.expert_parameters < mixed.parameters


def test_the_hardware_book_has_the_range_that_is_promised():
    names = {one.name for one in gpus()}
    assert names >= {"T4", "L4", "A10G", "L40S", "A100-80GB", "H100", "H200", "B200", "B300", "GB200", "GB300"}
    assert names >= {"RTX-PRO-6000-SE", "MI300X", "MI325X", "MI355X"}
    for one in gpus():
        assert one.source and one.as_of
        assert 10e9 < one.memory_bytes < 400e9
        assert 30 < one.flops["bf16"] / one.bandwidth < 700


@pytest.mark.parametrize(
    ("spelt", "name"),
    [
        ("h100-sxm", "H100"),
        ("H100 80GB HBM3", "H100"),
        ("NVIDIA A100", "A100-80GB"),
        ("A100-SXM4-40GB", "A100-40GB"),
        ("A100 80G PCIe", "A100-PCIE-80GB"),
        ("AMD Instinct MI300X", "MI300X"),
        ("NVIDIA GeForce RTX 4090", "RTX-4090"),
    ],
)
def test_accelerators_are_found_however_they_are_spelt(spelt, name):
    assert gpu(spelt).name == name


def test_no_name_leads_to_two_accelerators():
    for one in gpus():
        assert gpu(one.name) == one
    spelt = [name for row in rows("gpus") for name in (row["name"], *row["aliases"].split("|")) if name]
    assert all(gpu(name).name for name in spelt)


def test_an_unknown_accelerator_is_refused_and_near_ones_are_told():
    with pytest.raises(UnknownGpu) as caught:
        gpu("H10")
    assert "H100" in caught.value.message
    assert caught.value.param == "gpu"


def test_a_config_without_anything_is_no_model(tmp_path):
    with pytest.raises(UnknownShape) as caught:
        from_config({}, tmp_path / "config.json")
    assert caught.value.param == "num_hidden_layers"


def test_a_file_that_is_no_model_says_what_one_is(tmp_path):
    (tmp_path / "passwd").write_text("root:x:0:0")
    with pytest.raises(UnknownShape, match=r"no config\.json, \.gguf or \.safetensors"):
        shape(str(tmp_path / "passwd"))
