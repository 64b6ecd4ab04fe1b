"""Convert a BERT sentence encoder (safetensors, config.json, vocab.txt) to GGUF, so one engine serves embeddings too.

Matrices become Q8_0, vectors and position tables stay 32-bit; deterministic, so the result can be pinned.
Names of keys and tensors are those of llama.cpp's `bert` architecture.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from freehold.serving.quantise import Progress

_BLOCK = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
_EMBEDDING = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.LayerNorm.bias": "token_embd_norm.bias",
}
_WHOLE = frozenset({"position_embd.weight", "token_types.weight"})
"""Looked up by row and small: the engine wants them unquantised."""
_FILE_TYPE_Q8_0 = 7
_NORMAL, _CONTROL = 1, 3
"""Token types (llama.cpp, enum llama_token_type)."""


class Config(msgspec.Struct, frozen=True):
    """What the converter reads of `config.json`."""

    max_position_embeddings: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    layer_norm_eps: float
    vocab_size: int
    type_vocab_size: int


def to_gguf(source: Mapping[str, Path], target: Path, name: str, progress: Progress = lambda _: None) -> None:
    """Write the encoder whose files `source` maps by name to `target`.

    Raises ValueError for a tensor this architecture does not have.
    """
    from gguf import GGUFWriter
    from safetensors.numpy import load_file

    config = msgspec.json.decode(source["config.json"].read_bytes(), type=Config)
    vocabulary = source["vocab.txt"].read_text(encoding="utf-8").split("\n")[: config.vocab_size]
    tensors = load_file(source["model.safetensors"])
    writer = GGUFWriter(target, "bert")
    writer.add_name(name)
    _add_shape(writer, config)
    _add_vocabulary(writer, vocabulary, config.type_vocab_size)
    for count, (key, value) in enumerate(sorted(tensors.items()), 1):
        _add_tensor(writer, key.removeprefix("bert."), value)
        progress(count / len(tensors))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tensor_name(key: str) -> str:
    """The engine's name for a tensor of the encoder. Raises ValueError where it has none."""
    if key in _EMBEDDING:
        return _EMBEDDING[key]
    parts = key.split(".", 3)
    module, _, kind = parts[-1].rpartition(".")
    if parts[:2] != ["encoder", "layer"] or module not in _BLOCK or kind not in {"weight", "bias"}:
        raise ValueError(f"no place for tensor {key!r} in a BERT encoder")
    return f"blk.{int(parts[2])}.{_BLOCK[module]}.{kind}"


def piece(token: str) -> str:
    """A WordPiece token as the engine wants it: word starts are marked, continuations are not."""
    if token.startswith("[") and token.endswith("]"):
        return token
    return token[2:] if token.startswith("##") else "\u2581" + token


def _add_shape(writer: Any, config: Config) -> None:
    from gguf import PoolingType

    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_layer_norm_eps(config.layer_norm_eps)
    writer.add_causal_attention(False)
    writer.add_pooling_type(PoolingType.MEAN)
    writer.add_file_type(_FILE_TYPE_Q8_0)


def _add_vocabulary(writer: Any, vocabulary: list[str], types: int) -> None:
    writer.add_tokenizer_model("bert")
    writer.add_token_list([piece(token) for token in vocabulary])
    control = [len(one) > 2 and one.startswith("[") and one.endswith("]") for one in vocabulary]
    writer.add_token_types([_CONTROL if one else _NORMAL for one in control])
    writer.add_token_type_count(types)
    ids = {token: number for number, token in enumerate(vocabulary)}
    writer.add_unk_token_id(ids["[UNK]"])
    writer.add_sep_token_id(ids["[SEP]"])
    writer.add_pad_token_id(ids["[PAD]"])
    writer.add_mask_token_id(ids["[MASK]"])
    writer.add_bos_token_id(ids["[CLS]"])
    writer.add_eos_token_id(ids["[SEP]"])


def _add_tensor(writer: Any, key: str, value: Any) -> None:
    import numpy as np
    from gguf import GGMLQuantizationType, quants

    if key.startswith("pooler.") or key.endswith("position_ids"):
        return  # a classifier's head and a constant: the sentence vector is a mean over tokens
    name = tensor_name(key)
    values = value.astype(np.float32)
    if values.ndim == 2 and name not in _WHOLE:
        kind = GGMLQuantizationType.Q8_0
        writer.add_tensor(name, quants.quantize(values, kind), raw_dtype=kind)
    else:
        writer.add_tensor(name, values)
