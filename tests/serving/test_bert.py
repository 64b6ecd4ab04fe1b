"""Names and pieces the converter gives; what they add up to is tested on the real engine."""

from __future__ import annotations

import json

import gguf
import numpy as np
import pytest
from safetensors.numpy import save_file

from freehold.serving.bert import piece, tensor_name, to_gguf

CONFIG = {
    "max_position_embeddings": 16,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "layer_norm_eps": 1e-12,
    "vocab_size": 6,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
}


@pytest.mark.parametrize(
    ("token", "told"), [("cat", "\u2581cat"), ("##s", "s"), ("[CLS]", "[CLS]"), ("[", "\u2581["), ("]", "\u2581]")]
)
def test_word_starts_are_marked(token, told):
    assert piece(token) == told


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("embeddings.word_embeddings.weight", "token_embd.weight"),
        ("encoder.layer.11.attention.self.query.bias", "blk.11.attn_q.bias"),
        ("encoder.layer.0.output.LayerNorm.weight", "blk.0.layer_output_norm.weight"),
    ],
)
def test_tensors_have_the_engines_names(key, told):
    assert tensor_name(key) == told


@pytest.mark.parametrize("key", ["encoder.layer.0.attention.self.rotary.weight", "decoder.x", "encoder.layer.0.q.data"])
def test_a_tensor_of_another_architecture_is_refused(key):
    with pytest.raises(ValueError, match="no place"):
        tensor_name(key)


def test_a_small_encoder(tmp_path):
    words = np.arange(6 * 32, dtype=np.float32).reshape(6, 32)
    tensors = {
        "embeddings.word_embeddings.weight": words,
        "pooler.dense.weight": words,
        "embeddings.LayerNorm.bias": words[0],
    }
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n##s\n")
    to_gguf({one.name: one for one in tmp_path.iterdir()}, tmp_path / "out.gguf", "tiny")
    reader = gguf.GGUFReader(tmp_path / "out.gguf")
    assert {one.name: one.tensor_type.name for one in reader.tensors} == {
        "token_embd.weight": "Q8_0",
        "token_embd_norm.bias": "F32",
    }
    assert reader.fields["tokenizer.ggml.tokens"].contents()[-1] == "s"
    assert reader.fields["tokenizer.ggml.token_type"].contents() == [3, 3, 3, 3, 3, 1]
    assert (
        reader.fields[
            "tokenizer.ggml.cls_token_id"
            if "tokenizer.ggml.cls_token_id" in reader.fields
            else "tokenizer.ggml.bos_token_id"
        ].contents()
        == 2
    )
    assert reader.fields["bert.pooling_type"].contents() == 1
