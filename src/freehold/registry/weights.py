"""Reading tensors of admitted weights, GGUF or safetensors, a bounded piece at a time.

For looking at them, not for serving: every value comes as float32.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from freehold.core.errors import BadArtefact

if TYPE_CHECKING:
    import numpy as np

PIECE = 4 << 20
"""Values at once."""
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I8": "<i1",
    "U8": "<u1",
}
_HEADER_BYTES = 100 << 20


class Tensor(msgspec.Struct, frozen=True):
    """One tensor; `shape` with the slowest axis first."""

    name: str
    shape: tuple[int, ...]
    type: str
    bytes: int


class Weights(msgspec.Struct, frozen=True):
    """A file of weights that is open."""

    architecture: str
    facts: dict[str, Any]
    """What the file says of itself; long lists by their length."""
    tensors: tuple[Tensor, ...]
    pieces: Callable[[str], Iterator[np.ndarray[Any, Any]]]
    """The rows of a tensor by its name, as float32 of two axes, from first to last."""
    words: Callable[[], list[str]]
    """The vocabulary, where the file holds it."""


def opened(path: Path, form: str) -> Weights:
    """The weights in a file of the store. Raises BadArtefact for forms that cannot be looked into."""
    if form == "gguf":
        return _gguf(path)
    if form == "safetensors":
        return _safetensors(path)
    raise BadArtefact(f"weights in the form {form!r} cannot be looked into", hint="those in GGUF and safetensors can")


def _gguf(path: Path) -> Weights:
    from gguf import GGUFReader
    from gguf.quants import dequantize

    reader = GGUFReader(path)
    facts = {key: _value(field) for key, field in reader.fields.items() if not key.startswith("GGUF.")}
    by_name = {one.name: one for one in reader.tensors}

    def pieces(name: str) -> Iterator[np.ndarray[Any, Any]]:
        one = by_name[name]
        width = int(one.shape[0])
        rows = one.data.reshape(-1, one.data.shape[-1]) if one.data.ndim else one.data.reshape(1, 1)
        step = max(1, PIECE // max(width, 1))
        for start in range(0, rows.shape[0], step):
            yield dequantize(rows[start : start + step], one.tensor_type).reshape(-1, width).astype("float32")

    def words() -> list[str]:
        field = reader.fields.get("tokenizer.ggml.tokens")
        return [str(bytes(field.parts[at]), "utf-8", "replace") for at in field.data] if field else []

    return Weights(
        architecture=str(facts.get("general.architecture", "")),
        facts=facts,
        tensors=tuple(
            Tensor(one.name, tuple(int(n) for n in reversed(one.shape)), one.tensor_type.name, int(one.n_bytes))
            for one in reader.tensors
        ),
        pieces=pieces,
        words=words,
    )


def _value(field: Any) -> Any:
    value = field.contents()
    if isinstance(value, list):
        return value if len(value) <= 8 else f"{len(value)} values"
    return value.item() if hasattr(value, "item") else value


def _safetensors(path: Path) -> Weights:
    import numpy as np

    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        if size > _HEADER_BYTES:
            raise BadArtefact(f"the header of {path.name[:16]} has {size} bytes")
        header: dict[str, Any] = json.loads(file.read(size))
    told = header.pop("__metadata__", {})

    def pieces(name: str) -> Iterator[np.ndarray[Any, Any]]:
        one = header[name]
        kind = _DTYPES.get(one["dtype"])
        if kind is None:
            raise BadArtefact(f"tensors of the type {one['dtype']} cannot be looked into")
        width = one["shape"][-1] if one["shape"] else 1
        begin, end = one["data_offsets"]
        if end == begin:
            return
        raw = np.memmap(path, dtype=kind, mode="r", offset=8 + size + begin, shape=((end - begin) // int(kind[2]),))
        rows = raw.reshape(-1, width)
        step = max(1, PIECE // max(width, 1))
        for start in range(0, rows.shape[0], step):
            part = np.asarray(rows[start : start + step])
            if one["dtype"] == "BF16":
                yield (part.astype(np.uint32) << 16).view(np.float32)
            else:
                yield part.astype(np.float32)

    return Weights(
        architecture="",
        facts={key: value for key, value in told.items() if isinstance(value, str)},
        tensors=tuple(
            Tensor(name, tuple(one["shape"]), one["dtype"], one["data_offsets"][1] - one["data_offsets"][0])
            for name, one in header.items()
        ),
        pieces=pieces,
        words=list,
    )
