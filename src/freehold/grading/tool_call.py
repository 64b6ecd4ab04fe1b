"""Tool calls: the same tools with the same arguments, in any order.

After the abstract-syntax match of the Berkeley Function-Calling Leaderboard (Patil et al. 2023), with a reference
answer in place of its lists of allowed values.
"""

from __future__ import annotations

from typing import Any

import msgspec

from freehold.grading import options as read
from freehold.grading.agreement import by_score
from freehold.grading.errors import GraderFailed
from freehold.grading.types import Answer, Grade, ToolCall
from freehold.grading.values import Likeness

_MOST = 64
"""Calls of one answer that are compared."""


class ToolCalls:
    """All calls right scores 1, else 0; with `partial` the share of calls that are right.

    Options: `ordered` (the order of calls counts, false), `partial` (false), `text` (what does not count in texts:
    `exact`, `spaced`, `folded`, `letters`; folded), `coerce` ("5" is 5, false), `schemas` (tool name to the JSON
    schema of its arguments: an optional argument left out equals its default), `optional` (`strict`, or `lenient`:
    an optional argument that only one side gives does not count; needs `schemas`), `ignore` (argument names).
    """

    name = "tool_call"

    def grade(self, answer: Answer, reference: Answer, options: dict[str, Any]) -> Grade:
        """In [0, 1]. Where the reference calls no tool, the answer must call none. Raises GraderFailed."""
        read.known(options, ("coerce", "ignore", "optional", "ordered", "partial", "schemas", "text"))
        likeness = Likeness(text=read.text(options, "text", "folded"), coerce=read.flag(options, "coerce", False))
        wanted = [_parsed(one) for one in reference.tool_calls]
        if any(one is None for one in wanted):
            raise GraderFailed("the reference's arguments are no JSON object")
        if not wanted:
            return Grade(0.0, "calls a tool where none is due") if answer.tool_calls else Grade(1.0, "no tool is due")
        given = [_parsed(one) for one in answer.tool_calls[:_MOST]]
        pairs = [
            [a is not None and b is not None and _same(a, b, likeness, options) for b in wanted[:_MOST]] for a in given
        ]
        right = _straight(pairs) if read.flag(options, "ordered", False) else _matched(pairs)
        longest = max(len(wanted), len(answer.tool_calls))
        if right == longest:
            return Grade(1.0)
        detail = _why(given, wanted)
        return Grade(right / longest if read.flag(options, "partial", False) else 0.0, detail)

    def agrees(self, one: Answer, other: Answer, options: dict[str, Any]) -> bool:
        """True where both call tools, the same ones in the same way."""
        if not one.tool_calls or not other.tool_calls:
            return False
        return by_score(self, one, other, options)


_Call = tuple[str, dict[str, Any]]


def _parsed(call: ToolCall) -> _Call | None:
    try:
        arguments = msgspec.json.decode(call.arguments.encode() or b"{}")
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
    return (call.name.replace(".", "_"), arguments) if isinstance(arguments, dict) else None


def _same(one: _Call, other: _Call, likeness: Likeness, options: dict[str, Any]) -> bool:
    (name, mine), (wanted, theirs) = one, other
    if name != wanted:
        return False
    schema = read.mapping(options, "schemas").get(name) or {}
    properties, required = schema.get("properties") or {}, set(schema.get("required") or ())
    ignored = read.texts(options, "ignore")
    lenient = bool(schema) and read.text(options, "optional", "strict") == "lenient"
    for key in (set(mine) | set(theirs)) - set(ignored):
        if key in mine and key in theirs:
            if not likeness.same(mine[key], theirs[key]):
                return False
            continue
        if key in required:
            return False
        value, default = mine.get(key, theirs.get(key)), (properties.get(key) or {}).get("default")
        if not lenient and (default is None or not likeness.same(value, default)):
            return False
    return True


def _straight(pairs: list[list[bool]]) -> int:
    return sum(row[index] for index, row in enumerate(pairs) if index < len(row))


def _matched(pairs: list[list[bool]]) -> int:
    """The most calls that can be paired off (augmenting paths: likeness is not transitive, so greed is not enough)."""
    taken: dict[int, int] = {}

    def place(row: int, seen: set[int]) -> bool:
        for column, fits in enumerate(pairs[row]):
            if fits and column not in seen:
                seen.add(column)
                if column not in taken or place(taken[column], seen):
                    taken[column] = row
                    return True
        return False

    return sum(place(row, set()) for row in range(len(pairs)))


def _why(given: list[_Call | None], wanted: list[_Call | None]) -> str:
    if not given:
        return "calls no tool"
    if any(one is None for one in given):
        return "arguments that are no JSON object"
    mine, theirs = (sorted(one[0] for one in side if one) for side in (given, wanted))
    return "other arguments" if mine == theirs else f"calls {', '.join(mine)[:80]} instead of {', '.join(theirs)[:80]}"
