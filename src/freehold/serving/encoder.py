"""A BERT sentence encoder in numpy, for a classifier's own process: no engine beside it, no second network hop.

It reads the same GGUF file that the embedding engine serves. On one machine the same text gives the same vector; on
another the last bits may differ, as sums are made in another order.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from freehold.core.errors import BadArtefact
from freehold.serving.ngrams import Floats
from freehold.serving.wordpiece import WordPiece

MOST_TOKENS = 128
"""Read of one text: what is asked stands there, and time grows with it. The encoder was trained on as many."""
_AT_ONCE = 64
_GELU = np.float32(np.sqrt(2.0 / np.pi))


class _Layer:
    """The weights of one block, transposed for `x @ w`."""

    def __init__(self, tensors: dict[str, Floats], number: int) -> None:
        def of(name: str) -> tuple[Floats, Floats]:
            weight, bias = (tensors[f"blk.{number}.{name}.{kind}"] for kind in ("weight", "bias"))
            return np.ascontiguousarray(weight.T), bias

        joined = [of(f"attn_{one}") for one in ("q", "k", "v")]
        self.qkv = np.ascontiguousarray(np.hstack([weight for weight, _ in joined]))
        self.qkv_bias = np.concatenate([bias for _, bias in joined])
        self.out, self.out_bias = of("attn_output")
        self.up, self.up_bias = of("ffn_up")
        self.down, self.down_bias = of("ffn_down")
        self.norm = [tensors[f"blk.{number}.attn_output_norm.{kind}"] for kind in ("weight", "bias")]
        self.last_norm = [tensors[f"blk.{number}.layer_output_norm.{kind}"] for kind in ("weight", "bias")]


class Encoder:
    """A loaded encoder. `width` is the length of its vectors."""

    def __init__(self, path: Path) -> None:
        """Raises BadArtefact where the file is no BERT encoder, OSError where it cannot be read."""
        from gguf import GGUFReader
        from gguf.quants import dequantize

        try:
            reader = GGUFReader(path)
            field = {
                name: reader.fields[f"bert.{name}"].contents()
                for name in ("block_count", "attention.head_count", "attention.layer_norm_epsilon", "context_length")
            }
            self._pieces = WordPiece(reader.fields["tokenizer.ggml.tokens"].contents())
            tensors = {
                one.name: np.asarray(dequantize(one.data, one.tensor_type), np.float32) for one in reader.tensors
            }
            self._layers = [_Layer(tensors, number) for number in range(int(field["block_count"]))]
            self._tokens = tensors["token_embd.weight"]
            self._places = tensors["position_embd.weight"] + tensors["token_types.weight"][0]
            self._norm = [tensors[f"token_embd_norm.{kind}"] for kind in ("weight", "bias")]
        except (ValueError, KeyError, IndexError) as error:
            raise BadArtefact(
                f"{path.name} is no encoder that a classifier can read: {error}", param=str(path)
            ) from None
        self._heads = int(field["attention.head_count"])
        self._epsilon = np.float32(field["attention.layer_norm_epsilon"])
        self._most = min(MOST_TOKENS, int(field["context_length"]))
        self.width = int(self._tokens.shape[1])

    def vector(self, text: str) -> Floats:
        """The text's vector, of length 1."""
        found: Floats = self._encoded([self._pieces.ids(text, self._most)])[0]
        return found

    def vectors(self, texts: Sequence[str]) -> Floats:
        """Of many texts: [texts, width]. Texts of about one length go together."""
        ids = [self._pieces.ids(one, self._most) for one in texts]
        made = np.empty((len(ids), self.width), np.float32)
        order = sorted(range(len(ids)), key=lambda one: len(ids[one]))
        for at in range(0, len(order), _AT_ONCE):
            some = order[at : at + _AT_ONCE]
            made[some] = self._encoded([ids[one] for one in some])
        return made

    def _encoded(self, ids: Sequence[Sequence[int]]) -> Floats:
        longest = max(len(one) for one in ids)
        tokens = np.zeros((len(ids), longest), np.int64)
        there = np.zeros((len(ids), longest), np.float32)
        for row, one in enumerate(ids):
            tokens[row, : len(one)] = one
            there[row, : len(one)] = 1
        x = self._normed(self._tokens[tokens] + self._places[:longest], self._norm)
        hidden = np.where(there[:, None, None, :] > 0, np.float32(0), np.float32(-1e9))
        for layer in self._layers:
            x = self._block(x, layer, hidden)
        mean = (x * there[:, :, None]).sum(axis=1) / there.sum(axis=1)[:, None]
        made: Floats = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), np.float32(1e-12))
        return made

    def _block(self, x: Floats, layer: _Layer, hidden: Floats) -> Floats:
        count, length, width = x.shape
        size = width // self._heads
        joined = (x.reshape(-1, width) @ layer.qkv + layer.qkv_bias).reshape(count, length, 3, self._heads, size)
        q, k, v = (joined[:, :, one].transpose(0, 2, 1, 3) for one in range(3))
        scores = q @ k.transpose(0, 1, 3, 2) / np.float32(np.sqrt(size)) + hidden
        odds = np.exp(scores - scores.max(axis=-1, keepdims=True))
        odds /= odds.sum(axis=-1, keepdims=True)
        seen = (odds @ v).transpose(0, 2, 1, 3).reshape(-1, width) @ layer.out + layer.out_bias
        x = self._normed(x + seen.reshape(x.shape), layer.norm)
        raised = _gelu(x.reshape(-1, width) @ layer.up + layer.up_bias) @ layer.down + layer.down_bias
        return self._normed(x + raised.reshape(x.shape), layer.last_norm)

    def _normed(self, x: Floats, weights: Sequence[Floats]) -> Floats:
        centred = x - x.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + self._epsilon)
        made: Floats = centred / spread * weights[0] + weights[1]
        return made


def _gelu(x: Floats) -> Floats:
    """By the tangent: within .001 of the exact one (Hendrycks and Gimpel 2016, "Gaussian Error Linear Units")."""
    made: Floats = np.float32(0.5) * x * (1 + np.tanh(_GELU * (x + np.float32(0.044715) * x * x * x)))
    return made
