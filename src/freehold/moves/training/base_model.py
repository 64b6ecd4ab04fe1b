"""The base model in torch, out of the GGUF file the engine serves: the same numbers, so that what is learned fits it.

Read by hand: transformers keeps such weights packed and slow, and its saving raises. Query and key rows come back in
transformers' order, the inverse of what `serving/adapter_gguf.py` does.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from freehold.core.errors import BadArtefact

_NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
_TOP = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
_LAYER = re.compile(r"blk\.(\d+)\.(\w+)\.weight\Z")


def load(path: Path, dtype: Any, device: str) -> tuple[Any, Any]:
    """Model and tokenizer. Raises BadArtefact for another architecture, or a file without vocabulary or template."""
    from gguf import GGUFReader
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    try:
        reader = GGUFReader(path)
    except ValueError as error:
        raise BadArtefact(f"{path.name} is no GGUF file: {error}", param=str(path)) from None
    if _field(reader, "general.architecture") != "llama":
        raise BadArtefact(f"models of the architecture {_field(reader, 'general.architecture')!r} are not trained here")
    config = LlamaConfig(**_config(reader))
    model = LlamaForCausalLM._from_config(config, dtype=dtype)  # noqa: SLF001 - the public way writes random weights twice
    missing, unexpected = model.load_state_dict(_tensors(reader, config, dtype), strict=False)
    left = [one for one in missing if one != "lm_head.weight" or not config.tie_word_embeddings]
    if left or unexpected:
        raise BadArtefact(f"{path.name} lacks {left[:3]} and has {list(unexpected)[:3]} too many", param=str(path))
    model.tie_weights()
    with tempfile.TemporaryDirectory() as folder:  # the library wants a folder and a name that ends in .gguf
        (Path(folder) / "base.gguf").symlink_to(path.absolute())
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file="base.gguf")
    if not tokenizer.chat_template:
        raise BadArtefact(f"{path.name} has no chat template", param=str(path))
    return model.to(device), tokenizer


def _field(reader: Any, key: str, default: Any = None) -> Any:
    found = reader.get_field(key)
    if found is None:
        if default is None:
            raise BadArtefact(f"the base names no {key}")
        return default
    return found.contents()


def _config(reader: Any) -> dict[str, Any]:
    heads = int(_field(reader, "llama.attention.head_count"))
    names = {tensor.name: tensor for tensor in reader.tensors}
    return {
        "vocab_size": int(names["token_embd.weight"].shape[1]),
        "hidden_size": int(_field(reader, "llama.embedding_length")),
        "intermediate_size": int(_field(reader, "llama.feed_forward_length")),
        "num_hidden_layers": int(_field(reader, "llama.block_count")),
        "num_attention_heads": heads,
        "num_key_value_heads": int(_field(reader, "llama.attention.head_count_kv", heads)),
        "max_position_embeddings": int(_field(reader, "llama.context_length")),
        "rms_norm_eps": float(_field(reader, "llama.attention.layer_norm_rms_epsilon")),
        "rope_parameters": {
            "rope_theta": float(_field(reader, "llama.rope.freq_base", 10000.0)),
            "rope_type": "default",
        },
        "tie_word_embeddings": "output.weight" not in names,
        "bos_token_id": int(_field(reader, "tokenizer.ggml.bos_token_id", 1)),
        "eos_token_id": int(_field(reader, "tokenizer.ggml.eos_token_id", 2)),
        "pad_token_id": int(_field(reader, "tokenizer.ggml.padding_token_id", 2)),
    }


def _tensors(reader: Any, config: Any, dtype: Any) -> dict[str, Any]:
    import torch
    from gguf import quants

    made: dict[str, Any] = {}
    for tensor in reader.tensors:
        values = np.array(quants.dequantize(tensor.data, tensor.tensor_type), np.float32)
        layer = _LAYER.match(tensor.name)
        if layer and layer[2] in _NAMES:
            if layer[2] == "attn_q":
                values = halves(values, config.num_attention_heads)
            elif layer[2] == "attn_k":
                values = halves(values, config.num_key_value_heads)
            name = f"model.layers.{layer[1]}.{_NAMES[layer[2]]}.weight"
        else:
            name = {**_TOP, "output.weight": "lm_head.weight"}.get(tensor.name, tensor.name)
        made[name] = torch.from_numpy(values).to(dtype)
    return made


def halves(rows: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """Rows of a query or key projection in transformers' order, per head: the rotary pairs' halves apart."""
    size = rows.shape[0] // heads
    return np.ascontiguousarray(rows.reshape(heads, size // 2, 2, -1).swapaxes(1, 2).reshape(rows.shape))
