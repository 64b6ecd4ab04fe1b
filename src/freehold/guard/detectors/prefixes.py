"""What a text may end in while a match is still arriving: a pattern's prefixes, as a pattern.

Reads the common part of RE2's syntax. `prefixes(p)` matches every beginning of every match of `p`, and perhaps more:
too much only holds text back a little longer.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from freehold.guard.errors import BadPattern

_CLASS = re.compile(r"\[\^?\]?(?:\[:\^?\w+:\]|\\[pP]\{\w+\}|\\.|[^\]\\])*\]", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:[pP](?:\{\^?\w+\}|\w)|x(?:\{[0-9A-Fa-f]+\}|[0-9A-Fa-f]{2})|.)", re.DOTALL)
_OPEN = re.compile(r"\((?:\?(?:P?<\w+>|[imsU-]*:))?")
_FLAGS = re.compile(r"\(\?([imsU-]+)\)")
_TIMES = re.compile(r"(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??")
_UNICODE = re.compile(r"\\p(?:\{\w+\}|\w)")
_COUNTED = 4
"""Repeats of one character that are counted where what may still arrive is looked for."""
_ASSERTIONS = ("\\b", "\\B", "\\A", "\\z")


class Node(NamedTuple):
    """A part of a pattern: `atom`, `assert`, `group`, `sequence`, `choice` or `repeat`."""

    kind: str
    text: str = ""
    """An atom or assertion as written; how a group opens."""
    parts: tuple[Node, ...] = ()
    least: int = 1
    most: int | None = 1
    """None for a repeat without end."""


def parse(pattern: str) -> Node:
    """The pattern's parts. Raises BadPattern where it is not understood."""
    flags = _FLAGS.match(pattern)
    node, at = _choice(pattern, flags.end() if flags else 0)
    if at != len(pattern):
        raise BadPattern(f"unexpected {pattern[at]!r} at {at} of the pattern {pattern!r}")
    return Node("group", f"(?{flags.group(1)}:", (node,)) if flags else node


def widest(node: Node) -> int | None:
    """Most characters of a match; None for no bound."""
    if node.kind == "atom":
        return 1
    if node.kind == "assert":
        return 0
    widths = [widest(one) for one in node.parts]
    if None in widths:
        return None
    known = [one for one in widths if one is not None]
    if node.kind == "choice":
        return max(known, default=0)
    if node.kind == "repeat":
        return None if node.most is None else known[0] * node.most
    return sum(known)


def written(node: Node, endless: int | None = None) -> str:
    """The pattern again, without captures; repeats without end end after `endless` where that is given."""
    if node.kind in ("atom", "assert"):
        return node.text
    inner = [written(one, endless) for one in node.parts]
    if node.kind == "choice":
        return f"(?:{'|'.join(inner)})"
    if node.kind == "group":
        return f"{node.text}{inner[0]})"
    if node.kind == "sequence":
        return "".join(inner)
    most = node.most if node.most is not None or endless is None else max(endless, node.least)
    return f"{_one(node.parts[0], inner[0])}{_times(node.least, most)}"


def loosened(node: Node) -> Node:
    """A pattern that matches all that this one does, and more, by a far smaller automaton: repeats do not count, and
    whatever is not ASCII is taken for any class of Unicode.
    """
    if node.kind == "atom":
        return node if "\\p" not in node.text.lower() else Node("atom", _plain_class(node.text))
    if node.kind == "repeat" and node.parts[0].kind == "atom" and (node.most is None or node.most > _COUNTED):
        return Node("repeat", parts=(loosened(node.parts[0]),), least=min(node.least, 1), most=None)
    return node._replace(parts=tuple(loosened(one) for one in node.parts))


def _plain_class(text: str) -> str:
    return (
        "(?s:.)"
        if "\\P" in text or text.startswith("[^")
        else _UNICODE.sub(r"\\x00-\\x{10FFFF}", f"[{text.strip('[]')}]")
    )


