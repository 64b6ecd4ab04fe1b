"""ONNX: graphs of operators. Operators of the standard only compute; others need a library of somebody's.

Invariant: every node of every graph, also those in attributes and functions, is of a domain that is known.
"""

from __future__ import annotations

from collections.abc import Iterator

from freehold.registry.gate.errors import Malformed
from freehold.registry.gate.naming import quoted, unsafe
from freehold.registry.gate.protobufs import BYTES, VARINT, fields, inner, shaped, text
from freehold.registry.gate.types import Format, Reason, Source, Walk

_MODEL = {
    1: VARINT,
    2: BYTES,
    3: BYTES,
    4: BYTES,
    5: VARINT,
    6: BYTES,
    7: BYTES,
    8: BYTES,
    14: BYTES,
    20: BYTES,
    25: BYTES,
    26: BYTES,
}
_NEEDED = frozenset({1, 7})
GRAPH, TRAINING, FUNCTIONS = 7, 20, 25
KNOWN = frozenset(
    {
        "", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training", "ai.onnx.training",
        "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc",
    }
)  # fmt: skip
_COMPILED = frozenset({"EPContext"})
"""Brings, or names, what was compiled for one machine."""
_CODE = frozenset({"PyOp", "PythonOp", "PythonOpGrad", "PyCustomOp", "ATen"})
_CODE_DOMAINS = ("ai.onnx.contrib", "com.microsoft.extensions", "org.pytorch", "pkg.onnxscript.torch_lib.python")
DEEPEST = 64


def known(source: Source) -> bool:
    """A message of a model's fields, with a version and a graph."""
    return bytes(source.data[:1]) == b"\x08" and shaped(source.data, _MODEL, _NEEDED)


def look(source: Source, walk: Walk) -> Iterator[Reason]:
    """Raises Malformed for messages that are none."""
    own: set[tuple[str, str]] = set()
    graphs: list[memoryview] = []
    for number, _, value in fields(source.data):
        if number == FUNCTIONS:
            own.add(_function(inner(value), graphs))
        elif number == GRAPH:
            graphs.append(inner(value))
        elif number == TRAINING:
            graphs.extend(inner(each) for key, kind, each in fields(inner(value)) if key in (1, 2) and kind == BYTES)
    yield from dict.fromkeys(_graphs(graphs, own, source.name))


def _function(data: memoryview, graphs: list[memoryview]) -> tuple[str, str]:
    """A function's domain and name; its nodes are looked at as a graph's."""
    named, domain = "", ""
    body = bytearray()
    for number, _, value in fields(data):
        if number == 10:
            domain = text(value)
        elif number == 1:
            named = text(value)
        elif number == 7:
            node = bytes(inner(value))
            body += b"\x0a" + _length(len(node)) + node
        elif number == 11:  # an attribute that stands where a node gives none
            held = bytes(inner(value))
            node = b"\x2a" + _length(len(held)) + held
            body += b"\x0a" + _length(len(node)) + node
    graphs.append(memoryview(bytes(body)))
    return domain, named


def _length(size: int) -> bytes:
    found = bytearray()
    while size > 0x7F:
        found.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*found, size])


def _graphs(graphs: list[memoryview], own: set[tuple[str, str]], where: str) -> Iterator[Reason]:
    waiting = [(one, 0) for one in graphs]
    while waiting:
        graph, depth = waiting.pop()
        if depth > DEEPEST:
            raise Malformed("graphs within graphs without end")
        for number, _, value in fields(graph):
            if number == 1:
                yield from _node(inner(value), own, where)
                waiting.extend((each, depth + 1) for each in _inner_graphs(inner(value)))
                for tensor in _inner_tensors(inner(value)):
                    yield from _tensor(tensor, where)
            elif number == 5:
                yield from _tensor(inner(value), where)
            elif number == 15:  # sparse: values and places, each a tensor
                for key, kind, each in fields(inner(value)):
                    if key in (1, 2) and kind == BYTES:
                        yield from _tensor(inner(each), where)


def _node(data: memoryview, own: set[tuple[str, str]], where: str) -> Iterator[Reason]:
    named, domain = "", ""
    for number, _, value in fields(data):
        if number == 4:
            named = text(value)
        elif number == 7:
            domain = text(value)
    if domain.startswith(_CODE_DOMAINS) or named in _CODE:
        yield Reason("block", "onnx.code", where, f"the operator {quoted(domain, 60)}.{quoted(named, 60)} runs code")
    elif (domain not in KNOWN and (domain, named) not in own) or named in _COMPILED:
        yield Reason(
            "review", "onnx.custom", where, f"the operator {quoted(domain, 60)}.{quoted(named, 60)} needs a library"
        )


def _attributes(node: memoryview) -> Iterator[memoryview]:
    for number, kind, value in fields(node):
        if number == 5 and kind == BYTES:
            yield inner(value)


def _inner_graphs(node: memoryview) -> Iterator[memoryview]:
    for one in _attributes(node):
        yield from (inner(value) for number, kind, value in fields(one) if number in (6, 11) and kind == BYTES)


def _inner_tensors(node: memoryview) -> Iterator[memoryview]:
    for one in _attributes(node):
        for number, kind, value in fields(one):
            if number in (5, 10) and kind == BYTES:
                yield inner(value)
            elif number in (22, 23) and kind == BYTES:  # sparse: values and places
                yield from (inner(each) for key, wire, each in fields(inner(value)) if key in (1, 2) and wire == BYTES)


def _tensor(data: memoryview, where: str) -> Iterator[Reason]:
    for number, kind, value in fields(data):
        if number == 13 and kind == BYTES:
            entry = {key: each for key, _, each in fields(inner(value))}
            if 1 in entry and text(entry[1]) == "location":
                place = text(entry.get(2, memoryview(b"")))
                for one in unsafe(place, where):
                    yield Reason(one.verdict, "onnx.external", where, f"weights in {quoted(place, 80)}: {one.said}")


FORMAT = Format("onnx", known, look)
