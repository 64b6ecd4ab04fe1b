"""Re-quantised files keep every key and every number."""

from __future__ import annotations

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind

from freehold.serving.quantise import to_q8_0

KEYS = {"tokenizer.ggml.tokens": ["a", "b", "ü"], "llama.block_count": 2, "general.name": "tiny", "llama.eps": 1e-5}


@pytest.fixture
def source(tmp_path):
    values = np.random.default_rng(1).normal(size=(8, 64)).astype(np.float32)
    path = tmp_path / "source.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_file_type(3)
    writer.add_array("tokenizer.ggml.tokens", KEYS["tokenizer.ggml.tokens"])
    writer.add_uint32("llama.block_count", 2)
    writer.add_string("general.name", "tiny")
    writer.add_float32("llama.eps", 1e-5)
    for kind in (Kind.Q4_1, Kind.Q5_0, Kind.Q8_0):
        writer.add_tensor(kind.name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.add_tensor("norm", values[0])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_matrices_become_q8_0_and_lose_next_to_nothing(source, tmp_path):
    seen = []
    to_q8_0(source, tmp_path / "out.gguf", seen.append)
    before = {one.name: one for one in gguf.GGUFReader(source).tensors}
    after = {one.name: one for one in gguf.GGUFReader(tmp_path / "out.gguf").tensors}
    assert {name: one.tensor_type for name, one in after.items()} == {
        "Q4_1": Kind.Q8_0,
        "Q5_0": Kind.Q8_0,
        "Q8_0": Kind.Q8_0,
        "norm": Kind.F32,
    }
    for name, one in after.items():
        old = gguf.quants.dequantize(before[name].data, before[name].tensor_type)
        new = gguf.quants.dequantize(one.data, one.tensor_type)
        assert np.abs(old - new).max() <= np.abs(old).max() / 127
    assert (after["Q8_0"].data == before["Q8_0"].data).all()
    assert seen == [0.25, 0.5, 0.75, 1.0]


def test_keys_stay(source, tmp_path):
    to_q8_0(source, tmp_path / "out.gguf")
    fields = gguf.GGUFReader(tmp_path / "out.gguf").fields
    for key, value in KEYS.items():
        assert fields[key].contents() == (pytest.approx(value) if isinstance(value, float) else value)
    assert fields["general.file_type"].contents() == 7


def test_the_same_source_gives_the_same_bytes(source, tmp_path):
    for name in ("one", "other"):
        to_q8_0(source, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
