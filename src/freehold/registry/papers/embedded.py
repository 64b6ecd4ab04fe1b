"""What weights say of themselves: the `general.*` keys of a GGUF file, the metadata of a safetensors file.

Read with bounds and without trust: the gate judges the file, here a broken one says nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

_KEYS = 4096
_STRING = 64 << 10
_SKIP = 64 << 20
_HEADER = 64 << 20
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of GGUF's fixed types, by number. Source: the format's specification, version 3."""
_TEXT, _ARRAY = 8, 9


class _Broken(Exception):
    """The file is not what it says; the gate tells why."""


class _Header(msgspec.Struct):
    metadata: dict[str, str] = msgspec.field(name="__metadata__", default_factory=dict)


def metadata(path: Path) -> dict[str, str]:
    """The texts a file of weights carries about itself, by key; none for other files and broken ones."""
    if path.is_symlink() or not path.is_file():
        return {}
    with path.open("rb") as file:
        magic = file.read(8)
        try:
            if magic[:4] == b"GGUF":
                return dict(_gguf(file, struct.unpack("<I", magic[4:])[0]))
            return _safetensors(file, struct.unpack("<Q", magic)[0]) if path.suffix == ".safetensors" else {}
        except (_Broken, struct.error, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}


def _safetensors(file: BinaryIO, size: int) -> dict[str, str]:
    if size > _HEADER:
        return {}
    return msgspec.json.decode(_exactly(file, size), type=_Header).metadata


def _gguf(file: BinaryIO, version: int) -> Iterator[tuple[str, str]]:
    if version not in (2, 3):
        return
    _, keys = struct.unpack("<QQ", _exactly(file, 16))
    for _ in range(min(keys, _KEYS)):
        key = _string(file)
        (kind,) = struct.unpack("<I", _exactly(file, 4))
        if kind == _TEXT:
            value = _string(file)
            if key.startswith("general."):
                yield key, value
        else:
            _past(file, kind)


def _past(file: BinaryIO, kind: int) -> None:
    if kind in _SIZES:
        _exactly(file, _SIZES[kind])
        return
    if kind != _ARRAY:
        raise _Broken
    of, count = struct.unpack("<IQ", _exactly(file, 12))
    if of in _SIZES:
        if count * _SIZES[of] > _SKIP:
            raise _Broken
        file.seek(count * _SIZES[of], 1)
    elif of == _TEXT and count <= _SKIP // 8:
        for _ in range(count):
            (size,) = struct.unpack("<Q", _exactly(file, 8))
            if size > _STRING:
                raise _Broken
            file.seek(size, 1)
    else:
        raise _Broken


def _string(file: BinaryIO) -> str:
    (size,) = struct.unpack("<Q", _exactly(file, 8))
    if size > 1 << 20:
        raise _Broken
    return _exactly(file, size).decode("utf-8", "replace")[:_STRING]


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise _Broken
    return data
