"""A llama's forward pass as its trainers write it: numpy, rotary halves, weights in their row order, adapter added.

Written from the architecture's description, apart from what converts: so it can tell a wrong row order.
"""

from __future__ import annotations

import numpy as np
from gguf import GGUFReader, GGUFWriter
from gguf.quants import dequantize

from freehold.serving.quantise import copy_fields

MODULES = {
    "q_proj": ("self_attn", "attn_q"),
    "k_proj": ("self_attn", "attn_k"),
    "v_proj": ("self_attn", "attn_v"),
    "o_proj": ("self_attn", "attn_output"),
    "gate_proj": ("mlp", "ffn_gate"),
    "up_proj": ("mlp", "ffn_up"),
    "down_proj": ("mlp", "ffn_down"),
}


def shorten(source, target, layers):
    """A real model's first `layers` as a model of its own, matrices as 32-bit floats but for the token table."""
    reader = GGUFReader(source)
    writer = GGUFWriter(target, "llama")
    copy_fields(reader, _Without(writer, "llama.block_count"))
    writer.add_block_count(layers)
    writer.add_file_type(0)
    for one in reader.tensors:
        number = int(one.name.split(".")[1]) if one.name.startswith("blk.") else -1
        if number >= layers:
            continue
        if number < 0:
            writer.add_tensor(one.name, one.data, raw_dtype=one.tensor_type)
        else:
            writer.add_tensor(one.name, dequantize(one.data, one.tensor_type).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


class _Without:
    def __init__(self, writer, name):
        self.writer, self.name = writer, name

    def add_key_value(self, name, *rest):
        if name != self.name:
            self.writer.add_key_value(name, *rest)


class Reference:
    """The model of a GGUF file in the trainers' layout."""

    def __init__(self, path):
        reader = GGUFReader(path)
        self.tensors = {
            one.name: np.asarray(dequantize(one.data, one.tensor_type), np.float32) for one in reader.tensors
        }
        field = {name: reader.fields[f"llama.{name}"].contents() for name in (
            "block_count", "attention.head_count", "attention.head_count_kv", "rope.freq_base",
            "attention.layer_norm_rms_epsilon")}  # fmt: skip
        self.layers, self.heads, self.keys, self.base, self.epsilon = field.values()

    def weight(self, layer, module):
        found = self.tensors[f"blk.{layer}.{MODULES[module][1]}.weight"]
        heads = {"q_proj": self.heads, "k_proj": self.keys}.get(module)
        if heads is None:
            return found
        half = found.shape[0] // heads // 2  # the engine has rotary pairs side by side; trainers have two halves
        return found.reshape(heads, half, 2, -1).swapaxes(1, 2).reshape(found.shape)

    def shapes(self):
        return {(layer, module): self.weight(layer, module).shape for layer in range(self.layers) for module in MODULES}

    def logprobs(self, tokens, deltas=None):
        """Of every token to come after `tokens`; `deltas` by (layer, module) are added to the weights."""
        deltas = deltas or {}

        def of(layer, module):
            return self.weight(layer, module) + deltas.get((layer, module), np.float32(0))

        x = self.tensors["token_embd.weight"][tokens]
        for layer in range(self.layers):
            h = self._norm(x, f"blk.{layer}.attn_norm.weight")
            x = (
                x
                + self._attend(*(h @ of(layer, one).T for one in ("q_proj", "k_proj", "v_proj")))
                @ of(layer, "o_proj").T
            )
            h = self._norm(x, f"blk.{layer}.ffn_norm.weight")
            gate = h @ of(layer, "gate_proj").T
            x = x + (gate / (1 + np.exp(-gate)) * (h @ of(layer, "up_proj").T)) @ of(layer, "down_proj").T
        logits = self._norm(x[-1:], "output_norm.weight")[0] @ self.tensors["token_embd.weight"].T
        return logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())

    def _norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.epsilon) * self.tensors[name]

    def _rotate(self, x):
        count, _, size = x.shape
        angles = np.arange(count)[:, None] * self.base ** (-np.arange(0, size, 2) / size)[None]
        cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
        a, b = x[..., : size // 2], x[..., size // 2 :]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    def _attend(self, q, k, v):
        count = len(q)
        q = self._rotate(q.reshape(count, self.heads, -1))
        k = self._rotate(k.reshape(count, self.keys, -1))
        v = v.reshape(count, self.keys, -1)
        k, v = (np.repeat(one, self.heads // self.keys, 1) for one in (k, v))
        scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(q.shape[-1])
        scores[:, np.triu(np.ones((count, count), bool), 1)] = -np.inf
        odds = np.exp(scores - scores.max(-1, keepdims=True))
        odds /= odds.sum(-1, keepdims=True)
        return np.einsum("hqk,khd->qhd", odds, v).reshape(count, -1)