def prefixes(node: Node) -> str:
    """A pattern of every beginning of a match, the empty one and the whole one included."""
    if node.kind == "atom":
        return f"{node.text}?"
    if node.kind == "assert":
        return ""
    if node.kind == "choice":
        return f"(?:{'|'.join(prefixes(one) for one in node.parts)})"
    if node.kind == "group":
        return f"{node.text}{prefixes(node.parts[0])})"
    if node.kind == "repeat":
        return _repeated(node)
    return _in_order(node.parts)


def _repeated(node: Node) -> str:
    part = node.parts[0]
    if part.kind == "atom":
        return f"{part.text}{_times(0, node.most)}"
    before = None if node.most is None else node.most - 1
    if before == 0:
        return prefixes(part)
    return f"{_one(part, written(part))}{_times(0, before)}{prefixes(part)}"


def _in_order(parts: tuple[Node, ...]) -> str:
    if not parts:
        return ""
    rest = prefixes(parts[-1])
    for part in reversed(parts[:-1]):
        whole = f"{written(part)}{rest}"
        rest = f"(?:{whole})?" if part.kind in ("atom", "assert") else f"(?:{whole}|{prefixes(part)})"
    return rest


def _one(part: Node, text: str) -> str:
    return text if part.kind in ("atom", "group", "choice") else f"(?:{text})"


def _times(least: int, most: int | None) -> str:
    if (least, most) == (0, 1):
        return "?"
    if most is None:
        return {0: "*", 1: "+"}.get(least, f"{{{least},}}")
    return f"{{{least},{most}}}"


def _choice(pattern: str, at: int) -> tuple[Node, int]:
    options = []
    while True:
        parts: list[Node] = []
        while at < len(pattern) and pattern[at] not in "|)":
            part, at = _part(pattern, at)
            parts.append(part)
        options.append(parts[0] if len(parts) == 1 else Node("sequence", parts=tuple(parts)))
        if at >= len(pattern) or pattern[at] == ")":
            return (options[0] if len(options) == 1 else Node("choice", parts=tuple(options))), at
        at += 1


def _part(pattern: str, at: int) -> tuple[Node, int]:
    node, at = _single(pattern, at)
    while found := _TIMES.match(pattern, at):
        sign, least, comma, most = found.groups()
        bounds: tuple[int, int | None]
        if sign:
            bounds = {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
        else:
            bounds = (int(least), int(most) if most else None if comma else int(least))
        node, at = Node("repeat", parts=(node,), least=bounds[0], most=bounds[1]), found.end()
    return node, at


def _single(pattern: str, at: int) -> tuple[Node, int]:
    sign = pattern[at]
    if sign == "(":
        opened = _OPEN.match(pattern, at)
        if opened is None or pattern.startswith(("(?=", "(?!", "(?<=", "(?<!"), at):
            raise BadPattern(f"the group at {at} of the pattern {pattern!r} is not known to RE2")
        how = opened.group() if opened.group().endswith(":") else "(?:"
        node, end = _choice(pattern, opened.end())
        if end >= len(pattern):
            raise BadPattern(f"a group of the pattern {pattern!r} does not end")
        return Node("group", how, (node,)), end + 1
    if sign in "*+?" or (sign == "{" and _TIMES.match(pattern, at)):
        raise BadPattern(f"nothing to repeat at {at} of the pattern {pattern!r}")
    if sign in "^$":
        return Node("assert", sign), at + 1
    found = {"[": _CLASS, "\\": _ESCAPE}[sign].match(pattern, at) if sign in "[\\" else None
    if found is None:
        if sign in "[\\":
            raise BadPattern(f"the pattern {pattern!r} ends too early")
        return Node("atom", sign), at + 1
    text = found.group()
    if text in ("\\Q", "\\C", "\\E"):
        raise BadPattern(f"{text} in the pattern {pattern!r} is not supported")
    return Node("assert" if text in _ASSERTIONS else "atom", text), found.end()
