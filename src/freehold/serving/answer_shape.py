"""How a classifier's labels become an answer: fixed text with slots, byte for byte as the incumbent wrote it.

A shape without slots is one constant answer. Slot values are raw text (inside JSON: raw JSON), so nothing is quoted,
escaped or reformatted when an answer is put together.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from freehold.grading.types import ToolCall

Part = str | int
"""Fixed text, or the number of the slot whose value stands here."""


class CallShape(msgspec.Struct, frozen=True):
    """One tool call: its name and the JSON text of its arguments, as parts."""

    name: tuple[Part, ...]
    arguments: tuple[Part, ...]


class Shape(msgspec.Struct, frozen=True):
    """One form of answer."""

    text: tuple[Part, ...] = ()
    calls: tuple[CallShape, ...] = ()


def slots(shape: Shape) -> set[int]:
    """The slots a shape has."""
    parts = [*shape.text]
    for call in shape.calls:
        parts += [*call.name, *call.arguments]
    return {part for part in parts if isinstance(part, int)}


def render(shape: Shape, values: Sequence[str]) -> tuple[str, tuple[ToolCall, ...]]:
    """Text and tool calls of the answer that has `values` in its slots."""
    calls = tuple(ToolCall(_join(call.name, values), _join(call.arguments, values)) for call in shape.calls)
    return _join(shape.text, values), calls


def _join(parts: tuple[Part, ...], values: Sequence[str]) -> str:
    return "".join([values[part] if isinstance(part, int) else part for part in parts])
