"""A merged model keeps what was trained, or is not made."""

from __future__ import annotations

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind

from freehold.core.errors import BadArtefact
from freehold.serving import adapter_gguf
from freehold.serving.adapter_gguf import Adapter, Pair
from freehold.serving.merge import LEAST_KEPT, PRECISIONS, Tally, merge

NAME = "blk.0.ffn_up.weight"


@pytest.fixture
def values():
    return np.random.default_rng(1).normal(size=(64, 128)).astype(np.float32)


def base(path, values, kind):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_file_type(0)
    writer.add_string("general.name", "tiny")
    writer.add_tensor(NAME, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.add_tensor("blk.0.ffn_down.weight", values)
    writer.add_tensor("blk.0.ffn_norm.weight", values[0])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def adapter(path, size, name=NAME):
    random = np.random.default_rng(2)
    a, b = (random.normal(size=shape).astype(np.float32) * np.float32(size) for shape in ((4, 128), (64, 4)))
    made = Adapter("llama", 4.0, {name: Pair(a, b)})
    adapter_gguf.write(made, path)
    return made


def matrix(path, name=NAME):
    one = next(one for one in gguf.GGUFReader(path).tensors if one.name == name)
    return gguf.quants.dequantize(one.data, one.tensor_type), one.tensor_type


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_change_that_is_large_enough_is_in_every_precision(tmp_path, values, precision):
    base(tmp_path / "base.gguf", values, Kind.F32)
    made = adapter(tmp_path / "adapter.gguf", 0.5)
    kept = merge(tmp_path / "base.gguf", tmp_path / "adapter.gguf", tmp_path / "out.gguf", precision)
    assert kept.whole >= LEAST_KEPT
    after, kind = matrix(tmp_path / "out.gguf")
    assert kind.name == precision
    wanted = values + made.delta(NAME)
    error = {"F16": 1e-3, "Q8_0": 0.02, "Q4_0": 0.2}[precision]
    assert np.abs(after - wanted).max() < error * np.abs(wanted).max()
    fields = gguf.GGUFReader(tmp_path / "out.gguf").fields
    assert fields["general.name"].contents() == "tiny"
    assert fields["general.file_type"].contents() == {"F16": 1, "Q8_0": 7, "Q4_0": 2}[precision]
    norm, kind = matrix(tmp_path / "out.gguf", "blk.0.ffn_norm.weight")
    assert kind == Kind.F32
    assert (norm == values[0]).all()


def test_a_change_lost_on_the_bases_own_grid_is_refused_and_no_file_is_left(tmp_path, values):
    base(tmp_path / "base.gguf", values, Kind.Q4_0)
    adapter(tmp_path / "adapter.gguf", 0.03)
    with pytest.raises(BadArtefact, match="of what was trained"):
        merge(tmp_path / "base.gguf", tmp_path / "adapter.gguf", tmp_path / "out.gguf", "Q4_0")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["adapter.gguf", "base.gguf"]
    kept = merge(tmp_path / "base.gguf", tmp_path / "adapter.gguf", tmp_path / "out.gguf", "F16")
    assert kept.whole == pytest.approx(1, abs=0.02)


def test_an_adapter_of_another_base_is_refused(tmp_path, values):
    base(tmp_path / "base.gguf", values, Kind.F32)
    adapter(tmp_path / "adapter.gguf", 0.5, "blk.7.ffn_up.weight")
    with pytest.raises(BadArtefact, match="another base"):
        merge(tmp_path / "base.gguf", tmp_path / "adapter.gguf", tmp_path / "out.gguf", "F16")


def test_the_tally_weighs_matrices_by_their_change_and_names_the_worst():
    tally = Tally()
    zero, one = np.zeros((2, 2)), np.ones((2, 2))
    tally.add("all", zero, 3 * one, 3 * one)
    tally.add("none", zero, zero, one)
    tally.add("untouched", zero, zero, zero)
    kept = tally.result()
    assert (kept.whole, kept.worst, kept.matrix) == (pytest.approx(0.9), 0.0, "none")
    assert Tally().result().whole == 1
