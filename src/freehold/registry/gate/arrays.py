"""Tensors as they lie in a file: from torch's rebuild calls, numpy's states and joblib's wrappers, checked, unread.

Invariant: every element of an array that is given out lies inside its storage; what has no exact form is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from freehold.registry.gate.errors import NotConverted
from freehold.registry.gate.kept import STORAGE, WRAPPER, Kept
from freehold.registry.gate.naming import quoted
from freehold.registry.gate.pickle_calls import Imported, Made

STORAGES = {
    "BFloat16Storage": "BF16", "BoolStorage": "BOOL", "ByteStorage": "U8", "CharStorage": "I8",
    "ComplexFloatStorage": "C64", "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16",
    "IntStorage": "I32", "LongStorage": "I64", "ShortStorage": "I16",
}  # fmt: skip
"""Types of torch's storages that safetensors has a dtype for."""
TORCH = {
    "bfloat16": "BF16", "bool": "BOOL", "complex64": "C64", "float16": "F16", "float32": "F32", "float64": "F64",
    "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "float8_e8m0fnu": "F8_E8M0", "int16": "I16", "int32": "I32",
    "int64": "I64", "int8": "I8", "uint16": "U16", "uint32": "U32", "uint64": "U64", "uint8": "U8",
}  # fmt: skip
NUMPY = {
    "?": "BOOL", "b1": "BOOL", "c8": "C64", "f2": "F16", "f4": "F32", "f8": "F64", "i1": "I8", "i2": "I16",
    "i4": "I32", "i8": "I64", "u1": "U8", "u2": "U16", "u4": "U32", "u8": "U64",
}  # fmt: skip
WIDTHS = {
    "BF16": 2, "BOOL": 1, "C64": 8, "F16": 2, "F32": 4, "F64": 8, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1,
    "I16": 2, "I32": 4, "I64": 8, "I8": 1, "U16": 2, "U32": 4, "U64": 8, "U8": 1,
}  # fmt: skip
"""Bytes of one element."""
MOST_AXES = 64
_MOST = 1 << 62
_TYPED = re.compile(r"([<>|=]?)(\?|[a-z]\d{1,2})")
_TENSORS = frozenset({("torch", "Tensor"), ("torch.nn.parameter", "Parameter"), ("torch.nn.parameter", "Buffer")})
_UTILS = "torch._utils._rebuild_"
_WRAPPED = (f"{_UTILS}parameter", f"{_UTILS}parameter_with_state")
_PLAIN = (f"{_UTILS}tensor", f"{_UTILS}tensor_v2", f"{_UTILS}tensor_v3")
_OTHER = (f"{_UTILS}qtensor", f"{_UTILS}sparse_tensor", f"{_UTILS}meta_tensor_no_storage")
_RECONSTRUCT = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
_SCALAR = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
_FROM_BUFFER = ("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer")


class Array(msgspec.Struct, frozen=True):
    """One tensor where it lies. `strides` and `offset` in elements of `dtype` (safetensors' name) of `data`."""

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    data: memoryview

    @property
    def size(self) -> int:
        """Bytes it takes when it is written out."""
        return math.prod(self.shape) * WIDTHS[self.dtype]


class Place(msgspec.Struct, frozen=True):
    """What the values of one file refer to."""

    storages: Mapping[str, memoryview]
    """By torch's keys."""
    data: memoryview
    """The file, for arrays that lie in its stream."""


def array_of(value: Made, place: Place) -> Array | None:
    """The array that a made object is; None for what is none. Raises NotConverted for one that has no exact form."""
    if not isinstance(value, Kept):
        return None
    if value.maker in _WRAPPED and value.given and isinstance(value.given[0], Made):
        return array_of(value.given[0], place)
    if value.maker == "torch._tensor._rebuild_from_type_v2":
        made, kind, given = value.given[0], value.given[1], value.given[2]
        if not isinstance(kind, Imported) or (kind.module, kind.name) not in _TENSORS:
            raise NotConverted("a tensor of a class of its own")
        return array_of(Kept(f"{made.module}.{made.name}", given), place)
    if value.maker in _OTHER:
        raise NotConverted(f"a tensor that is no plain one ({value.maker.removeprefix(_UTILS)})")
    if value.maker in _PLAIN:
        return _torch(value, place)
    if value.maker in _RECONSTRUCT:
        return _reconstructed(value)
    if value.maker in _FROM_BUFFER:
        return _from_buffer(value)
    if value.maker in _SCALAR and len(value.given) == 2:
        return laid(_pickled_dtype(value.given[0]), (), _raw(value.given[1]), fortran=False)
    return _wrapped(value, place) if value.maker == WRAPPER else None


def laid(dtype: str, shape: tuple[int, ...], data: memoryview, *, fortran: bool) -> Array:
    """An array whose elements follow each other. Raises NotConverted where there are not that many."""
    strides = [1] * len(shape)
    order = range(1, len(shape)) if fortran else range(len(shape) - 2, -1, -1)
    for axis in order:
        near = axis - 1 if fortran else axis + 1
        strides[axis] = strides[near] * max(shape[near], 1)
    return _checked(Array(dtype, shape, tuple(strides), 0, data))


