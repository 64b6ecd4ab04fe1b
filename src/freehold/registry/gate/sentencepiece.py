"""SentencePiece vocabularies: pieces with a score and a kind, and how they were made. Nothing in them runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from freehold.registry.gate.protobufs import BYTES, NARROW, VARINT, fields, inner, shaped
from freehold.registry.gate.types import Format, Reason, Source, Walk

_CONTROL = re.compile(rb"[\x00-\x1f]")
_MODEL = {1: BYTES, 2: BYTES, 3: BYTES, 4: BYTES, 5: BYTES}
_TRAINER = {
    **dict.fromkeys((1, 2, 5, 7, 30, 31, 36, 44, 45, 46, 47, 48, 53, 54), BYTES),
    **dict.fromkeys((10, 15, 51), NARROW),
    **dict.fromkeys((3, 4, 6, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 32, 33, 34, 35), VARINT),
    **dict.fromkeys((40, 41, 42, 43, 49, 50, 52), VARINT),
}
"""How it was made: texts and numbers, no messages (sentencepiece_model.proto)."""
_PIECE = {1: BYTES, 2: NARROW, 3: VARINT}


def known(source: Source) -> bool:
    """Pieces first, and nothing but what such a model has."""
    data = source.data
    return (
        bytes(data[:1]) == b"\x0a"
        and shaped(data, _MODEL, frozenset({1}))
        and all(shaped(inner(value), _PIECE, frozenset({1})) for number, _, value in fields(data) if number == 1)
        and all(_trainer(inner(value)) for number, _, value in fields(data) if number == 2)
    )


def _trainer(data: memoryview) -> bool:
    """Graphs of TensorFlow's stand in the same field; their readers step over pieces."""
    if not shaped(data, _TRAINER, frozenset()):
        return False
    texts = [bytes(inner(value)) for number, _, value in fields(data) if number in (1, 2)]
    return not any(_CONTROL.search(one) for one in texts)


def look(source: Source, walk: Walk) -> Iterator[Reason]:
    """Nothing: `known` has read all of it."""
    yield from ()


FORMAT = Format("sentencepiece", known, look)
