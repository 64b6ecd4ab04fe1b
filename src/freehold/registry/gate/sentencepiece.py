"""SentencePiece vocabularies: pieces with a score and a kind, and how they were made. Nothing in them runs."""

from __future__ import annotations

from collections.abc import Iterator

from freehold.registry.gate.protobufs import BYTES, NARROW, VARINT, fields, inner, shaped
from freehold.registry.gate.types import Format, Reason, Source, Walk

_MODEL = {1: BYTES, 2: BYTES, 3: BYTES, 4: BYTES, 5: BYTES}
_PIECE = {1: BYTES, 2: NARROW, 3: VARINT}


def known(source: Source) -> bool:
    """Pieces first, and nothing but what such a model has."""
    data = source.data
    return (
        bytes(data[:1]) == b"\x0a"
        and shaped(data, _MODEL, frozenset({1}))
        and all(shaped(inner(value), _PIECE, frozenset({1})) for number, _, value in fields(data) if number == 1)
    )


def look(source: Source, walk: Walk) -> Iterator[Reason]:
    """Nothing: `known` has read all of it."""
    yield from ()


FORMAT = Format("sentencepiece", known, look)