def numpy_dtype(text: object, order: str = "") -> str:
    """Safetensors' name of a dtype as numpy writes it. Raises NotConverted for big-endian ones and those it lacks."""
    found = _TYPED.fullmatch(text) if isinstance(text, str) else None
    named = NUMPY.get(found.group(2)) if found else None
    if found is None or named is None:
        raise NotConverted(f"elements of the dtype {quoted(str(text), 40)}, which safetensors has not")
    if (order or found.group(1)) == ">" and WIDTHS[named] > 1:
        raise NotConverted("elements in big-endian order", hint="save it anew in little-endian order: astype('<f4')")
    return named


def _torch(value: Kept, place: Place) -> Array:
    given = value.given
    third = value.maker.endswith("_v3")
    if len(given) < (7 if third else 4):
        raise NotConverted("a tensor that is rebuilt from too little")
    storage, offset, shape, strides = given[0], given[1], _sizes(given[2]), _sizes(given[3])
    if not isinstance(storage, Kept) or storage.maker != STORAGE or not _count(offset):
        raise NotConverted("a tensor without a storage")
    if any(given[7:] if third else given[6:]):
        raise NotConverted("a tensor that is a conjugate or negative view")
    kind = storage.given[1].name
    named = given[6] if third else None
    if third:
        dtype = TORCH.get(named.name) if isinstance(named, Imported) and named.module == "torch" else None
    else:
        dtype = STORAGES.get(kind)
    if dtype is None:
        shown = named.name if isinstance(named, Imported) else kind
        raise NotConverted(f"a tensor of {quoted(shown, 40)}, which safetensors has not")
    return _checked(Array(dtype, shape, strides, offset, place.storages[storage.given[2]]))


def _checked(one: Array) -> Array:
    if len(one.shape) != len(one.strides) or len(one.shape) > MOST_AXES:
        raise NotConverted(f"a tensor of {len(one.shape)} axes with {len(one.strides)} strides")
    if math.prod(max(size, 1) for size in one.shape) >= _MOST or math.prod(one.shape) * WIDTHS[one.dtype] >= _MOST:
        raise NotConverted("a tensor larger than anything")
    if 0 in one.shape:
        return one
    last = one.offset + sum((size - 1) * step for size, step in zip(one.shape, one.strides, strict=True))
    if (last + 1) * WIDTHS[one.dtype] > len(one.data):
        raise NotConverted("a tensor that reaches over the end of its storage")
    return one


def _sizes(value: Any) -> tuple[int, ...]:
    if isinstance(value, Kept) and value.maker == "torch.Size" and len(value.given) == 1:
        value = value.given[0]
    if not isinstance(value, tuple | list) or not all(_count(one) for one in value):
        raise NotConverted("a shape or strides that are none")
    return tuple(value)


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST


def _pickled_dtype(kind: object) -> str:
    if not isinstance(kind, Made) or kind.maker != "numpy.dtype" or not kind.given:
        raise NotConverted("an array of a dtype that is none")
    state = kind.state if isinstance(kind.state, tuple) else ()
    order = state[1] if len(state) > 1 and isinstance(state[1], str) else ""
    return numpy_dtype(kind.given[0], order)


def _ndarray(kind: object) -> None:
    if not isinstance(kind, Imported) or (kind.module, kind.name) not in (("numpy", "ndarray"), ("numpy", "memmap")):
        raise NotConverted("an array of a class of its own")


def _reconstructed(value: Kept) -> Array:
    _ndarray(value.given[0])
    if not isinstance(value.state, tuple) or len(value.state) not in (4, 5):
        raise NotConverted("an array without a state")
    shape, kind, fortran, raw = value.state[-4:]
    return laid(_pickled_dtype(kind), _sizes(shape), _raw(raw), fortran=bool(fortran))


def _from_buffer(value: Kept) -> Array:
    if len(value.given) != 4:
        raise NotConverted("an array that is made of too little")
    raw, kind, shape, order = value.given
    dtype, sizes, data = _pickled_dtype(kind), _sizes(shape), _raw(raw)
    return laid(dtype, sizes, data, fortran=order == "F")


def _raw(value: Any) -> memoryview:
    """Bytes, as they are or as old protocols write them: a text of Latin-1 to be encoded."""
    if isinstance(value, Kept) and value.maker == "_codecs.encode":
        text, codec = value.given
        return memoryview(text.encode(codec))
    if isinstance(value, Kept) and value.maker in ("builtins.bytes", "builtins.bytearray"):
        if value.given[1:] not in ((), ("latin-1",)):
            raise NotConverted("an array whose bytes are a text in another codec")
        return _raw(value.given[0]) if value.given else memoryview(b"")
    if isinstance(value, str):
        return memoryview(value.encode("latin-1"))
    if not isinstance(value, bytes | bytearray):
        raise NotConverted("an array whose bytes are none")
    return memoryview(value)


def _wrapped(value: Kept, place: Place) -> Array:
    state = value.state[0] if isinstance(value.state, tuple) else value.state
    if not value.at or not isinstance(state, dict):
        raise NotConverted("an array of joblib's that holds objects or was never read")
    _ndarray(state.get("subclass"))
    dtype, shape = _pickled_dtype(state.get("dtype")), _sizes(state.get("shape"))
    size = math.prod(shape) * WIDTHS[dtype]
    data = place.data[value.at - size : value.at]
    return laid(dtype, shape, data, fortran=state.get("order") == "F")
