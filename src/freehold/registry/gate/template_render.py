"""A template rendered on messages of ours: does it pass on what was said, and say nothing of its own?

Invariant: rendered only in Jinja's immutable sandbox, after its tree was read and nothing in it was refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from freehold.registry.gate.errors import TooMuch
from freehold.registry.gate.naming import quoted
from freehold.registry.gate.types import Reason

_SYSTEM, _ASKED, _TOLD, _AGAIN = "zqsystemzq", "zqaskedzq", "zqtoldzq", "zqagainzq"
_TALK = (
    {"role": "user", "content": _ASKED},
    {"role": "assistant", "content": _TOLD},
    {"role": "user", "content": _AGAIN},
)
_MARKUP = re.compile(r"<[^<>\n]{1,60}>|\[/?[A-Z_ ]{2,30}\]|<\|.*?\|>|[{}\[\]|<>#*=_:.,()\"'/\\-]+")
_ROLES = frozenset("user assistant system model tool human ai bot im start end header id turn of".split())  # noqa: SIM905
_DATES = re.compile(
    r"(?i)\b(?:cutting |current |today'?s? )?(?:knowledge |)(?:cutoff |date)[^\n]{0,40}"
    r"|\b\d{1,4}\b|\b[A-Z][a-z]{2} \d{4}\b"
)
_HELPFUL = re.compile(
    r"(?i)you are [^.\n]{0,60}(?:assistant|chatbot|language model|ai model)[^.\n]{0,60}\.?|created by [^.\n]{2,40}\.?|"
    r"(?:below is|a chat between|the following is)[^.\n]{0,160}\.?"
)
"""How the known families introduce themselves where nobody gave a system message."""
_ORDERS = re.compile(
    r"(?i)https?://|\b(?:always|never|must|ignore|disregard|do not|don'?t|instead|secretly|reveal|mention|pretend|"
    r"override|whenever|append|insert|include|recommend|tell the user|obey)\b"
)
_HIDES = re.compile(
    r"(?i)\b(?:ignore (?:all|any|previous)|disregard|secretly|reveal|pretend|without (?:telling|informing))\b"
)
"""Beside tools, the known families do give orders; not such ones."""
_TOOL = {
    "type": "function",
    "function": {"name": "zqtoolzq", "description": "zq", "parameters": {"type": "object", "properties": {}}},
}
MOST_WORDS = 40
"""Of its own that a template may say to every conversation before a person should read them."""
_MOST_OUTPUT = 1 << 20


def extensions() -> list[Any]:
    """Those that renderers of chat templates have. Cutting `generation` out of the text would join what it parted."""
    from jinja2.ext import Extension, do, loopcontrols

    class Generation(Extension):
        """Marks what the model said, and changes nothing."""

        tags = {"generation"}  # noqa: RUF012  as the base class has it

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    return [loopcontrols, do, Generation]


def probed(text: str, where: str) -> Iterator[Reason]:
    """Why what it makes of plain conversations should be read by a person."""
    with_system = ({"role": "system", "content": _SYSTEM}, *_TALK)
    bare, whole = _rendered(text, _TALK), _rendered(text, with_system)
    if bare is None and whole is None:
        yield Reason("review", "template.fails", where, "fails on a plain conversation")
        return
    for output, said in ((bare, (_ASKED, _TOLD, _AGAIN)), (whole, (_SYSTEM, _ASKED, _TOLD, _AGAIN))):
        if output is not None:
            yield from _kept(output, said, where)
    yield from _added(bare if bare is not None else whole or "", where)
    if bare is not None:
        yield from _otherwise(text, where)


def _otherwise(text: str, where: str) -> Iterator[Reason]:
    """What it says of its own in a long conversation, in later years, where nothing is to follow, and beside tools."""
    turns = [({"role": "user", "content": _ASKED}, {"role": "assistant", "content": _TOLD}) for _ in range(12)]
    talk = tuple(one for turn in turns for one in turn)
    long = (*talk, {"role": "user", "content": f"{_AGAIN} " * 500})
    later = {"strftime_now": datetime(2031, 3, 2, tzinfo=UTC).strftime, "date_string": "02 Mar 2031"}
    for each, given in ((long, {}), (_TALK, later), (_TALK[:2], {"add_generation_prompt": False})):
        own = _own(_rendered(text, each, given) or "")
        if found := _ORDERS.search(own):
            yield _gives(own, found.start(), where)
            return
    own = _own(_rendered(text, _TALK, {"tools": [_TOOL]}) or "")
    if found := _HIDES.search(own):
        yield _gives(own, found.start(), where)


def _gives(own: str, at: int, where: str) -> Reason:
    said = f"gives orders of its own: {quoted(own[max(0, at - 40) :][:120].strip())}"
    return Reason("review", "template.adds", where, said)


def _own(output: str) -> str:
    """Sentences of the template's own."""
    for one in (_SYSTEM, _ASKED, _TOLD, _AGAIN):
        output = output.replace(one, "\n")
    return _HELPFUL.sub(" ", _DATES.sub(" ", re.sub(r"<\|.*?\|>|<[^<>\n]{1,60}>", "\n", output)))


def _kept(output: str, said: tuple[str, ...], where: str) -> Iterator[Reason]:
    places = [output.find(one) for one in said]
    if -1 in places[-1:] or (_ASKED in said and output.find(_ASKED) < 0):
        yield Reason("review", "template.drops", where, "leaves out what was asked")
    elif any(output.count(one) > 1 for one in said):
        yield Reason("review", "template.repeats", where, "says a message twice")
    elif _SYSTEM in said and _SYSTEM not in output:
        yield Reason("review", "template.drops", where, "leaves out the system message, and does not say so")


def _added(output: str, where: str) -> Iterator[Reason]:
    own = _own(output)
    if found := _ORDERS.search(own):
        yield _gives(own, found.start(), where)
        return
    words = [one for one in _MARKUP.sub(" ", own).split() if one.lower() not in _ROLES]
    if len(words) > MOST_WORDS:
        yield Reason(
            "review", "template.adds", where, f"says {len(words)} words of its own: {quoted(' '.join(words), 120)}"
        )


class _Raised(Exception):
    """The template refused the conversation, as some do without a system message, or with one."""


def _rendered(text: str, talk: tuple[dict[str, str], ...], also: dict[str, Any] | None = None) -> str | None:
    """What it makes of a conversation; None where it refuses it or fails."""
    import json

    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str = "") -> None:
        raise _Raised(message)

    def as_json(value: Any, **_options: Any) -> str:
        return json.dumps(value, ensure_ascii=False, default=str)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=extensions())
    environment.filters["tojson"] = as_json
    given: dict[str, Any] = {
        "messages": [dict(one) for one in talk],
        "add_generation_prompt": True,
        "bos_token": "",
        "eos_token": "",
        "pad_token": "",
        "unk_token": "",
        "tools": None,
        "raise_exception": refuse,
        "strftime_now": lambda _form: "01 Jan 2026",
        **(also or {}),
    }
    try:
        made = []
        size = 0
        for piece in environment.from_string(text).generate(**given):
            size += len(piece)
            if size > _MOST_OUTPUT:
                return None
            made.append(piece)
    except (
        _Raised,
        TemplateError,
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        RecursionError,
    ):
        return None
    except MemoryError:
        raise TooMuch("a template that grows without end") from None
    return "".join(made)
