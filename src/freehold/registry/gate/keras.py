"""Keras' own archive: a configuration, notes, and weights in HDF5; and the configuration inside an HDF5 file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from freehold.registry.gate import keras_config, zips
from freehold.registry.gate.errors import Malformed
from freehold.registry.gate.json_files import strict
from freehold.registry.gate.types import Format, Reason, Source, Walk

_PARTS = frozenset({"config.json", "metadata.json"})
HDF5 = b"\x89HDF\r\n\x1a\n"
_DOCUMENT = re.compile(rb'\{"(?:class_name|module|name|config|layers|keras_version)"')
_MODULE = re.compile(rb'"module"\s*:\s*"([^"\\]{0,400})')
_ESCAPED = re.compile(rb"\\u00(?:[46][1-9a-fA-F]|[57][0-9aA]|5[fF])")
_MOST_DOCUMENT = 64 << 20
_FIRST_BLOCK = 9
"""The signature may stand at 0, 512, 1024 and so on, doubled as far as the file goes."""


def known(source: Source) -> bool:
    """A zip archive with Keras' own two files."""
    return set(zips.names(source)) >= _PARTS


def look(source: Source, walk: Walk) -> Iterator[Reason]:
    """The configuration by its list, the rest by content."""
    yield from zips.reasons(source)
    for entry, member in zips.members(source, walk):
        if entry.name == "config.json":
            yield from keras_config.reasons(strict(bytes(member.data)), member.name)
        else:
            yield from walk.inside(member)


def known_hdf5(source: Source) -> bool:
    """The signature, at the start or where a block before it may push it."""
    data = source.data
    powers = range(_FIRST_BLOCK, len(data).bit_length())
    return data[:8] == HDF5 or any(data[1 << power : (1 << power) + 8] == HDF5 for power in powers)


def look_hdf5(source: Source, walk: Walk) -> Iterator[Reason]:
    """Every configuration in it, wherever it stands: HDF5 keeps texts as they are."""
    data = bytes(source.data)
    if data[:8] != HDF5:
        yield Reason("block", "hdf5.before", source.name, "bytes stand before the file's own signature")
    for found in _documents(data):
        yield from keras_config.reasons(found, source.name)
    for sign, said in ((b"function_type", "a function of the file's"), (b"__lambda__", "a function of the file's")):
        if sign in data:
            yield Reason("block", "keras.code", source.name, f"names {said}")
    if re.search(rb'"class_name"\s*:\s*"Lambda"', data):
        yield Reason("block", "keras.code", source.name, "a Lambda layer")
    if _ESCAPED.search(data):
        yield Reason("block", "keras.code", source.name, "plain letters written as numbers, which no writer does")
    for module in sorted({found.group(1) for found in _MODULE.finditer(data)} - {b"builtins"}):
        yield from keras_config.reasons({"module": module.decode("latin-1"), "class_name": ""}, source.name)


def _documents(data: bytes) -> Iterator[Any]:
    reader = json.JSONDecoder()
    at = 0
    for found in _DOCUMENT.finditer(data):
        if found.start() < at:
            continue
        text = data[found.start() : found.start() + _MOST_DOCUMENT].decode("utf-8", "replace")
        try:
            value, used = reader.raw_decode(text)
        except ValueError:
            continue
        except RecursionError:
            raise Malformed("a configuration that is nested too deep") from None
        at = found.start() + used
        yield value


FORMAT = Format("keras", known, look)
WEIGHTS = Format("hdf5", known_hdf5, look_hdf5)
