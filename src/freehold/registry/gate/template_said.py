"""Does a template turn on what somebody said? Templates turn on roles and marks, not on ordinary words in a message.

Invariant: only adds reasons for a person to read it; whatever it turns on, it can reach nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from freehold.registry.gate.naming import quoted

_WORDS = re.compile(r"[\w ,.'!?-]{3,}\Z")
_MARKS = re.compile(r"[<>\[\]{}|#*]")
_PLACES = re.compile(r"(?i)\bhttps?://|\bwww\.|\w@\w")
_SHORT_ROLES = frozenset(
    """assistant audio audio_url developer function image image_url input_audio input_image input_text ipython json none
    system text tool user video video_url""".split()  # noqa: SIM905
)
_KINDS = frozenset({"name", "recipient", "role", "type"})
"""What a message or its part is, not what it says."""
_SEEKS = frozenset(
    """count endswith find index partition removeprefix removesuffix replace rfind rindex rpartition rsplit split
    startswith""".split()  # noqa: SIM905
)
_PICKS = frozenset({"reject", "rejectattr", "replace", "select", "selectattr"})
LONGEST_LENGTH = 10
"""Comparing with a larger number asks how much was said, not whether something was."""

Found = Iterator[tuple[str, str, str]]


class Said:
    """One reading of a template's tree."""

    def __init__(self, tree: Any) -> None:
        from jinja2 import nodes

        self.nodes = nodes
        self.talk: set[str] = {"message", "messages"}
        self.tainted: set[str] = set()
        moves = [(one.target, one.node) for one in tree.find_all(nodes.Assign)]
        moves += [(one.target, one.iter) for one in tree.find_all(nodes.For)]
        while self._spread(moves):
            pass

    def _spread(self, moves: list[tuple[Any, Any]]) -> bool:
        """Names that hold messages, or what somebody said, however far handed on."""
        nodes = self.nodes
        before = len(self.talk) + len(self.tainted)
        for target, value in moves:
            names = {one.name for one in (target, *target.find_all(nodes.Name)) if isinstance(one, nodes.Name)}
            if self.said(value):
                self.tainted |= names
            elif self._is_talk(value):
                self.talk |= names
        return before != len(self.talk) + len(self.tainted)

    def _is_talk(self, value: Any) -> bool:
        nodes = self.nodes
        while isinstance(value, nodes.Getitem | nodes.Filter) and value.node is not None:
            if (
                isinstance(value, nodes.Getitem)
                and isinstance(value.arg, nodes.Const)
                and isinstance(value.arg.value, str)
            ):
                return False
            value = value.node
        return isinstance(value, nodes.Name) and value.name in self.talk

    def said(self, side: Any) -> bool:
        """Is what somebody said in this expression?"""
        nodes = self.nodes
        if isinstance(side, nodes.Getattr) and side.attr in _KINDS:
            return False
        if isinstance(side, nodes.Getitem) and isinstance(side.arg, nodes.Const) and side.arg.value in _KINDS:
            return False
        return any(self._says(each) for each in (side, *side.find_all(nodes.Node)))

    def _says(self, one: Any) -> bool:
        nodes = self.nodes
        if isinstance(one, nodes.Getattr):
            return bool(one.attr == "content")
        if isinstance(one, nodes.Getitem):
            return isinstance(one.arg, nodes.Const) and one.arg.value == "content"
        if isinstance(one, nodes.Name):
            return one.name in self.tainted
        if isinstance(one, nodes.Call) and isinstance(one.node, nodes.Getattr):
            if one.node.attr == "get":
                return any(isinstance(each, nodes.Const) and each.value == "content" for each in one.args[:1])
            return one.node.attr in ("items", "values") and self._is_talk(one.node.node)
        if isinstance(one, nodes.Filter) and one.node is not None:
            if one.name == "map":
                values = [each.value for each in one.kwargs if each.key == "attribute"]
                return any(isinstance(each, nodes.Const) and each.value == "content" for each in values)
            return one.name in ("string", "tojson") and self._is_talk(one.node)
        return False

    def triggers(self, one: Any) -> Found:
        """Why this node should be read by a person."""
        nodes = self.nodes
        if isinstance(one, nodes.Compare):
            sides = [one.expr, *(each.expr for each in one.ops)]
            yield from self._words(sides, sides)
            yield from self._lengths(sides)
        elif isinstance(one, nodes.Test):
            sides = [one.node, *(one.args or ())]
            yield from self._words(sides, sides)
        elif isinstance(one, nodes.Call) and isinstance(one.node, nodes.Getattr):
            if one.node.attr in _SEEKS:
                yield from self._words([one.node.node], one.args[:1])
            elif one.node.attr == "get" and isinstance(one.node.node, nodes.Dict):
                yield from self._words(one.args[:1], [each.key for each in one.node.node.items])
        elif isinstance(one, nodes.Filter) and one.name in _PICKS and one.node is not None:
            attributes = [each for each in one.args[:1] if isinstance(each, nodes.Const) and each.value == "content"]
            if attributes and one.name.endswith("attr"):
                yield from self._turns(one.args[1:])
            yield from self._words([one.node], one.args[: 1 if one.name == "replace" else None])
        elif isinstance(one, nodes.Getitem) and isinstance(one.node, nodes.Dict):
            yield from self._words([one.arg], [each.key for each in one.node.items])

    def _words(self, sides: list[Any], words: list[Any]) -> Found:
        if any(self.said(side) for side in sides if not isinstance(side, self.nodes.Const)):
            yield from self._turns(words)

    def _turns(self, words: list[Any]) -> Found:
        for text in (each.value for one in words for each in self._constants(one)):
            ordinary = _WORDS.match(text) and not _MARKS.search(text) and text.lower() not in _SHORT_ROLES
            if ordinary or _PLACES.search(text):
                yield "review", "trigger", f"turns on the words {quoted(text, 60)!r} in a message"

    def _lengths(self, sides: list[Any]) -> Found:
        nodes = self.nodes
        numbers = [each.value for each in sides if isinstance(each, nodes.Const) and type(each.value) is int]
        for side in sides:
            counted = isinstance(side, nodes.Filter) and side.name in ("count", "length") and side.node is not None
            if counted and self.said(side.node) and any(each > LONGEST_LENGTH for each in numbers):
                yield "review", "trigger", "turns on how long a message is"

    def _constants(self, side: Any) -> list[Any]:
        nodes = self.nodes
        found = [side] if isinstance(side, nodes.Const) else []
        if isinstance(side, nodes.List | nodes.Tuple):
            found = [each for each in side.items if isinstance(each, nodes.Const)]
        return [each for each in found if isinstance(each.value, str)]
