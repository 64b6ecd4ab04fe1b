"""The embedded engine's own quantiser, against the library of its file format, on a small model."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, quants

from freehold.serving.engines.quantiser import FILE_TYPES, library, quantised, requantise

RNG = np.random.default_rng(7)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("gguf") / "m.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_tensor("wide", RNG.normal(size=(6, 256)).astype(np.float32))
    writer.add_tensor("narrow", RNG.normal(size=(6, 96)).astype(np.float32))
    writer.add_tensor("norm", RNG.normal(size=96).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"])
def test_the_engines_bytes_read_back_as_close_as_the_formats_own(kind):
    values = RNG.normal(size=(5, 64)).astype(np.float32)
    wanted = GGMLQuantizationType[kind]
    ours = quants.dequantize(quantised(library(), values, wanted), wanted)
    reference = quants.dequantize(quants.quantize(values, wanted), wanted)
    assert np.abs(ours - values).mean() <= np.abs(reference - values).mean() * 1.05


@pytest.mark.parametrize("kind", sorted(FILE_TYPES))
def test_matrices_change_type_and_all_else_stays(model, tmp_path, kind):
    counts = requantise(model, tmp_path / "out.gguf", kind)
    before, after = ({one.name: one for one in GGUFReader(path).tensors} for path in (model, tmp_path / "out.gguf"))
    assert after["wide"].tensor_type.name == kind
    narrow = "Q8_0" if kind.endswith("_K") else kind  # rows of 96 make no blocks of 256
    assert after["narrow"].tensor_type.name == narrow
    assert counts == ({kind: 2} if narrow == kind else {kind: 1, narrow: 1})
    assert np.array_equal(before["norm"].data, after["norm"].data)
    reader = GGUFReader(tmp_path / "out.gguf")
    assert reader.get_field("llama.context_length").contents() == 64
    assert reader.get_field("general.file_type").contents() == FILE_TYPES[kind]


def test_it_is_a_command_that_tells_its_counts_or_why_not(model, tmp_path):
    argv = [sys.executable, "-m", "freehold.serving.engines.quantiser"]
    done = subprocess.run([*argv, model, tmp_path / "o.gguf", "Q4_0"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"Q4_0": 2}
    (tmp_path / "no.gguf").write_bytes(b"GGUX" + bytes(64))
    done = subprocess.run(
        [*argv, tmp_path / "no.gguf", tmp_path / "o.gguf", "Q4_0"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr
