"""Prompt-cache breakpoints in requests that are translated, where their caller set none. Pure.

Invariant: nothing but `cache` of a part or a tool changes, at most three of them, and a caller's own stay alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from freehold.gateway.messages import Cache, Image, Request, Text, Tool, ToolCall, ToolResult, Turn

TAKES = ("anthropic_messages", "bedrock_converse")
"""Dialects whose vendors cache prompts up to a breakpoint (Anthropic's prompt caching and Amazon's `cachePoint`, both
at most 4 a request, documentation of November 2026)."""
SYSTEM = frozenset({"developer", "system"})
_Marked = Text | Image | ToolCall | ToolResult


def with_breakpoints(request: Request, ttl: str) -> Request:
    """The request with a breakpoint after its tools, its system prompt and its last turn.

    Each is where the next call's prefix is likely to end: the first two stay from conversation to conversation, the
    last one is what the next turn of this one begins with.
    """
    if not ttl or _has_one(request):
        return request
    mark = Cache(ttl)
    turns = list(request.turns)
    leading = next((at for at, one in enumerate(turns) if one.role not in SYSTEM), len(turns))
    for at in {leading - 1, len(turns) - 1}:
        if at >= 0:
            turns[at] = _marked(turns[at], mark)
    return replace(request, turns=tuple(turns), tools=_tools(request.tools, mark))


def _has_one(request: Request) -> bool:
    parts = (part for turn in request.turns for part in _deep(turn))
    return any(one.cache for one in request.tools) or any(getattr(part, "cache", None) for part in parts)


def _deep(turn: Turn) -> Iterable[object]:
    for part in turn.parts:
        yield part
        if isinstance(part, ToolResult):
            yield from part.parts


def _marked(turn: Turn, mark: Cache) -> Turn:
    """With the mark on its last part that can carry one; empty texts cannot."""
    for at in range(len(turn.parts) - 1, -1, -1):
        part = turn.parts[at]
        if isinstance(part, _Marked) and not (isinstance(part, Text) and not part.text):
            parts = (*turn.parts[:at], replace(part, cache=mark), *turn.parts[at + 1 :])
            return replace(turn, parts=parts)
    return turn


def _tools(tools: tuple[Tool, ...], mark: Cache) -> tuple[Tool, ...]:
    if not tools or tools[-1].opaque is not None:
        return tools
    return (*tools[:-1], replace(tools[-1], cache=mark))
