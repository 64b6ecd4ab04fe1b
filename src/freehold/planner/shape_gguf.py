"""A model's shape from a GGUF file: exact bytes of every tensor by its own type.

The header is read by a small reader of its own; nothing of the weights is, and every length is bounded.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any, BinaryIO

from freehold.planner.errors import UnknownShape
from freehold.planner.types import Shape

_FIXED = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9
_BOUND = 2**24
_KEPT = 2**20
_BLOCKS: dict[int, tuple[int, int]] = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66),
    17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136),
    24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54),
    35: (256, 66), 39: (32, 17),
}  # fmt: skip
"""GGML type: elements and bytes of one block (ggml.h and ggml-common.h of llama.cpp, 2026-10)."""


def read_gguf(path: Path) -> Shape:
    """The shape of a GGUF model. Raises UnknownShape naming the file and the field."""
    try:
        with path.open("rb") as file:
            fields, tensors = _header(file, path)
    except (OSError, struct.error, UnicodeDecodeError, MemoryError) as error:
        raise UnknownShape(f"{path}: no GGUF model: {error}", param="model") from None
    return _shape(fields, tensors, path)


def _header(file: BinaryIO, path: Path) -> tuple[dict[str, Any], list[tuple[str, int, int]]]:
    if file.read(4) != b"GGUF":
        raise UnknownShape(f"{path}: no GGUF file", param="model")
    version, count, pairs = struct.unpack("<IQQ", file.read(20))
    if version not in {2, 3} or count > _BOUND or pairs > _BOUND:
        raise UnknownShape(f"{path}: a GGUF file of version {version} is not known", param="model")
    fields: dict[str, Any] = {}
    for _ in range(pairs):
        name = _text(file, path)
        fields[name] = _value(file, path, _plain(file, "I"))
    tensors: list[tuple[str, int, int]] = []
    for _ in range(count):
        name = _text(file, path)
        sides = _plain(file, "I")
        if sides > 8:
            raise UnknownShape(f"{path}: tensor {name[:60]!r} has {sides} sides", param="model")
        elements = math.prod(_plain(file, "Q") for _ in range(sides))
        kind = _plain(file, "I")
        file.seek(8, 1)
        if kind not in _BLOCKS:
            raise UnknownShape(f"{path}: tensor {name[:60]!r} is of type {kind}, which is not known", param="model")
        tensors.append((name, kind, elements))
    return fields, tensors


def _shape(fields: dict[str, Any], tensors: list[tuple[str, int, int]], path: Path) -> Shape:
    family = str(fields.get("general.architecture", ""))

    def number(name: str, default: float | None = None) -> float:
        value = fields.get(f"{family}.{name}", default)
        if isinstance(value, list) and value and all(isinstance(one, int) for one in value):
            value = max(value)
        if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
            raise UnknownShape(f"{path}: no {family}.{name}: not a language model", param=name)
        return float(value)

    layers, hidden = number("block_count"), number("embedding_length")
    heads = number("attention.head_count")
    if min(layers, hidden, heads) < 1:
        raise UnknownShape(f"{path}: a model without layers, width or heads", param="block_count")
    kv_heads = number("attention.head_count_kv", heads) or heads
    key_size = number("attention.key_length", hidden / heads)
    value_size = number("attention.value_length", key_size)
    rank = number("attention.kv_lora_rank", 0.0)
    rope = number("rope.dimension_count", 64.0) if rank else 0.0
    each = (rank + rope) * 2.0 if rank else kv_heads * (key_size + value_size) * 2.0
    total = float(sum(elements for _, _, elements in tensors))
    routed = float(sum(elements for name, _, elements in tensors if "_exps" in name))
    count, chosen = number("expert_count", 0.0), number("expert_used_count", 0.0)
    wide = [elements for name, _, elements in tensors if name in {"token_embd.weight", "output.weight"}]
    size = sum(elements / _BLOCKS[kind][0] * _BLOCKS[kind][1] for _, kind, elements in tensors)
    return Shape(
        name=str(fields.get("general.name") or path.stem),
        layers=int(layers),
        hidden=int(hidden),
        parameters=total,
        active=total - routed * (1.0 - chosen / count) if count else total,
        kv_bytes_per_token=layers * each,
        source=str(path),
        kv_heads=int(kv_heads),
        latent=bool(rank),
        attention_flops=layers * (2.0 * heads * (2.0 * rank + rope) if rank else 4.0 * heads * key_size),
        experts=int(count),
        experts_per_token=int(chosen),
        expert_parameters=routed,
        embedding=float(sum(wide)),
        context=int(number("context_length", 0.0)),
        native=_native(tensors),
        weight_bytes=size,
    )


def _native(tensors: list[tuple[str, int, int]]) -> str:
    """The format nearest to what most of its elements are in."""
    share: dict[int, int] = {}
    for _, kind, elements in tensors:
        share[kind] = share.get(kind, 0) + elements
    kind = max(share, key=lambda one: share[one], default=1)
    near = {0: "bf16", 30: "bf16", 10: "Q2_K", 11: "Q3_K_M", 12: "Q4_K_M", 13: "Q5_K_M", 39: "fp4"}
    return near.get(kind) or {1: "F16", 2: "Q4_0", 8: "Q8_0", 14: "Q6_K", 23: "IQ4_XS"}.get(kind, "Q4_K_M")


def _plain(file: BinaryIO, code: str) -> Any:
    return struct.unpack(f"<{code}", file.read(struct.calcsize(f"<{code}")))[0]


def _text(file: BinaryIO, path: Path) -> str:
    length = _plain(file, "Q")
    if length > _BOUND:
        raise UnknownShape(f"{path}: a text of {length} bytes in its header", param="model")
    if length > _KEPT:
        file.seek(length, 1)
        return ""
    return file.read(length).decode("utf-8", "replace")


def _value(file: BinaryIO, path: Path, kind: int) -> Any:
    if kind in _FIXED:
        return _plain(file, _FIXED[kind])
    if kind == _TEXT:
        return _text(file, path)
    if kind != _LIST:
        raise UnknownShape(f"{path}: a field of type {kind}, which is not known", param="model")
    inner, count = _plain(file, "I"), _plain(file, "Q")
    if count > _BOUND:
        raise UnknownShape(f"{path}: a list of {count} in its header", param="model")
    if inner in _FIXED and count > 4096:
        file.seek(struct.calcsize(f"<{_FIXED[inner]}") * count, 1)
        return None
    found = [_value(file, path, inner) for _ in range(count)]
    return found if len(found) <= 4096 else None
